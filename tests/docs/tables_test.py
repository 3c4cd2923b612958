"""Tables and sentences that are written by hand: the numbers are those of the records."""

import json
import math
import re
import statistics
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "analysis")]

from opsched.baselines import Case, Comparison, by_mode, comparisons  # noqa: E402
from opsched.page import NETWORKS, USUAL_PRECISIONS, fastest  # noqa: E402
from opsched.plots.hios import size  # noqa: E402
from opsched.records import Record, Records  # noqa: E402

TWO_GPUS = Records.read(PROJECT / "results/h200-x2").select(quantity="latency", software="opsched", labels={})
WHOLE = ("hios-lp", "hios-mr", "hios-lp-inter", "hios-mr-inter", "heft", "reinsert")


def cell(record: Record) -> str:
    alone = record.gpus > 1 and not record.numbers["transfer_bytes"]
    return f"{record.value:.3f}" + (" (one GPU used)" if alone else "")


def of_case(network: str, precision: str, image: int, batch: int = 1) -> tuple[list[Record], dict[str, Record]]:
    """Records on one GPU, and those on two by scheduler."""
    found = [r for r in TWO_GPUS if (NETWORKS[r.network], r.precision, size(r), r.batch) == (network, precision, image, batch)]
    return [r for r in found if r.gpus == 1], {r.scheduler: r for r in found if r.gpus == 2}


def rows_of_split(pattern: str) -> list[str]:
    page = (PROJECT / "docs/split.md").read_text()
    lines = page.split("\nTwo H200s, image size 2048, batch 1 (")[1].split("\n## ")[0].splitlines()
    return [line for line in lines if re.match(pattern, line)]


@pytest.mark.parametrize(("pattern", "count"), [(r"\| [\w -]+, (fp32|tf32|fp16) \|", 9), (r"\| [\w -]+, \d+, (fp32|tf32|fp16) \|", 32)],
                         ids=["largest images", "image sizes"])
def test_the_tables_of_images_are_those_of_the_records(pattern, count):
    rows = rows_of_split(pattern)
    assert len(rows) == count
    for row in rows:
        label = row.split(" | ")[0].removeprefix("| ")
        network, *image, precision = label.split(", ")
        one, two = of_case(network, precision, int(image[0]) if image else 2048)
        whole = fastest([two[s] for s in WHOLE if s in two])
        gain = fastest(one).value / (fastest(two.values()) if image else two["split"]).value
        assert row == (f"| {label} | {fastest(one).value:.3f} | {cell(two['hios-lp'])} | {cell(whole)} | {cell(two['split'])} | {gain:.2f}x |")


def test_the_table_of_batches_is_that_of_the_records():
    rows = rows_of_split(r"\| \d+ \|")
    assert len(rows) == 4
    for row in rows:
        batch = int(row.split(" | ")[0].removeprefix("| "))
        one, two = of_case("Inception V3", "tf32", 299, batch)
        both = [two["split"], two["data-parallel"]]
        assert row == (f"| {batch} | {fastest(one).value:.3f} | {cell(both[0])} | {cell(both[1])} | "
                       f"{fastest(one).value / fastest(both).value:.2f}x | {batch / fastest(one).value:.1f}, {batch / fastest(both).value:.1f} |")


@pytest.mark.parametrize(("images", "precisions"), [((0, 512, 1024), ("fp32",)), ((768, 1280), ("fp32", "tf32"))])
def test_predictions_before_the_measurement_are_those_of_the_records(images, precisions):
    errors = [abs(r.numbers["predicted_ms"] / r.value - 1) * 100 for r in TWO_GPUS
              if r.precision in precisions and r.image in images and r.gpus == 2]
    assert (f"{len(errors)} schedules on two GPUs: {statistics.median(errors):.1f}% in the median, "
            f"{max(errors):.0f}% at worst") in (PROJECT / "docs/simulator.md").read_text()


ONE_GPU = {c.case: c for c in comparisons(Records.read(PROJECT / "results/h200"))}
USUAL = [c for case, c in ONE_GPU.items() if case.precision in USUAL_PRECISIONS]
TF32X3 = [c for case, c in ONE_GPU.items() if case.precision == "tf32x3"]


def against_pytorch(network: str, batch: int, precision: str = "fp32") -> Comparison:
    return ONE_GPU[Case(network, precision, batch, 0)]


