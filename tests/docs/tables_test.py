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

from opsched.baselines import Comparison, comparisons  # noqa: E402
from opsched.page import NETWORKS, fastest  # noqa: E402
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


@pytest.mark.parametrize(("pattern", "count"), [(r"\| [\w -]+, (fp32|tf32|fp16) \|", 9), (r"\| [\w -]+, \d+, (fp32|tf32|fp16) \|", 20)],
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


def test_predictions_before_the_measurement_are_those_of_the_records():
    errors = [abs(r.numbers["predicted_ms"] / r.value - 1) * 100 for r in TWO_GPUS
              if r.precision == "fp32" and r.image != 2048 and r.gpus == 2]
    assert (f"{len(errors)} schedules on two GPUs: {statistics.median(errors):.1f}% in the median, "
            f"{max(errors):.0f}% at worst") in (PROJECT / "docs/simulator.md").read_text()


ONE_GPU = {c.case: c for c in comparisons(Records.read(PROJECT / "results/h200"))}


def against_pytorch(network: str, batch: int) -> Comparison:
    return next(c for case, c in ONE_GPU.items() if case.network == network and case.precision == "fp32" and case.batch == batch)


def test_the_readme_says_where_pytorch_is_faster():
    slower = [c for c in ONE_GPU.values() if c.ratio < 1]
    assert [str(c.case) for c in slower] == ["randwire fp32 batch 128"]
    text = (f"PyTorch is faster in {len(slower)} of {len(ONE_GPU)} measured cases: [RandWire in fp32 at batch 128]"
            f"(results/h200/comparison_with_other_software.md), where ours is {slower[0].ratio:.2f} times as fast")
    assert text in (PROJECT / "README.md").read_text()


def test_the_closest_baselines_in_fp32_are_those_of_the_records():
    ratio = {(n, b): f"{against_pytorch(n, b).ratio:.2f}" for n in ("randwire", "nasnet", "squeezenet", "inception_v3") for b in (16, 128)}
    text = (f"RandWire is {ratio['randwire', 128]} times as fast at batch 128 and {ratio['randwire', 16]} times at batch 16, "
            f"NasNet {ratio['nasnet', 128]} times at batch 128, and SqueezeNet {ratio['squeezenet', 128]} and {ratio['squeezenet', 16]} times. "
            f"Inception V3 is {ratio['inception_v3', 128]} and {ratio['inception_v3', 16]} times as fast")
    assert text in (PROJECT / "docs/performance/schedules.md").read_text()
    assert {r.scheduler for r in against_pytorch("nasnet", 16).theirs} == {"dataflow-nchw", "dataflow-nhwc"}


def test_the_speed_of_products_in_fp32_is_that_of_the_profile():
    profile = json.loads((PROJECT / "results/h200/profile-fp32.json").read_text())
    found = []
    for key, ms, *_ in profile["stages"]:
        batch, *operators = key.split(" ")
        if batch == "b128" and len(operators) == 1:
            operator = profile["operators"][int(re.match(r"\d+", operators[0])[0])]
            if shape := re.fullmatch(r"(\d+)x(\d+)x(\d+)(?::r)?:c(\d+)r?", operator):  # a pointwise convolution
                found.append((ms, 2 * 128 * math.prod(map(int, shape.groups())) / ms / 1e9))
    speeds = [tflops for _, tflops in sorted(found)[-7:]]
    assert f"the seven longest of NasNet at batch 128 reach {min(speeds):.0f} to {max(speeds):.0f}" in (
        PROJECT / "docs/performance/schedules.md").read_text()
