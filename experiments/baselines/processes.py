"""The baselines' processes as seen by run_baselines.py: one request at a time, with an answer or the reason for having
none."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from typing import Any


class Died(Exception):
    """A baseline's process crashed or took too long, as the message says."""


def last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


class Process:
    """Starts with the first request, and again after it died. Its child processes end with it."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.command, self.environment = command, {**os.environ, **(environment or {})}
        self.child: subprocess.Popen[bytes] | None = None

    def _start(self) -> None:
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        self.unread = b""
        self.child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                      env=self.environment, start_new_session=True)

    def send(self, request: dict[str, Any]) -> None:
        if self.child is None:
            self._start()
        with contextlib.suppress(BrokenPipeError):  # receive() reports the reason
            self.child.stdin.write(json.dumps(request).encode() + b"\n")
            self.child.stdin.flush()

    def receive(self, deadline: float) -> dict[str, Any]:
        """Returns the answer. `deadline` is a time of time.monotonic(). Throws Died, and then the process has ended."""
        while b"\n" not in self.unread:
            left = max(0.0, deadline - time.monotonic())  # also reads an answer that is there already
            if not select.select([self.child.stdout], [], [], left)[0]:
                self.end()
                raise Died("took longer than it may (--timeout)")
            piece = os.read(self.child.stdout.fileno(), 1 << 16)
            if not piece:
                code = self.child.wait()
                self.errors.seek(0)
                words = last_words(self.errors.read())
                self.end()
                raise Died(f"ended by signal {-code}: {words}" if code < 0 else f"exit code {code}: {words}")
            self.unread += piece
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        self.send(request)
        return self.receive(time.monotonic() + seconds)

    def end(self) -> None:
        if self.child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout, self.errors):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.child = None