def test_the_readme_says_where_pytorch_comes_closest():
    least, most = min(c.ratio for c in USUAL), max(c.ratio for c in USUAL)
    assert sorted(str(c.case) for c in USUAL if c.ratio < least + 0.01) == ["nasnet fp32 batch 128", "randwire fp32 batch 128"]
    text = (f"The four built-in networks are {least:.2f} to {most:.2f} times as fast as PyTorch in all {len(USUAL)} measured cases; "
            "PyTorch comes closest to [NasNet and RandWire in fp32 at batch 128](results/h200/comparison_with_other_software.md).")
    assert text in (PROJECT / "README.md").read_text()


def test_the_gains_in_tf32x3_are_those_of_the_records():
    least, most = min(c.ratio for c in TF32X3), max(c.ratio for c in TF32X3)
    assert (f"ours is {least:.2f} to {most:.2f} times as fast as PyTorch in fp32 in all {len(TF32X3)} measured cases"
            in (PROJECT / "README.md").read_text())
    large = [c.ratio for c in TF32X3 if c.case.batch > 1]
    assert (f"these cases are {min(large):.2f} to {max(large):.2f} times as fast as PyTorch in fp32"
            in (PROJECT / "docs/performance/schedules.md").read_text())


def test_the_table_of_tf32x3_is_that_of_the_records():
    page = (PROJECT / "docs/performance/tf32x3.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\| [\w -]+, \d+ \|", line)]
    assert len(rows) == len(TF32X3) == 12
    sequential = {("squeezenet", 16), ("squeezenet", 128)}
    assert "in fp32 it is `dataflow-search` at batch 1, and sequential for SqueezeNet at batch 16 and 128" in page
    for c in TF32X3:
        fp32 = against_pytorch(c.case.network, c.case.batch)
        assert (f"| {NETWORKS[c.case.network]}, {c.case.batch} | {c.fastest.value:.3f} | {fp32.best.ms:.3f} | {c.best.ms:.3f} "
                f"| {fp32.ratio:.2f}x | {c.ratio:.2f}x |") in rows
        assert c.best.scheduler == "dataflow"
        usual = "dataflow-search" if c.case.batch == 1 else "dataflow"
        assert fp32.best.scheduler == ("sequential" if (c.case.network, c.case.batch) in sequential else usual)


PUBLIC_NAMES = {"densenet121": "DenseNet-121", "dpn68": "DPN-68", "efficientnet_b0": "EfficientNet-B0", "ghostnet_100": "GhostNet",
                "mobilenet_v3_large": "MobileNetV3", "resnest14d": "ResNeSt-14d"}


def test_the_table_of_public_networks_in_tf32x3_is_that_of_the_records():
    found = {(c.case.network, c.case.precision): c for c in comparisons(Records.read(PROJECT / "results/public-networks"))}
    page = (PROJECT / "docs/performance/tf32x3.md").read_text().split("\nPublic networks, batch 1 (")[1].split("\n## ")[0]
    rows = [f"| {name} | {found[n, 'tf32x3'].fastest.value:.3f} | {found[n, 'fp32'].best.ms:.3f} | {found[n, 'tf32x3'].best.ms:.3f} "
            f"| {found[n, 'fp32'].ratio:.2f}x | {found[n, 'tf32x3'].ratio:.2f}x |" for n, name in PUBLIC_NAMES.items()]
    assert {n for n, precision in found if precision == "tf32x3"} == PUBLIC_NAMES.keys()
    assert page.splitlines()[-len(rows):] == rows


def test_the_closest_baselines_in_fp32_are_those_of_the_records():
    ratio = {(n, b): f"{against_pytorch(n, b).ratio:.2f}" for n in ("randwire", "nasnet", "squeezenet", "inception_v3") for b in (16, 128)}
    text = (f"RandWire is {ratio['randwire', 128]} times as fast at batch 128 and {ratio['randwire', 16]} times at batch 16, "
            f"NasNet {ratio['nasnet', 128]} and {ratio['nasnet', 16]} times, and SqueezeNet {ratio['squeezenet', 128]} and {ratio['squeezenet', 16]} times. "
            f"Inception V3 is {ratio['inception_v3', 128]} and {ratio['inception_v3', 16]} times as fast")
    assert text in (PROJECT / "docs/performance/schedules.md").read_text()


