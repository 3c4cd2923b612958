"""Every picture of the project states the conditions of its numbers, has readable numbers on its axes, and no text that
is cut off or overlaps."""

import itertools
import re
import shutil
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "analysis"))

from matplotlib.legend import Legend  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from opsched import figures, readme  # noqa: E402
from opsched.page import Marks, distinct  # noqa: E402
from opsched.plots import charts, split_sizes, style  # noqa: E402
from opsched.plots.figure import Figure, load_index  # noqa: E402
from opsched.records import Record, Records, Run  # noqa: E402

FIGURES = {f.name: f for folder in sorted(PROJECT.glob("results/*/figures")) for f in load_index(folder) if f.rows}
# Figures for which the IOS or HIOS paper has numbers.
WITH_PAPER = {"search_space", "schedules", "frameworks", "specialisation", "pruning", "batches", "intra_inter", "latencies",
              "blocks", "image_gain", "scheduling_time"}


def gains():
    records = Records.read(readme.FOLDER)
    found = readme.found_in(records)
    return readme.draw(found, distinct(records.run_of(c.fastest).device for c in found.values()))


@pytest.fixture(scope="module", params=[*FIGURES, "gains"])
def drawn(request):
    """A name and its picture, after layout."""
    picture = gains() if request.param == "gains" else figures.picture_of(FIGURES[request.param])
    picture.draw_without_rendering()
    yield request.param, picture
    charts.pyplot().close(picture)


def shown_ticks(axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    low, high = low - 1e-9 * abs(low), high + 1e-9 * abs(high)
    return [label for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()] if low <= tick.get_loc() <= high
            for label in (tick.label1, tick.label2) if label.get_visible() and label.get_text()]


def texts_of(picture) -> list[Text]:
    """All visible texts."""
    axes = [axis for ax in picture.axes for axis in (ax.xaxis, ax.yaxis)]
    of_ticks = {label for axis in axes for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
                for label in (tick.label1, tick.label2)}
    found = [t for t in picture.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in of_ticks]
    return found + [label for axis in axes for label in shown_ticks(axis)]


def box(text: Text):
    return text.get_window_extent().padded(-1)


def test_it_says_where_its_numbers_hold(drawn):
    name, picture = drawn
    said = picture._suptitle.get_text()
    if said.startswith("random DAGs, synthetic costs"):
        assert name.startswith("sim_") and re.search(r"\d+ GPUs, \d+ DAGs per point$", said)
    elif said.startswith("exact counts: any GPU, any precision, batch 1"):
        assert name == "search_space"
    else:
        assert re.search(r"^([^,]+ on )?NVIDIA H200.*\b(fp32|tf32|fp16)\b.*\bbatch(es)? \d+.*(measured|recorded|simulated)", said), said


def test_numbers_at_axes_are_plain(drawn):
    for ax in drawn[1].axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [label.get_text() for label in shown_ticks(axis)]
            assert not [text for text in labels if re.search(r"\d[eE][+-]?\d|times", text)], labels
            if "GPUs" in axis.get_label().get_text():
                assert all(text.isdigit() for text in labels), labels


def test_no_text_is_cut_off_or_lies_on_another(drawn):
    _, picture = drawn
    texts = texts_of(picture)
    for text in texts:
        b = box(text)
        assert picture.bbox.x0 <= b.x0 and b.x1 <= picture.bbox.x1 and picture.bbox.y0 <= b.y0 and b.y1 <= picture.bbox.y1, \
            text.get_text()
    level = [t for t in texts if t.get_rotation() % 90 == 0]
    for a, b in itertools.combinations(level, 2):
        assert not box(a).overlaps(box(b)), f"'{a.get_text()}' and '{b.get_text()}'"


def test_legends_lie_beside_the_data(drawn):
    for legend in drawn[1].findobj(Legend):
        area = legend.get_window_extent().padded(-1)
        assert not [ax for ax in drawn[1].axes if area.overlaps(ax.bbox)]


def test_bars_begin_at_zero_and_end_inside(drawn):
    """Text outside the picture is cut off."""
    for ax in drawn[1].axes:
        for bars in ax.containers:
            patches = [p for p in getattr(bars, "patches", []) if hasattr(p, "get_height")]
            if patches and ax.get_yscale() == "linear" and not ax.yaxis.get_inverted():
                assert ax.get_ylim()[0] <= 0 and max(p.get_y() + p.get_height() for p in patches) < ax.get_ylim()[1]


def test_what_is_measured_is_not_called_ours_and_the_papers_numbers_stand_beside(drawn):
    name, picture = drawn
    words = [t.get_text() for t in texts_of(picture)]
    assert not [w for w in words if re.search(r"\bours?\b", w)]
    assert any("paper" in w for w in words if "RandWire" not in w) == (name in WITH_PAPER), words


def test_counted_and_derived_warps_are_told_apart():
    if "active_warps" not in FIGURES:
        pytest.skip("no active warps are recorded")
    found = FIGURES["active_warps"]
    titles = [ax.get_title() for ax in figures.picture_of(found).axes]
    assert {r.texts["method"].split(",")[0].split(":")[0] for r in found.rows} == {title.split("\n")[1] for title in titles}


