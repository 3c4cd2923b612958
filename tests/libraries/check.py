"""Shared by the checks against other libraries: one record per network, and the exit code."""

import argparse
import pathlib
import platform
import sys
from types import ModuleType

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "experiments/baselines"))

from cases import Provenance, Record, RecordFile, Run  # noqa: E402


def parse(doc: str) -> argparse.Namespace:
    """The options of a check; doc: its module docstring."""
    parser = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    parser.add_argument("--opsched", default="./opsched", help="the program")
    parser.add_argument("--out", type=pathlib.Path, help="folder whose records.jsonl the result goes to")
    return parser.parse_args()


def check(network: str, labels: dict[str, str], error: float | None, tolerance: float, texts: dict[str, str]) -> Record:
    """error: the largest relative error; None if the shapes differ."""
    record = Record(network=network, quantity="relative_error", labels=labels, value=error, numbers={"tolerance": tolerance},
                    missing="the output has another shape" if error is None else "",
                    texts={k: v for k, v in texts.items() if v}, provenance=Provenance.exact)
    print(f"{record.key()}: " + (record.missing or f"{error:.1e} ({'agrees' if agrees(record) else 'DIFFERS'})"))
    return record


def agrees(record: Record) -> bool:
    return record.value is not None and record.value < record.numbers["tolerance"]


def finish(out: pathlib.Path | None, records: list[Record], script: str, *modules: ModuleType) -> int:
    """Stores the records, if a folder is given. Exit code: 0 if everything that was compared agrees."""
    if out:
        versions = {"python": platform.python_version(), **{m.__name__: m.__version__ for m in modules}}
        with RecordFile(out, Run(software=versions, command=f"tests/libraries/{script} --out {out}")) as file:
            for record in records:
                file.add(record)
            file.finish()
    return 0 if all(agrees(r) for r in records if "tolerance" in r.numbers) else 1
