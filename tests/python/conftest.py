"""A small results folder, made with the program, and its report."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PROFILE = PROJECT / "results" / "h200"
os.environ["OPSCHED_PYTHON"] = sys.executable  # the program should use the Python that has the modules


CASE = {"network": "squeezenet", "precision": "fp32", "quantity": "latency", "software": "opsched"}
USUAL = {"precision": "fp32", "quantity": "latency", "software": "opsched"}


def is_wanted(line: str) -> bool:
    """Whether a line is a record of SqueezeNet at batch 1 in fp32, or something that such records refer to."""
    data = json.loads(line)
    record = data.get("record")
    return record is None or (all(record.get(k, USUAL.get(k)) == v for k, v in CASE.items()) and "batch" not in record
                              and "labels" not in record)


def opsched(*words: object) -> str:
    done = subprocess.run([os.environ["OPSCHED"], *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """H200 measurements of SqueezeNet under every scheduler for one GPU."""
    folder = tmp_path_factory.mktemp("made") / "results"
    folder.mkdir()
    lines = (PROFILE / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(filter(is_wanted, lines)))
    shutil.copy(PROFILE / "profile-fp32.json", folder)
    return folder


@pytest.fixture(scope="session")
def report(results, tmp_path_factory) -> Path:
    page = tmp_path_factory.mktemp("page") / "report.html"
    opsched("report", results, "-o", page)
    return page
