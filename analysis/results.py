"""What the files of a results folder hold, and how tables are written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PRECISIONS = ["fp32", "tf32", "fp16"]
STOPPED = 130  # exit code after Ctrl-C


def load_bench(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """Origin and results of bench.json; what could not run is left out."""
    bench = json.loads((folder / "bench.json").read_text())
    if (bench["format"], bench["version"]) != ("opsched benchmark", 1):
        raise ValueError(f"bench.json is {bench['format']}, version {bench['version']}")
    return bench["origin"], [r for r in bench["results"] if "skipped" not in r]


def load_peers(folder: Path) -> list[dict[str, Any]]:
    """Lines of peers.jsonl; none if there is no such file."""
    file = folder / "peers.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def write_whole(file: Path, write: Callable[[Path], Any]) -> None:
    """write(PATH) writes it; the file appears as a whole or not at all."""
    scratch = file.with_name(f".{file.name}.tmp")
    try:
        write(scratch)
        scratch.replace(file)
    except OSError as error:  # of a full disk it does not name the file
        raise OSError(error.errno, error.strerror, str(file)) from error
    finally:
        scratch.unlink(missing_ok=True)
