"""opsched report: a self-contained page that agrees with the records."""

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
