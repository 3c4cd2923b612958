"""The documentation builds as a site without warnings, and a broken link stops the build."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def build(source: Path, out: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(source / "docs/site/build.py"), str(out)], capture_output=True, text=True)


def test_the_site_builds(tmp_path):
    done = build(PROJECT, tmp_path)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    html = tmp_path / "html"
    for page in ("index.html", "docs/index.html", "docs/sweeps.html", "docs/public_headers.html", "results/h200/index.html"):
        assert (html / page).is_file(), page
    text = (html / "docs/sweeps.html").read_text()
    assert "<table>" in text and re.search(r'href="several_processes.html#cases-shared-out"', text)


def test_a_broken_link_stops_it(tmp_path):
    source = tmp_path / "source"
    for part in ("docs", "core", "schedulers", "networks", "results"):
        shutil.copytree(PROJECT / part, source / part, ignore=shutil.ignore_patterns("profile-*", "*.cpp", "*.cu", "*.jsonl"))
    for file in ("README.md", "CONTRIBUTING.md", "LICENSE", "CITATION.cff", "analysis/example.ipynb"):
        (source / file).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / file, source / file)
    page = source / "docs/sweeps.md"
    page.write_text(page.read_text().replace("several_processes.md#cases-shared-out", "several_processes.md#nowhere"))
    done = build(source, tmp_path / "out")
    assert done.returncode != 0 and "nowhere" in done.stderr, done.stderr
