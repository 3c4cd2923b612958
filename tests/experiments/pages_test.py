"""Pages of results/ agree with the records: with today's, and with added, damaged or missing ones."""

import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = PROJECT / "results"
sys.path.insert(0, str(PROJECT / "analysis"))

from opsched import figures, readme, subjects, tables  # noqa: E402
from opsched.page import baseline_name  # noqa: E402
from opsched.plots.figure import load_index  # noqa: E402
from opsched.plots.paper import load_paper  # noqa: E402
from opsched.records import Clocks, Provenance, Record, RecordFile, Records, Run, Spread, record_to_json  # noqa: E402

FOLDERS = sorted(file.parent for file in RESULTS.rglob("records.jsonl"))
INDEXES = sorted(file.parent for file in RESULTS.glob("*/figures/index.json"))
CASE = {"network": "inception_v3", "precision": "fp32", "batch": 1, "image": 0, "gpus": 1, "labels": {}, "options": {},
        "quantity": "latency", "software": "opsched"}


def tool(name: str, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(PROJECT / "analysis" / name), *map(str, words)], capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    """A copy of results/ without pictures."""
    return Path(shutil.copytree(RESULTS, tmp_path / "results",
                                ignore=shutil.ignore_patterns("*.png", "*.svg", "*.csv", "profile-*")))


def plant(folder: Path, record: Record, run: Run | None = None) -> None:
    with RecordFile(folder, run or run_of(record)) as file:
        assert file.add(record)
        file.finish()


def ours(scheduler: str, folder: Path = RESULTS / "h200") -> Record:
    return Records.read(folder).select(scheduler=scheduler, **CASE)[0]


def run_of(record: Record, folder: Path = RESULTS / "h200") -> Run:
    """What made it, for another run in the same state."""
    run = Records.read(folder).run_of(record)
    return Run(device=run.device, driver=run.driver, cuda=run.cuda, cudnn=run.cudnn, kernels=run.kernels, command="planted")


def row_of(page: str, *begin: str) -> list[str]:
    """The cells of the first row of a table that begins with these."""
    for line in page.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("|") and cells[: len(begin)] == list(begin):
            return cells
    raise AssertionError(f"no row {begin}")