def test_the_spread_between_processes_is_that_of_the_records():
    found = Records.read(PROJECT / "results/h200").select(quantity="process_latency", precision="fp16")
    spread = max((r.spread.max - r.spread.min) / r.value for r in found)
    assert len(found) == 8
    assert f"five processes differ by at most {100 * spread:.2f}%" in (PROJECT / "docs/measuring.md").read_text()


def test_how_much_slower_jax_is_comes_from_the_records():
    ratios = [modes["jax", "xla"].value / c.fastest.value for c in USUAL if ("jax", "xla") in (modes := by_mode(c))]
    assert {(c.case.network, c.case.batch) for c in USUAL if ("jax", "xla") in by_mode(c)} == {("squeezenet", 1), ("inception_v3", 1)}
    assert f"it takes {min(ratios):.1f} to {max(ratios):.1f} times as long as PyTorch's fastest mode" in (PROJECT / "docs/baselines.md").read_text()


@pytest.mark.parametrize(("precision", "file", "text"), [
    ("fp32", "schedules.md", "the seven longest of NasNet at batch 128 reach {:.0f} to {:.0f}"),
    ("tf32x3", "tf32x3.md", "the seven longest products of NasNet at batch 128 reach {:.0f} to {:.0f} TFLOPS")])
def test_the_speed_of_products_is_that_of_the_profile(precision, file, text):
    profile = json.loads((PROJECT / f"results/h200/profile-{precision}.json").read_text())
    found = []
    for key, ms, *_ in profile["stages"]:
        batch, *operators = key.split(" ")
        if batch == "b128" and len(operators) == 1:
            operator = profile["operators"][int(re.match(r"\d+", operators[0])[0])]
            if shape := re.fullmatch(r"(\d+)x(\d+)x(\d+)(?::r)?:c(\d+)r?", operator):  # a pointwise convolution
                found.append((ms, 2 * 128 * math.prod(map(int, shape.groups())) / ms / 1e9))
    speeds = [tflops for _, tflops in sorted(found)[-7:]]
    assert text.format(min(speeds), max(speeds)) in (PROJECT / "docs/performance" / file).read_text()


def test_the_table_of_larger_tiles_is_that_of_the_records():
    found = {}
    for when in ("before", "after"):
        for r in Records.read(PROJECT / f"results/fp32-tiles-{when}").select(quantity="latency"):
            found.setdefault((r.network, r.batch), {})[when, r.scheduler] = f"{r.value:#.4g}"
    page = (PROJECT / "docs/performance/convolutions.md").read_text().split("## No gain: larger tiles in fp32")[1].split("\n## ")[0]
    large = {case: cells for case, cells in found.items() if case[1] > 1}
    assert len(large) == len(re.findall(r"^\| .*, batch \d+ \|", page, re.M)) == 8
    for (network, batch), cells in large.items():
        row = [", ".join(cells[when, s] for s in ("sequential", "dataflow")) for when in ("before", "after")]
        assert f"| {NETWORKS[network].removesuffix('-A')}, batch {batch} | {' | '.join(row)} |" in page


def test_the_table_of_planes_is_that_of_the_records():
    sides = [Records.read(PROJECT / f"results/planes-{side}") for side in ("before", "after")]
    page = (PROJECT / "docs/performance/depthwise_and_pools.md").read_text()

    def cell(network: str, batch: int, scheduler: str) -> str:
        found = [side.select(network=network, batch=batch, scheduler=scheduler) for side in sides]
        assert [len(f) for f in found] == [1, 1]
        for [r] in found:
            assert r.clocks.throttled == (batch == 128 and (network == "randwire" or scheduler == "dataflow"))
        return ", ".join(f"{r.value:.3f}" for [r] in found)

    for network, name in (("randwire", "RandWire"), ("nasnet", "NasNet")):
        for batch in (1, 16, 128):
            assert f"| {name}, batch {batch} | {cell(network, batch, 'sequential')} | {cell(network, batch, 'dataflow')} |" in page