def test_colours_stand_in_one_file():
    for file in (PROJECT / "analysis/opsched/plots").glob("*.py"):
        assert file.name == "style.py" or not re.search(r"#[0-9a-fA-F]{6}", file.read_text()), file
    assert len(set(style.COLORS)) == len(style.MARKERS) == len(style.LINES) == len(style.HATCHES)


@pytest.mark.parametrize("value, text", [(0.001, "0.001"), (0.6, "0.6"), (2.25, "2.25"), (100, "100"), (2048, "2048"),
                                         (10000, "10,000"), (1e22, "$10^{22}$")])
def test_plain_numbers(value, text):
    assert charts.plain(value) == text


@pytest.mark.parametrize("value, text", [(1e-4, "100 µs"), (1e-3, "1 ms"), (0.05, "50 ms"), (1, "1 s"), (1000, "1000 s")])
def test_times(value, text):
    assert charts.seconds(value) == text


def test_pictures_are_files_for_screens_and_for_print(tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again):
        folder.mkdir()
        picture = figures.picture_of(FIGURES["blocks"])
        inches = picture.get_size_inches()
        charts.save(picture, folder, "blocks")
    assert sorted(f.name for f in first.iterdir()) == ["blocks.pdf", "blocks.png", "blocks.svg"]
    for file in first.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name
    png = (first / "blocks.png").read_bytes()
    assert [int.from_bytes(png[at:at + 4], "big") for at in (16, 20)] == [200 * side for side in inches]
    assert (first / "blocks.pdf").read_bytes().startswith(b"%PDF")


def draw_again(folder: Path, *options: str, monkeypatch) -> int:
    monkeypatch.setattr(sys, "argv", ["figures.py", str(folder), "blocks", *options])
    return figures.main()


def test_what_has_not_changed_is_not_drawn_again(tmp_path, monkeypatch):
    """Another matplotlib draws other bytes, so that `opsched reproduce` would change a clean clone."""
    folder = tmp_path / "h200/figures"
    shutil.copytree(PROJECT / "results/h200/figures", folder, ignore=shutil.ignore_patterns("*.pdf"))
    for file in PROJECT.glob("results/*/records.jsonl"):
        (tmp_path / file.parent.name).mkdir(exist_ok=True)
        (tmp_path / file.parent.name / file.name).symlink_to(file)
    for kind in ("png", "svg"):
        (folder / f"blocks.{kind}").write_text("drawn elsewhere")
    assert draw_again(folder, monkeypatch=monkeypatch) == 0
    assert (folder / "blocks.png").read_text() == (folder / "blocks.svg").read_text() == "drawn elsewhere"
    assert (folder / "blocks.pdf").exists()
    (folder / "blocks.csv").write_text("old numbers")
    assert draw_again(folder, "--formats", "svg", monkeypatch=monkeypatch) == 0
    assert "<svg" in (folder / "blocks.svg").read_text() and (folder / "blocks.png").read_text() == "drawn elsewhere"
    assert draw_again(folder, "--redraw", "--formats", "png", monkeypatch=monkeypatch) == 0
    assert (folder / "blocks.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        draw_again(folder, "--formats", "gif", monkeypatch=monkeypatch)


def test_a_figure_of_ones_own_stands_beside_no_paper():
    assert {f.name for f in FIGURES.values() if not f.paper} == {
        "split_sizes", *(f"sim_{s}" for s in ("mixed", "optimum", "speed", "divisible", "strips", "hosts_400", "hosts_50",
                                              "hosts_12.5"))}

    def head(figure: Figure) -> str:
        return figures.page_of(figure)[0]

    for figure in FIGURES.values():
        text = head(figure)
        assert ("## Comparison with the paper" in text) == ("The paper's numbers:" in text) == ("Reproduces:" in text) == bool(figure.paper)


def latency(run: str, scheduler: str, gpus: int, ms: float, network: str = "nasnet") -> Record:
    return Record(network=network, scheduler=scheduler, image=512, gpus=gpus, value=ms, unit="ms", run=run)


def test_split_sizes_compares_latencies_of_one_version_of_the_kernels_only():
    runs = {"old": Run(id="old", kernels="9"), "new": Run(id="new", kernels="13 3f2a0000"), "half": Run(id="half", kernels="14")}
    records = [latency("old", "dataflow", 1, 4), latency("old", "split", 2, 1), latency("old", "hios-lp", 2, 2),
               latency("new", "dataflow", 1, 5), latency("new", "sequential", 1, 6), latency("new", "split", 2, 3),
               latency("half", "split", 2, 0.5),  # nothing on one GPU to compare it with
               latency("old", "dataflow", 1, 7, "randwire"), latency("old", "split", 2, 8, "randwire")]
    for rows in (records, records[::-1]):
        figure = Figure("split_sizes", "", "", rows, [], Marks(runs), Records(), [""])
        found = split_sizes.found(figure)
        assert {at: {name: (r.value, r.run) for name, r in there.items()} for at, there in found.items()} == {
            ("nasnet", "fp32", 512): {"one": (5, "new"), "split": (3, "new")},
            ("randwire", "fp32", 512): {"one": (7, "old"), "split": (8, "old")}}
        split_sizes.compare(figure, {})
        assert "†" not in figure.marks.used
