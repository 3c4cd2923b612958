"""The page of opsched report in headless Chromium. Skipped, visibly, if there is none."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "analysis"))
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

from opsched.records import Records  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def browser():
    """CTest shows exit code 77 as skipped. (During collection, pytest would turn it into an error.)"""
    if BROWSER is None:
        pytest.exit("skipped: there is no browser (Debian: apt-get install chromium)", returncode=77)


# Actions of a reader on the loaded page; the results are read from the DOM.
SCRIPT = r"""
<script>
const until = async condition => { while (!condition()) await new Promise(done => setTimeout(done, 20)); };
const type = (id, value) => { byId(id).value = value; byId(id).dispatchEvent(new Event("input")); };
const heading = name => document.querySelector(`#table th[data-column=${name}]`);
const column = i => [...document.querySelectorAll("#table tbody tr")].map(row => row.cells[i].textContent);
(async () => {
  const said = {errors: []};
  window.addEventListener("error", e => said.errors.push(e.message));
  try {
    await until(() => document.body.dataset.ready);
    said.ready = document.body.dataset.ready;
    said.rows = column(0).length;
    said.bars = document.querySelectorAll("#timelines .barlayer .point").length;
    said.titles = [...document.querySelectorAll("#timelines .annotation-text")].map(e => e.textContent);
    said.verdict = byId("verdict").textContent;
    said.cases = byId("case").options.length;
    said.facts = [...document.querySelectorAll("#difference tr")].map(row => [...row.cells].map(c => c.textContent));
    const value = [...document.querySelectorAll("#table th")].findIndex(h => h.dataset.column === "value");
    heading("value").click();
    said.ascending = column(value);
    heading("value").click();
    said.descending = column(value);
    said.widest = document.documentElement.scrollWidth;
    said.tallest = Math.max(...[...document.querySelectorAll("#table tbody tr")].map(row => row.offsetHeight));
    type("words", "squeezenet ios-both");
    said.filtered = document.querySelectorAll("#table tbody tr").length;
    said.count = byId("count").textContent;
    document.querySelector("#table tbody tr").click();
    await until(() => document.body.dataset.ready.endsWith("squeezenet/ios-both/batch:1/fp32/gpus:1"));
    said.hover = document.querySelector("#timelines").data.flatMap(t => t.hovertext);
    byId("swap").click();
    await until(() => document.body.dataset.ready.startsWith("squeezenet/ios-both/batch:1/fp32/gpus:1"));
    said.swapped = byId("verdict").textContent;
  } catch (error) { said.errors.push(String(error)); }
  const kept = document.createElement("pre");
  kept.id = "said";
  kept.textContent = JSON.stringify(said);
  document.body.append(kept);
})();
</script>
</body>"""


def dom_of(page: Path, width: int = 1500) -> str:
    done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000", f"--window-size={width},1200",
                           "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said_by(report: Path, folder: Path, width: int) -> dict:
    page = folder / "used.html"
    before, _, behind = report.read_text().rpartition("</body>")
    page.write_text(before + SCRIPT + behind)
    return json.loads(html.unescape(re.search(r'<pre id="said">(.*?)</pre>', dom_of(page, width), re.S)[1]))


@pytest.fixture(scope="module")
def said(report, tmp_path_factory):
    return said_by(report, tmp_path_factory.mktemp("used"), 1500)


def test_a_narrow_window_shows_the_whole_width_and_low_rows(report, tmp_path):
    narrow = said_by(report, tmp_path, 800)
    assert narrow["errors"] == [] and narrow["widest"] <= 800 and narrow["tallest"] < 120


def test_nothing_fails(said):
    assert said["errors"] == []


def test_it_opens_with_the_sequential_and_the_fastest_schedule(said, results):
    found = Records.read(results).select()
    fastest = min(found, key=lambda r: r.value)
    assert said["ready"] == f"squeezenet/sequential/batch:1/fp32/gpus:1 | {fastest.key()}"
    assert said["rows"] == len(found) and said["cases"] == 1
    assert said["titles"][0].startswith("A: sequential") and said["titles"][1].startswith(f"B: {fastest.scheduler}")
    assert said["bars"] > 80  # SqueezeNet has 49 operators in each schedule


def test_it_says_what_makes_the_difference(said):
    facts = {row[0]: row[1:] for row in said["facts"]}
    assert facts[""] == ["A", "B", "B \u2212 A"]
    whole, *parts = [[float(cell.replace("\u2212", "-")) for cell in row[:3]] for row in list(facts.values())[1:6]]
    for i in range(3):
        assert sum(part[i] for part in parts) == pytest.approx(whole[i], abs=0.004)
    assert whole[1] < whole[0] and re.match(r"B takes 0\.\d+ ms \(\d+%\) less than A: \u2212", said["verdict"])
    assert " more than A" in said["swapped"]


def test_tables_sort_and_filter(said):
    values = [float(v) for v in said["ascending"]]
    assert values == sorted(values) and len(set(values)) > 3
    assert [float(v) for v in said["descending"]] == sorted(values, reverse=True)
    assert 1 <= said["filtered"] < said["rows"] and said["count"] == f"{said['filtered']} of {said['rows']} records"


def test_bars_say_what_they_are(said):
    one = next(text for text in said["hover"] if text.startswith("<b>fire2/expand3x3</b>"))
    assert "conv2d: conv 3x3 pad 1 -> 64 relu" in one and "16x55x55 -> 64x55x55" in one
    assert re.search(r"\d us.*, alone \d+\.\d us", one) and "waited for fire2/squeeze" in one
    assert any("on the critical path" in text for text in said["hover"])
    assert any("merge of" in text for text in said["hover"])
