"""The pages: every link leads somewhere, every page can be reached from the index, and the site's page of headers lists
all."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "docs/site"), str(PROJECT / "analysis")]

from opsched.records import Records  # noqa: E402
from opsched.simulator import of_last_fit  # noqa: E402
from pages import anchors, links, public_headers, reached, sections  # noqa: E402

INDEX = PROJECT / "docs/README.md"
REACHED = reached(PROJECT / "README.md", INDEX)


def test_every_page_is_reached_from_the_index():
    pages = {*(PROJECT / "docs").rglob("*.md"), *(PROJECT / "results").rglob("*.md"), *PROJECT.glob("*.md")}
    pages -= {page for page in pages if page.name == "NOTES.md"}  # quoted on the page next to it
    assert len(pages) > 60
    assert not {str(page.relative_to(PROJECT)) for page in pages - set(REACHED)}


def test_the_index_has_a_line_for_every_page_of_docs_and_every_folder_of_results():
    named = {page for entries in sections(INDEX).values() for _, page in entries}
    assert not {*(PROJECT / "docs").glob("*.md"), *(PROJECT / "results").glob("*/README.md")} - named - {INDEX}


def test_every_schema_is_described():
    assert {*(PROJECT / "docs").glob("*.schema.json")} <= {file for file, _ in links(PROJECT / "docs/file_formats.md")}


@pytest.mark.parametrize("page", [file for file in REACHED if file.suffix == ".md"], ids=lambda p: str(p.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    for file, anchor in links(page):
        assert file.is_file(), f"{file} is not there"
        assert not anchor or anchor in anchors(file), f"{file} has no heading #{anchor}"


def test_links_are_found_where_markdown_has_some(tmp_path):
    """Links in code do not count."""
    page = tmp_path / "page.md"
    page.write_text("[a](a.md#b-c) ![p](p.png) `[no](no.md)`\n<img src=\"i.svg\">\n```\n[no](no.md)\n```\n"
                    "# B [c](x.md): `d_e`!\n[w](https://w.org) [here](#b-c-d_e)\n")
    assert [(file.name, anchor) for file, anchor in links(page)] == [
        ("a.md", "b-c"), ("p.png", ""), ("i.svg", ""), ("x.md", ""), ("page.md", "b-c-d_e")]
    assert anchors(page) == {"b-c-d_e"}


def simulator_errors(folder: str, group: str, key: str = "", **what: object) -> dict[str, list[float]]:
    """Errors of the last fit in percent by precision: the number `key`, or medians."""
    found: dict[str, list[float]] = {}
    for r in of_last_fit(Records.read(PROJECT / "results" / folder)):
        if r.is_like(group=group, **what):
            found.setdefault(r.precision, []).append(100 * (r.numbers[key] if key else r.value))
    return found


@pytest.mark.parametrize(("page", "text", "errors"), [
    ("hios", "within {fp32:.1f}% of the measurement in fp32 and {tf32:.1f}% in tf32", ("h200-x4", "whole", "p90", 4)),
    ("simulator", "it is {fp32:.1f}% in fp32, {tf32:.1f}% in tf32 and {fp16:.1f}% in fp16", ("h200-x4-split", "split", "", 4)),
    ("simulator", "a median of at most {all:.1f}% for each network", ("public-networks", "other_networks", "", 1)),
    ("split", "error of {fp32:.1f}% in fp32, {tf32:.1f}% in tf32 and {fp16:.1f}% in fp16", ("h200-x2", "split", "", 2)),
])
def test_accuracies_of_the_simulator_are_those_of_the_records(page, text, errors):
    *where, gpus = errors
    worst = {precision: max(values) for precision, values in simulator_errors(*where, gpus=gpus).items()}
    assert text.format(**worst, all=max(worst.values())) in (PROJECT / f"docs/{page}.md").read_text()


def test_every_installed_header_says_what_it_is_for():
    headers = [entry for entries in public_headers(PROJECT).values() for entry in entries]
    assert len(headers) > 100
    assert not [str(path) for path, text in headers if len(text) < 15]


def test_the_pages_name_the_current_version_of_the_kernels():
    header = (PROJECT / "core/runtime/cuda/library/tuning_cache.hpp").read_text()
    version = re.search(r"kKernelsVersion = (\d+)", header)[1]
    assert f"The current version is {version}." in (PROJECT / "docs/records.md").read_text()


LATE = [Records.read(PROJECT / "results" / f"late-pools-{side}") for side in ("before", "after")]
LATE_CASES = [(b, s, p) for b in (1, 16, 128) for s in ("sequential", "dataflow") for p in ("fp16", "tf32")]


def late_averages(batch: int, scheduler: str, precision: str) -> list:
    """The latencies of a case before and after."""
    found = [records.select(batch=batch, scheduler=scheduler, precision=precision) for records in LATE]
    assert [len(f) for f in found] == [1, 1]
    return [f[0] for f in found]


def page_of_late_averages() -> str:
    page = (PROJECT / "docs/performance/depthwise_and_pools.md").read_text()
    return page.split("\n## Averages behind pointwise convolutions\n")[1].split("\n## ")[0]


def test_latencies_of_late_averages_are_those_of_the_records():
    page, cells = page_of_late_averages(), {}
    for case in LATE_CASES:
        cells[case] = ", ".join(f"{r.value:.4g}" for r in late_averages(*case))
    for batch, scheduler, _ in LATE_CASES:
        assert f"| batch {batch}, {scheduler} | {cells[batch, scheduler, 'fp16']} | {cells[batch, scheduler, 'tf32']} |" in page
    assert f"dataflow went from {' to '.join(cells[128, 'dataflow', 'fp16'].split(', '))} ms" in page

    def faster(*case: object) -> float:
        before, after = late_averages(*case)
        return 100 * (1 - after.value / before.value)

    fp16, tf32 = ({s: faster(1, s, p) for s in ("sequential", "dataflow")} for p in ("fp16", "tf32"))
    assert f"dataflow got {fp16['dataflow']:.1f}% faster in fp16 and {tf32['dataflow']:.1f}% in tf32" in page
    assert f"sequential schedule got {-fp16['sequential']:.1f}% slower in fp16 and {tf32['sequential']:.1f}% faster in tf32" in page


def test_what_else_differs_between_the_records_of_late_averages():
    page, others = page_of_late_averages(), []
    for batch, scheduler, precision in LATE_CASES:
        before, after = late_averages(batch, scheduler, precision)
        assert (before.schedule == after.schedule) == (scheduler == "sequential" or (batch, precision) == (128, "fp16"))
        lowered = batch == 128 and (scheduler, precision) != ("sequential", "tf32")
        assert before.clocks.throttled == after.clocks.throttled == lowered
        old, new = (records.kernels[r.kernels] for records, r in zip(LATE, (before, after)))
        shared = old.keys() & new.keys()
        changed = sum(old[problem] != new[problem] for problem in shared)
        if precision == "tf32" and batch > 1:
            others.append((changed, len(shared)))
        else:
            assert changed == 0
    (least, _), (most, _) = min(others), max(others)
    sizes = [n for _, n in others]
    assert f"{least} to {most} of {min(sizes)} to {max(sizes)} such problems have other kernels" in page
    less = [before.value - after.value for before, after in (late_averages(128, s, "tf32") for s in ("sequential", "dataflow"))]
    assert f"became {less[0]:.2f} and {less[1]:.2f} ms faster" in page


def test_sizes_of_transfers_by_kernel_are_those_of_the_profiles():
    limits = {}
    for file in sorted((PROJECT / "results").glob("*/profile-*.json")):
        profile = json.loads(file.read_text())
        numbers = dict(profile["calibration"])
        if "transfer.kernel_limit_bytes" in numbers:
            limits[file] = (numbers.get("transfer.kernel_from_bytes"), numbers["transfer.kernel_limit_bytes"])

    def nearest(size):  # calibrations are stored with six digits
        return min((2**p for p in range(12, 27)), key=lambda power: abs(power - size))

    engine = {file.parent.name for file, (_, limit) in limits.items() if limit == 0}
    begins = {nearest(begin) for begin, limit in limits.values() if limit}
    ends = {nearest(limit) for _, limit in limits.values() if limit}
    text = (PROJECT / "docs/performance/schedules.md").read_text()
    paragraph = next(p for p in text.split("\n\n") if p.startswith("**Transfers by kernel"))
    assert engine == set(re.findall(r"\[(h200-x[^]]*)\]", paragraph))
    assert (begins, max(ends)) == ({2**18, 2**20, 2**22}, 2**22)
    assert "up to 4 MiB at the most, and from 256 KiB, 1 MiB or 4 MiB on" in paragraph


NAMES = {"SqueezeNet": "squeezenet", "Inception V3": "inception_v3", "RandWire": "randwire", "NasNet": "nasnet"}  # in docs/


def test_latencies_of_the_search_over_dataflow_schedules_are_those_of_the_records():
    records, page = Records.read(PROJECT / "results/h200"), (PROJECT / "docs/performance/schedules.md").read_text()
    table = page.split("| `ios-verified`, `dataflow-search` | fp32 | tf32 | fp16 |\n")[1].split("\n\n")[0]
    for network, name in NAMES.items():
        keys = [[f"{name}/{s}/batch:1/{p}/gpus:1" for s in ("ios-verified", "dataflow-search")]
                for p in ("fp32", "tf32", "fp16")]
        cells = [", ".join(f"{records.find(key).value:.3f}" for key in pair) for pair in keys]
        assert f"| {network} | {' | '.join(cells)} |" in table


def sums_of_stages(folder: Path) -> Records:
    """Replays of results/h200 without what the simulator adds to the measured stages, or saves of their sums."""
    whole_sums = [["schedule.sum_share", 1], ["schedule.start_ms", 0]]
    for file in (PROJECT / "results/h200").glob("profile-*.json"):
        (folder / file.name).write_text(json.dumps(json.loads(file.read_text()) | {"calibration": whole_sums}))
    for networks, schedulers in (("squeezenet,inception_v3", "sequential,ios-parallel,ios-merge,ios-both"),
                                 ("randwire,nasnet", "sequential")):
        subprocess.run([os.environ["OPSCHED"], "bench", "--device", "sim", "--profile", folder, "--network", networks,
                        "--scheduler", schedulers, "--out", folder / "out"], check=True, capture_output=True)
    return Records.read(folder / "out")


def test_latencies_above_the_sums_of_stages_are_those_of_the_records(tmp_path):
    records, sums = Records.read(PROJECT / "results/h200"), sums_of_stages(tmp_path)
    page, found = (PROJECT / "docs/performance/dynamic_program.md").read_text(), 0
    for network, scheduler, *cells in re.findall(r"^\| ([^|,]+), `?([a-z-]+)`? \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", page, re.M):
        for precision, cell in zip(("fp32", "tf32", "fp16"), cells):
            key = f"{NAMES[network]}/{scheduler}/batch:1/{precision}/gpus:1"
            r, stages = records.find(key), sums.find(key)
            now = cell.split("now ")[1]
            found += 1
            if r.schedule != stages.schedule:
                assert now == "-", key
                continue
            us = 1000 * (r.value - stages.numbers["predicted_ms"]) / r.numbers["stages"]
            assert float(now) == pytest.approx(us, abs=0.0051), key
    assert found == 21