@pytest.mark.parametrize(("what", "sides"), [("winograd", ("before", "only", "after")), ("pointwise", ("before", "after"))])
def test_a_table_of_fp32_kernels_is_that_of_the_records(what, sides):
    sides = [Records.read(PROJECT / f"results/{what}-{side}") for side in sides]
    page = (PROJECT / "docs/performance/convolutions.md").read_text()

    def cell(side: Records, network: str, batch: int) -> str:
        found = [side.select(network=network, batch=batch, scheduler=scheduler) for scheduler in ("sequential", "dataflow")]
        if found == [[], []]:
            return "the same kernels" if network == "inception_v3" else ""
        assert [len(f) for f in found] == [1, 1]
        return ", ".join(f"{r.value:#.4g}" if r.value >= 10 else f"{r.value:.3f}" for [r] in found)

    for network, name in (("inception_v3", "Inception V3"), ("squeezenet", "SqueezeNet"), ("nasnet", "NasNet"), ("randwire", "RandWire")):
        for batch in (1, 16, 128):
            row = f"| {name}, batch {batch} | " + " | ".join(cell(side, network, batch) for side in sides) + " |"
            assert row.replace("|  |", "| |") in page, row


def test_the_table_of_large_kernels_and_power_is_that_of_the_records():
    before, after = (Records.read(PROJECT / f"results/sustained-{side}") for side in ("before", "after"))
    page = (PROJECT / "docs/performance/launches.md").read_text().split("\n### Large kernels and power\n")[1].split("\n## ")[0]
    found = [sorted((r.network, r.precision, r.scheduler) for r in side.select()) for side in (before, after)]
    assert found[0] == found[1] and len(found[0]) == 14
    names = {name.removesuffix("-A"): network for network, name in NETWORKS.items()}
    rows = re.findall(r"^\| ([\w ]+) (fp32|fp16) \| ([\d., ]+) \| ([\d., ]+) \|$", page, re.M)
    assert len(rows) == 7
    for name, precision, *cells in rows:
        for scheduler, cell in zip(("sequential", "dataflow"), cells):
            [[one], [two]] = [side.select(network=names[name], precision=precision, scheduler=scheduler) for side in (before, after)]
            assert cell == f"{one.value:.3f}, {two.value:.3f}"


def test_the_gain_of_measured_changes_is_that_of_the_records():
    page = (PROJECT / "docs/performance/schedules.md").read_text()
    before, after = (Records.read(PROJECT / f"results/moves-{side}") for side in ("before", "after"))
    for network, name in (("inception_v3", "Inception V3"), ("nasnet", "NasNet")):
        [[one], [two]] = [side.select(network=network, scheduler="dataflow-search") for side in (before, after)]
        assert (one.options, two.options) == ({}, {"moves": "240"})
        assert f"| {name}, `dataflow-search` | {one.value:.4f} | {two.value:.4f} |" in page
    found = against_pytorch("inception_v3", 1, "tf32")
    assert found.best.scheduler == "dataflow-search"
    assert (f"Inception V3 in tf32 is {found.ratio:.2f} times as fast, "
            f"and {found.fastest.value / found.ours['dataflow'].ms:.2f} times with `dataflow`") in page


def test_the_table_of_searches_is_that_of_the_records():
    ablations = Records.read(PROJECT / "results/h200")
    page = (PROJECT / "docs/ios_search.md").read_text()

    def row(name: str, network: str, *variants: dict[str, str]) -> str:
        found = [r for labels in variants for r in ablations.select(network=network, scheduler="ios-both", labels=labels)]
        assert len(found) == len(variants)
        cells = [[f"{r.numbers['measured_stages']:,.0f}" for r in found], [f"{r.numbers['search_seconds']:.1f}" for r in found],
                 [f"{r.value:.4f}" for r in found]]
        return f"| {name} | " + " | ".join(" / ".join(cell if len(cell) > 1 else [*cell, "-"]) for cell in cells) + " |"

    measuring = [{"study": "measuring", "variant": variant} for variant in ("as needed", "exhaustive")]
    assert row("SqueezeNet", "squeezenet", *measuring) in page
    assert row("Inception V3", "inception_v3", *measuring) in page
    assert row("NasNet, a cell (part 4)", "nasnet", *[{"part": "4", **labels} for labels in measuring]) in page
    assert row("NasNet", "nasnet", {"study": "pruning", "variant": "r=3 s=8"}) in page
    assert row("RandWire", "randwire", {"study": "strategies", "variant": "both"}) in page


