"""opsched report: a self-contained page that agrees with the records."""

import base64
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import opsched

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "analysis"))

from opsched.records import Records  # noqa: E402
from opsched.report.page import page, timeline_id  # noqa: E402


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def unpacked(data: dict, id: str) -> dict:
    return json.loads(gzip.decompress(base64.b64decode(data["timelines"][id])))


def test_the_page_needs_nothing_else(report):
    text = report.read_text()
    assert not re.search(r'<(script|img|link|iframe)[^>]*(src|href)="(?!data:|#)', text)
    assert "@import" not in text and "@TITLE@" not in text and text.count("</html>") == 1
    assert len(re.findall(r"<script", text[:text.index("Plotly")])) >= 2


def test_every_record_stands_in_it(report, results):
    records, data = Records.read(results), data_of(report.read_text())
    rows = {row["key"]: row for row in data["records"]}
    assert set(rows) == {r.key() for r in records.select()} and len(rows) > 5
    base = records.find("squeezenet/sequential/batch:1/fp32/gpus:1").value
    for r in records.select():
        row = rows[r.key()]
        assert row["value"] == r.value and row["provenance"] == r.provenance.value
        assert row["gain"] == pytest.approx(base / r.value)
        assert row["timeline"] == timeline_id(r)


def test_timelines_are_of_the_records_schedules(report, results):
    data = data_of(report.read_text())
    for r in Records.read(results).select():
        timeline = unpacked(data, timeline_id(r))
        events = [dict(zip(timeline["fields"], e)) for e in timeline["events"]]
        if r.scheduler in ("sequential", "ios-both", "dataflow"):
            assert timeline["mode"] == ("dataflow" if r.scheduler == "dataflow" else "barrier")
        assert max(e["start"] + e["ms"] for e in events) == pytest.approx(timeline["makespan_ms"], abs=1e-4)
        assert any(e["critical"] for e in events) and all(e["kind"] for e in events if e["category"] == "operator")
        assert timeline["makespan_ms"] == pytest.approx(r.value, rel=0.25)  # recorded for the whole schedule


def test_a_schedule_that_is_not_stored_is_searched_again(results, tmp_path):
    """Baselines' records name a schedule by its fingerprint only. Another schedule in its place is not shown. The first
    two schedulers always find the same one; what others find depends on the profile."""
    schedulers = ("sequential", "wavefront", "dataflow")
    lines = [json.loads(line) for line in (results / "records.jsonl").read_text().splitlines()]
    kept = [line for line in lines if "schedule" not in line and ("record" not in line or line["record"]["scheduler"] in schedulers)]
    [changed] = [line["record"] for line in kept if "record" in line and line["record"]["scheduler"] == "dataflow"]
    changed["schedule"] = "0" * 16
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    shutil.copy(results / "profile-fp32.json", tmp_path)
    said = opsched("report", tmp_path, "-o", tmp_path / "page.html")
    assert "no timeline for 1: its schedule is not stored, and the search finds another one now" in " ".join(said.split())
    timelines = data_of((tmp_path / "page.html").read_text())["timelines"]
    for r in Records.read(tmp_path).select():
        assert (timeline_id(r) in timelines) == (r.scheduler != "dataflow")


def test_a_folder_without_a_profile_says_why_there_are_no_timelines(results, tmp_path):
    shutil.copy(results / "records.jsonl", tmp_path)
    assert "the folder has no profile to simulate it on" in opsched("report", tmp_path, "-o", tmp_path / "page.html")


def test_sigterm_ends_the_drawing_too(results, tmp_path):
    """Only the program gets the signal, so it must end the Python that it started."""
    started, slow = tmp_path / "started", tmp_path / "slow_python"
    slow.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\necho $$ > {started}.tmp && mv {started}.tmp {started}\nexec sleep 60\n')
    slow.chmod(0o755)
    program = subprocess.Popen([os.environ["OPSCHED"], "report", results, "-o", tmp_path / "page.html"],
                               env={**os.environ, "OPSCHED_PYTHON": str(slow)}, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not started.exists() and time.monotonic() < end:
        time.sleep(0.02)
    program.send_signal(signal.SIGTERM)
    told = time.monotonic()
    assert program.wait(timeout=10) == 130 and time.monotonic() - told < 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_figures_stand_in_it():
    data = data_of(page(PROJECT / "results" / "h200", {}))
    names = {f["name"] for f in data["figures"]}
    assert {"batches", "schedules", "pruning"} <= names
    assert all(f["picture"].startswith("data:image/svg+xml;base64,") and f["agrees"] for f in data["figures"])


def test_text_cannot_end_its_script(results, tmp_path):
    folder = tmp_path / "spoilt"
    folder.mkdir()
    text = (results / "records.jsonl").read_text().replace('"command":"', '"command":"</script><script>alert(1)</script> ')
    (folder / "records.jsonl").write_text(text)
    made = page(folder, {})
    assert "</script><script>alert" not in made
    assert "</script><script>alert(1)</script>" in data_of(made)["commands"]


@pytest.mark.parametrize("words, said", [(["/nowhere"], "/nowhere"), ([PROJECT / "docs"], "no records"), ([], "FOLDER")])
def test_what_is_wrong_is_said(words, said, tmp_path):
    done = subprocess.run([os.environ["OPSCHED"], "report", *map(str, words), "-o", str(tmp_path / "r.html")], capture_output=True,
                          text=True)
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "r.html").exists()
