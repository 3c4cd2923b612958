"""A baseline as a process that answers requests: what is slow to start (importing a framework) happens once."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Requests come as one JSON object a line on stdin, answers go as one line each to stdout; whatever a
    framework prints goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")
        replies.flush()


def words_of(error: Exception) -> str:
    """What an exception says, in a line."""
    words = str(error).strip()
    return (words.splitlines()[0] if words else type(error).__name__)[:300]