def test_there_are_results():
    assert len(FOLDERS) > 3 and INDEXES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_readme_says_what_the_records_say(folder):
    done = tool("tables.py", "--check", folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", INDEXES, ids=lambda f: f.parent.name)
def test_figures_say_what_the_records_say(folder):
    done = tool("figures.py", "--check", folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_front_page_says_what_the_records_say():
    done = tool("readme.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_made_from_records_and_notes_hold_no_measured_number():
    made = {f / name for f in FOLDERS if f != RESULTS for name in tables.pages(f)} | {f / "README.md" for f in [RESULTS, *INDEXES]}
    made |= {f / f"{figure.name}.md" for f in INDEXES for figure in load_index(f)}
    there = set(RESULTS.rglob("*.md"))
    assert {p for p in there if p.name != "NOTES.md"} == made
    for notes in (p for p in there if p.name == "NOTES.md"):
        digits = [n for n in re.findall(r"\d+\.\d+", notes.read_text()) if len(n.strip("0.").replace(".", "")) > 2]
        assert not digits, f"{notes}: {digits} will be stale one day; say it by a table"


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f.name.startswith("h200")], ids=lambda f: f.name)
def test_tables_of_schedules_hold_the_last_strong_number_of_each_case(folder):
    """Computed again without analysis/opsched/records.py: the text of every cell and speed-up."""
    strength = ["simulated", "recorded", "measured"]
    stands: dict[tuple, dict] = {}
    for line in map(json.loads, (folder / "records.jsonl").read_text().splitlines()[1:]):
        r = line.get("record", {})
        if "value" not in r or {"labels", "quantity", "software", "options"} & r.keys():
            continue
        key = r["network"], r["scheduler"], r.get("batch", 1), r.get("image", 0), r.get("gpus", 1), r["precision"]
        old = stands.get(key)
        if old is None or strength.index(r["provenance"]) >= strength.index(old["provenance"]):
            stands[key] = r
    page = folder / "schedules.md"  # of a folder with much to say
    text = page.read_text().replace("\n## ", "\n### ") if page.exists() else (folder / "README.md").read_text().partition("\n## Schedules\n")[2]
    count = 0
    for part in text.split("\n### Batch ")[1:]:
        head, *lines = part.split("\n## ")[0].splitlines()
        batch, image, gpus = int(head.split(",")[0]), re.search(r"image (\d+)", head), int(re.search(r"(\d+) GPU", head)[1])
        columns, _, *rows = (line for line in lines if line.startswith("|"))
        precisions = re.findall(r"(\w+), ms", columns)
        for line in rows:
            network, scheduler, *cells = [c.strip() for c in line.strip("|").split("|")]
            for precision, cell in zip(precisions, cells, strict=True):
                rest = int(image[1]) if image else 0
                r = stands.get((network, scheduler, batch, rest, gpus, precision))
                base = stands.get((network, "sequential", batch, rest, 1, precision))
                if r is None:
                    assert cell == "-"
                    continue
                sign = {"simulated": "~"}.get(r["provenance"], "")
                assert cell.startswith(f"{sign}{r['value']:.3f}")
                assert ("°" in cell) == (r["provenance"] == "recorded")
                assert base is None or f"({base['value'] / r['value']:.2f}x)" in cell
                count += 1
    assert count == len(stands)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_records_name_graph_files_by_their_place_in_the_project(folder):
    for line in map(json.loads, (folder / "records.jsonl").read_text().splitlines()[1:]):
        assert not Path(line.get("record", {}).get("file", "")).is_absolute()


def test_a_long_page_becomes_an_index_and_loses_nothing():
    def section(title, count, parts=1, table=False):
        intro = f"What {title} says. More.\n" + ("\n| a |\n| --- |\n" if table else "")
        return f"\n## {title}\n\n{intro}" + "".join(f"\n### Part {i} of {title}\n\n" + f"{title}-word " * count + "\n" for i in range(parts))

    short = subjects.by_subject("x", "# x\n", "", section("A", 10), "\n## End\n")
    assert short == {"README.md": "# x\n" + section("A", 10) + "\n## End\n"}
    sections = section("Few words", 10) + section("B, and more", 900, parts=3) + section("C", 900, parts=3, table=True)
    made = subjects.by_subject("x", "# x\n", "\nlegend\n", sections, "\n## End\n")
    assert list(made) == ["README.md", "b_and_more.md", "c.md"]
    index = made["README.md"]
    assert "[B, and more](b_and_more.md) | What B, and more says |" in index and "(c.md)" in index
    assert "Few words-word" in index and "| a |" in index and index.endswith("## End\n")
    for title in ("Few", "B", "C"):
        assert "".join(made.values()).count(f"{title}") >= sections.count(title)
    for name in list(made)[1:]:
        assert "legend" in made[name] and "(README.md)" in made[name] and made[name].count("\n## Part ") == 3


def test_the_index_names_pages_by_their_first_sentence():
    assert subjects.first_sentence("Times of `a` (`b`, [c](d.md)),\nin ms. More.\n\nEven more.") == "Times of `a`, in ms"


def test_a_number_changed_by_hand_is_found(copy):
    shown = f"{ours('sequential').value:.3f}"  # which every one of these pages shows
    for page, check in ((copy / "h200/schedules.md", ("tables.py", copy / "h200")), (copy / "README.md", ("tables.py", copy)),
                        (copy / "h200/figures/schedules.md", ("figures.py", copy / "h200/figures"))):
        text = page.read_text()
        assert shown in text
        page.write_text(text.replace(shown, "0.123", 1))
        done = tool(check[0], "--check", check[1])
        assert done.returncode == 1 and page.name in done.stdout


def test_a_newer_record_makes_every_page_that_shows_it_stale(copy):
    old = ours("ios-both")
    plant(copy / "h200", replace(old, value=0.512345, spread=Spread()), replace(run_of(old), driver="another"))
    done = tool("figures.py", "--check", copy / "h200/figures")
    shows = {f.name for f in load_index(copy / "h200/figures") if any(r.key() == old.key() for r in f.rows)}
    assert {"schedules", "latencies", "frameworks", "batches", "specialisation"} <= shows
    for name in shows - {"scheduling_time", "split_sizes"}:  # shows no latency; shows that of another folder
        assert f"{name}.md" in done.stdout, name
    assert tool("tables.py", "--check", copy / "h200").returncode == 1
    tool("figures.py", "--no-pictures", copy / "h200/figures")
    page = (copy / "h200/figures/schedules.md").read_text()
    assert "0.512" in row_of(page, "Inception V3") and f"{old.value:.3f}" not in row_of(page, "Inception V3")


def test_an_older_or_weaker_record_changes_no_row(copy):
    """Guards against a fault that once showed the latency of an earlier record."""
    before = tables.pages(copy / "h200")["schedules.md"]
    file = copy / "h200/records.jsonl"
    first, *lines = file.read_text().splitlines(keepends=True)
    stale = json.dumps({"record": record_to_json(replace(ours("ios-both"), value=0.123))}) + "\n"
    file.write_text("".join([first, stale, *lines]))
    assert row_of(tables.pages(copy / "h200")["schedules.md"], "inception_v3", "ios-both") == row_of(before, "inception_v3", "ios-both")
    with RecordFile(copy / "h200", run_of(ours("ios-both"))) as writer:
        assert not writer.add(replace(ours("ios-both"), value=0.5, provenance=Provenance.simulated))


def test_a_row_of_other_kernels_is_marked(copy):
    plant(copy / "h200", replace(ours("dataflow"), value=0.7), Run(device="NVIDIA H200", kernels="7"))
    page = tables.pages(copy / "h200")["schedules.md"]
    assert row_of(page, "inception_v3", "dataflow")[2].startswith("0.700†")
    assert "†" not in row_of(page, "inception_v3", "ios-both")[2]
    assert "`†`" in page
    figure = next(f for f in load_index(copy / "h200/figures") if f.name == "schedules")
    text, _ = figures.page_of(figure)
    assert "0.700†" in row_of(text, "Inception V3") and "`†`" in text


def test_a_simulated_and_a_recorded_row_among_measured_ones_are_marked(copy):
    plant(copy / "h200", replace(ours("dataflow"), value=0.7, provenance=Provenance.simulated, replaces=True, clocks=Clocks()))
    plant(copy / "h200", replace(ours("wavefront"), value=0.8, provenance=Provenance.recorded, replaces=True))
    page = tables.pages(copy / "h200")["schedules.md"]
    assert row_of(page, "inception_v3", "dataflow")[2].startswith("~0.700")
    assert row_of(page, "inception_v3", "wavefront")[2].startswith("0.800°")
    text, _ = figures.page_of(next(f for f in load_index(copy / "h200/figures") if f.name == "schedules"))
    assert any(c.startswith("~0.700") for c in row_of(text, "Inception V3")) and "`~`" in text and "`°`" in text


def test_the_accuracy_of_the_simulator_is_that_of_the_last_fit(copy):
    folder = copy / "h200-x2"
    errors = Records.read(folder).select(quantity="simulator_error", precision="fp32")
    with RecordFile(folder, Run(device="NVIDIA H200", command="opsched fit --early")) as file:
        file.add(replace(next(r for r in errors if r.labels["group"] == "held_out"), scheduler="early", run="",
                         labels={"group": "held_out", "schedule": "early"}, time="2026-01-01T00:00:00Z", value=0.9))
        file.finish()
    assert "early" not in tables.pages(folder)["accuracy_of_the_simulator.md"]
    with RecordFile(folder, Run(device="NVIDIA H200", command="opsched fit --again")) as file:
        for r in errors:
            if r.labels["group"] != "held_out" or r.scheduler == "dataflow":
                file.add(replace(r, value=0.5, run="", time=""))
        file.finish()
    page = tables.pages(folder)["accuracy_of_the_simulator.md"]
    worst = [line for line in page[page.index("The largest errors"):].splitlines() if line.endswith("% |")]
    assert len(worst) == 10 and all("/dataflow/" in line and line.endswith("| +50.0% |") for line in worst)
    assert row_of(page, "nasnet", "fp32")[3] == "**50.0%**" and row_of(page, "nasnet", "tf32")[3] != "**50.0%**"
    assert "opsched fit --again" in page and "early" not in page.replace("fit --early", "")


def test_sentences_of_image_sizes_are_those_of_its_table():
    page = (RESULTS / "h200/figures/image_sizes.md").read_text()
    latency: dict[tuple, float] = {}
    for line in page.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and cells[2].isdigit():
            latency[tuple(cells[:4])] = float(cells[4].strip("~°†!"))
    said = re.findall(r"([A-Z]\S+(?: V3)?) at (\d+) on (\d) GPUs \(([\d.]+)% (below|above) (\S+) on one\)", page)
    assert len(said) > 10
    for network, image, gpus, percent, side, name in said:
        one = latency[network, image, gpus, f"{name}, 1 GPU"]
        best = min(v for (n, i, g, algorithm), v in latency.items() if (n, i, g) == (network, image, gpus)
                   and algorithm.endswith(f", {gpus} GPUs") and not algorithm.startswith(("HEFT", "reinsert")))
        assert 100 * (1 - best / one) * (1 if side == "below" else -1) == pytest.approx(float(percent), abs=0.15)


def test_the_papers_randwire_and_greedy_stand_beside_what_they_are():
    paper = load_paper()
    for source in ("ios", "ios_code"):
        assert "randwire" not in paper[source]["latency_ms"] and "randwire-paper" in paper[source]["latency_ms"]
        assert all("greedy" not in values for values in paper[source]["latency_ms"].values())
    page = (RESULTS / "h200/figures/schedules.md").read_text()
    head, values = row_of(page, "network, ms"), row_of(page, "the paper's")
    assert values[head.index("greedy")] == "-"
    assert "RandWire: ours" in (RESULTS / "h200/figures/latencies.md").read_text()
    assert set(row_of(page, "RandWire of the paper")[1:]) == {"-"} or ours("sequential").network


def test_tuned_schedules_stand_beside_what_they_were(tmp_path):
    before = Record(network="net", scheduler="dataflow", value=2.0, unit="ms",
                    labels={"study": "tune", "tried": "spread+late", "kernels": "before"},
                    numbers={"comparisons": 30, "changed": 4, "noise_ms": 0.004})
    after = replace(before, value=1.9, labels=before.labels | {"kernels": "after"})
    unchanged = replace(before, network="other", numbers={"comparisons": 12, "changed": 0})
    with RecordFile(tmp_path, Run(device="NVIDIA H200", kernels="13", command="opsched tune")) as file:
        for record in (before, after, unchanged):
            assert file.add(record)
        file.finish()
    page = tables.pages(tmp_path)["README.md"]
    assert row_of(page, "net")[1:10] == ["dataflow", "1", "fp32", "spread, late", "2.0000", "1.9000", "5.0% +-0.2", "30", "4"]
    assert row_of(page, "other")[5:10] == ["2.0000", "-", "-", "12", "0"]
    # A later run that changes nothing is not paired with the earlier result.
    with RecordFile(tmp_path, Run(device="NVIDIA H200", kernels="13", command="opsched tune again")) as file:
        assert file.add(replace(before, value=1.95, numbers={"comparisons": 9, "changed": 0}))
        file.finish()
    assert row_of(tables.pages(tmp_path)["README.md"], "net")[5:10] == ["1.9500", "-", "-", "9", "0"]


def test_protocols_and_processes_have_a_row_for_each_case(tmp_path):
    case = {"network": "nasnet", "scheduler": "dataflow", "precision": "fp16"}

    def protocol(value: float, image: int = 0, software: str = "opsched", unit: str = "ms", spread: Spread = Spread(),
                 **labels: str) -> Record:
        return Record(**case, image=image, software=software, quantity="protocol", labels=labels, value=value, unit=unit,
                      spread=spread)

    beside = [protocol(value, protocol="lone", beside="pytorch", when=when) for when, value in (("before", 2), ("after", 3))]
    for record in [protocol(1.5, protocol="replays", spread=Spread(p99=1.75, max=9)), protocol(2, protocol="lone"),
                   protocol(1, protocol="in-flight", in_flight="4"), protocol(450, unit="mJ", protocol="energy"),
                   protocol(7, image=512, protocol="lone"), protocol(4, software="pytorch", protocol="lone"), *beside,
                   protocol(1.25, protocol="burst"),
                   Record(**case, quantity="process_latency", value=1.2, unit="ms", spread=Spread(min=1, max=1.5, runs=7))]:
        plant(tmp_path, record, Run(device="a"))
    page = tables.pages(tmp_path)["README.md"]
    assert row_of(page, "network", "precision", "batch", "image", "GPUs", "measured")[6:] == [
        "replays, ms: p50, p99, maximum", "lone, ms", "in-flight 4, ms", "energy, mJ", "burst, ms"]
    first = ("nasnet", "fp16", "1", "own", "1")
    assert row_of(page, *first, "dataflow")[6:] == ["1.5, 1.75, 9", "2", "1", "450", "1.25"]
    assert row_of(page, "nasnet", "fp16", "1", "512", "1", "dataflow")[6:] == ["-", "7", "-", "-", "-"]
    assert row_of(page, *first, "dataflow, next to pytorch")[6:] == ["-", "2.5", "-", "-", "-"]
    assert row_of(page, *first, "PyTorch CUDA graph, dataflow (Opara)")[6:] == ["-", "4", "-", "-", "-"]
    assert row_of(page, *first, "dataflow", "7")[7:] == ["1.2000", "1.0000", "1.5000", "50.00%"]


@pytest.mark.parametrize("share", [0.3, 0.8, 1])
def test_pages_are_made_whatever_is_missing(copy, share):
    rng = random.Random(1)
    for file in copy.rglob("records.jsonl"):
        lines = []
        for line in map(json.loads, file.read_text().splitlines()):
            if "record" in line and rng.random() < share:
                for key in {"value", "numbers", "series", "spread", "texts"} & line["record"].keys():
                    del line["record"][key]
                line["record"]["missing"] = "a hole"
            lines.append(json.dumps(line) + "\n")
        file.write_text("".join(lines))
    commands = [("figures.py", "--no-pictures", copy / "h200/figures"), ("figures.py", "--check", copy / "h200/figures"),
                ("tables.py", copy, *copy.glob("*/"))]
    if share < 1 and importlib.util.find_spec("matplotlib") is not None:  # only a few: drawing is slow
        commands.append(("figures.py", copy / "h200/figures", *rng.sample([f.name for f in load_index(INDEXES[0])], 5)))
    for words in commands:
        done = tool(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert not any("nan" in page.read_text().split() for page in copy.rglob("*.md"))


def baseline(mode: str, value: float) -> Record:
    return Record(network="net", software="pytorch", scheduler=mode, value=value, unit="ms")


def test_a_mode_of_other_software_shows_the_fastest_of_its_options(tmp_path):
    assert baseline_name("pytorch", "compile+mm+freeze-nhwc") == "torch.compile+mm+freeze, channels-last"
    with RecordFile(tmp_path, Run(device="NVIDIA H200", command="baselines")) as file:
        for record in (baseline("sequential", 3.0), baseline("sequential+limit0-nhwc", 2.5), baseline("compile", 2.0),
                       baseline("compile+mm+freeze", 1.5), Record(network="net", scheduler="sequential", value=1.0, unit="ms")):
            assert file.add(record)
        file.finish()
    page = tables.pages(tmp_path)["README.md"]
    assert row_of(page, "network", "precision")[3:5] == ["torch.compile", "PyTorch CUDA graph, sequential / ours"]
    cells = row_of(page, "net", "fp32", "1")
    assert cells[3] == "1.500" and cells[4].startswith("2.500 / 1.000") and cells[-1] == "1.50x (torch.compile+mm+freeze)"
    assert "JAX" not in row_of(page, "network", "precision")


def test_a_replayed_ablation_has_no_search_time(copy):
    """A replay says how good a schedule is, not how long its search takes."""
    numbers = {"predicted_ms": 2.0, "stages": 3, "transitions": 4, "distinct_stages": 5, "measured_stages": 0}
    record = Record(network="nasnet", scheduler="ios-both", value=2.0, unit="ms", provenance=Provenance.simulated, numbers=numbers,
                    labels={"study": "pruning", "variant": "r=3 s=8"})
    file = copy / "h200/records.jsonl"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if '"study"' not in line))
    plant(copy / "h200", record, Run(device="NVIDIA H200", kernels="16"))
    text = "".join(tables.pages(copy / "h200").values())
    assert row_of(text, "pruning", "r=3 s=8")[-1] == "-"
    page, _ = figures.page_of(next(f for f in load_index(copy / "h200/figures") if f.name == "latencies"))
    head = row_of(page, "network, ms")
    assert row_of(page, "NasNet-A: ours")[head.index("search of IOS-Both from an empty profile, s")] == "-"


def test_the_front_page_repeats_what_a_replay_of_recorded_latencies_prints():
    """Latencies and speed-ups are filled in; other text stays."""
    records = Records.read(RESULTS / "h200")
    one, other = (ours(s).value for s in ("sequential", "wavefront"))
    text = "```\ninception_v3/wavefront/batch:1/fp32/gpus:1    0.1000 ms  9.00x\n...\n```\n"
    assert readme.replayed(text, records) == text.replace("0.1000 ms  9.00x", f"{other:.4f} ms  {one / other:.2f}x")
    base = records.find("inception_v3/sequential/batch:1/fp16/gpus:1")
    text = "scheduler    ms  speed-up\nsequential       0.1000  9.00x     0.9000    0.0 s\nmine  0.1000  9.00x  0.9000  0.0 s\n"
    assert readme.replayed(text, records) == text.replace(
        "0.1000  9.00x     0.9000    0.0 s", f"{base.value:.4f}  1.00x     {base.numbers['bound_ms']:.4f}    "
        f"{base.numbers['search_seconds']:.1f} s")
