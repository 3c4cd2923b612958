"""What the files of a results folder hold, and how tables are written."""

import json
from pathlib import Path
from typing import Any

PRECISIONS = ["fp32", "tf32", "fp16"]


def load_bench(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """Origin and results of bench.json; what could not run is left out."""
    bench = json.loads((folder / "bench.json").read_text())
    return bench["origin"], [r for r in bench["results"] if "skipped" not in r]


def load_peers(folder: Path) -> list[dict[str, Any]]:
    """Lines of peers.jsonl; none if there is no such file."""
    file = folder / "peers.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
