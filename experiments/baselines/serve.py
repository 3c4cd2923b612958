"""A baseline as a program. It measures one graph, or answers requests, so that slow starts (importing a framework)
happen only once."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from protocols import protocols_of
from reference import TOLERANCE

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def serve(answer: Answer) -> None:
    """Requests arrive on stdin and answers leave on stdout, each as one JSON object per line. Whatever a framework
    prints goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")
        replies.flush()


def words_of(error: Exception) -> str:
    """An exception as one line of text."""
    words = str(error).strip()
    return (words.splitlines()[0] if words else type(error).__name__)[:300]


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """The options of every baseline."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", nargs="?", help="a graph written by `opsched show NET --format json`")
    parser.add_argument("--serve", action="store_true", help="answer requests on stdin")
    parser.add_argument("--precision", default="fp32", choices=list(TOLERANCE))
    parser.add_argument("--runs", type=int, default=60, help="at most this many timed runs")
    parser.add_argument("--max-seconds", type=float, default=0.5,
                        help="time for the timed runs; at least 5 runs are timed")
    parser.add_argument("--measure", dest="protocols", type=protocols_of, default=[], metavar="P[,P...]",
                        help="also measure with these protocols: replays, lone, cold, rotating, in-flight=N, energy "
                             "(docs/measuring.md)")
    parser.add_argument("--weights", help="from `opsched infer --save-weights`")
    parser.add_argument("--expected", help="from `opsched infer --batch 1 -o`")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    args = parser.parse_args()
    if (args.weights is None) != (args.expected is None):
        parser.error("--weights and --expected go together")
    if args.serve == bool(args.graph):
        parser.error("give a graph, or --serve")
    return args


def run(name: str, args: argparse.Namespace, answer: Answer, **more: Any) -> None:
    """`more`: additional fields of the single request that the options stand for."""
    if args.serve:
        serve(answer)
        return
    try:
        print(json.dumps(answer({**vars(args), **more})))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{name}: {error}")