def test_the_effects_of_choices_in_the_graph_are_those_of_the_records():
    launches = [r for r in Records.read(PROJECT / "results/h200").standing() if r.labels.get("study") == "launch"]
    page = (PROJECT / "docs/performance/schedules.md").read_text()
    of = {(r.network, r.labels["choice"], r.labels["variant"]): r for r in launches}
    base = {network: of[network, "base", "dataflow, 16 streams"] for network in ("nasnet", "inception_v3", "squeezenet")}

    def gain(network: str, choice: str, variant: str) -> float:
        """In percent of the latency."""
        return round(100 * (1 - of[network, choice, variant].value / base[network].value), 1)

    critical, slack = ([gain(network, "priority", kind) for network in base] for kind in ("critical", "slack"))
    assert (f"makes NasNet {critical[0]}% faster, Inception V3 {critical[1]}% and SqueezeNet {critical[2]}%. "
            f"By slack it is {slack[0]}, {slack[1]} and {slack[2]}%.") in page
    assert f"With kernels 22, priorities along the critical path gain at most {max(critical)}%" in page
    unlimited = [gain(network, "streams", "unlimited") for network in base]
    assert f"make NasNet {unlimited[0]}% and Inception V3 {unlimited[1]}% faster, and change SqueezeNet by {abs(unlimited[2])}%" in page
    one, two = ([-gain(network, "streams", str(n)) for network in base] for n in (1, 2))
    assert f"One stream loses {min(one):.0f} to {max(one):.0f}%; two streams lose more than half (SqueezeNet: {-two[2]}% faster)" in page
    assert min(two[:2]) > 50
    orders = [gain(network, "launch order", order) for network in base for order in ("least-slack", "longest", "topological")]
    assert f"Launch order gains up to {max(orders)}% or loses up to {-min(orders)}%." in page
    every = of["nasnet", "waits", "all, without reduction"].numbers["waits"]
    saved = [-gain(network, "waits", "all, without reduction") for network in base]
    assert (f"(on NasNet from {every:.0f} to {base['nasnet'].numbers['waits']:.0f}) saves {saved[0]}% there, "
            f"costs {-saved[2]}% on SqueezeNet and {-saved[1]}% on Inception V3") in page
    others = [("allocation", "nimble"), ("allocation", "chains"), ("order", "resource"), ("order", "topological")]
    elsewhere = max(gain(network, *choice) for network in ("inception_v3", "squeezenet") for choice in others)
    assert (f"gain {gain('nasnet', 'allocation', 'chains')}% on NasNet (chains; the topological order: {gain('nasnet', 'order', 'topological')}%) "
            f"and at most {elsewhere}% elsewhere. Nimble's allocation loses {-gain('nasnet', 'allocation', 'nimble')}% on NasNet") in page

    def preparing(record: Record) -> str:
        return f"{sum(record.numbers[part] for part in ('capture_ms', 'instantiate_ms', 'upload_ms')):.1f} ms"

    small, large = base["squeezenet"], base["nasnet"]
    assert (f"costs from {preparing(small)} (SqueezeNet, {small.numbers['nodes']:.0f} nodes) to {preparing(large)} "
            f"(NasNet, {large.numbers['nodes']:.0f} nodes; {preparing(of['nasnet', 'priority', 'critical'])} with priorities)") in page


def test_how_many_convolutions_have_few_blocks_is_as_in_the_records():
    records = Records.read(PROJECT / "results/h200")

    def count(precision: str) -> tuple[int, int]:
        """Different problems in tiles under dataflow at batch 1: those with few blocks, and all."""
        found = records.select(scheduler="dataflow", precision=precision, batch=1, image=0, quantity="latency", software="opsched", labels={})
        kernels = {choice for r in found if r.network != "randwire-paper" for choice in records.kernels[r.kernels].items()}
        blocks = []
        for problem, kernel in kernels:
            if tile := re.search(r"(?:mma|simt)/r(\d+)/c(\d+)/s(\d+)", kernel):
                rows, columns, splits = map(int, tile.groups())
                batch, channels, height, width = map(int, re.match(r"conv \S+ \S+ n(\d+) \S+ -> (\d+)x(\d+)x(\d+)", problem).groups())
                blocks.append(math.ceil(batch * height * width / columns) * math.ceil(channels / rows) * splits)
        return sum(n <= 264 for n in blocks), len(blocks)

    (fp16, all_fp16), tf32, fp32 = (count(precision) for precision in ("fp16", "tf32", "fp32"))
    assert fp16 == all_fp16
    text = f"in all {fp16} problems in fp16, {tf32[0]} of {tf32[1]} in tf32 and {fp32[0]} of {fp32[1]} in fp32"
    assert text in (PROJECT / "docs/performance/launches.md").read_text(), text
