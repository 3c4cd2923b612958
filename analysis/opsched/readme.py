"""Writes the numbers of README.md and its picture: the table from the records of the public networks, and the lines of
`opsched bench` and `opsched optimize` from those of one H200. The model of `optimize` is Inception V3 in fp16.

  python3 analysis/readme.py            writes them
  python3 analysis/readme.py --check    exits with 1 if the numbers do not match the records
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from opsched import baselines
from opsched.modules import need
from opsched.page import USUAL_PRECISIONS, distinct, fastest, grouped, join, name_of, put, table
from opsched.plots import charts
from opsched.records import Provenance, Record, Records

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "results/public-networks"
REPLAYED = ROOT / "results/h200"
SPLIT = ROOT / "results/h200-x4-split"
BEGIN, END = "<!-- made by analysis/readme.py -->\n", "<!-- end -->\n"
# Lines of `opsched bench` and `opsched optimize`.
BENCH = r"^((\w+)/(\w+)/batch:1/(\w+)/gpus:1 +)[\d.]+ ms  [\d.]+x$"
OPTIMIZE = r"^(([a-z-]+) +)\d\.\d{4}  [\d.]+x( +)\d\.\d{4}( +)[\d.]+ s$"
Found = dict[tuple[str, str], baselines.Comparison]


def found_in(records: Records) -> Found:
    return {(c.case.network, c.case.precision): c for c in baselines.comparisons(records)
            if c.case.is_small() and c.case.precision in USUAL_PRECISIONS}


def comparison_table(found: Found) -> str:
    """One row per network; in fp16 with latencies."""
    rows = []
    for network in distinct(n for n, _ in found):
        half = found[network, "fp16"]
        rows.append([network, f"{half.best.ms:.3f} ({half.best.scheduler})",
                     f"{half.fastest.value:.3f} ({name_of(half.fastest)})",
                     *(f"{found[network, p].ratio:.2f}x" for p in reversed(USUAL_PRECISIONS))])
    return table(["network", "ours, ms", "PyTorch's fastest, ms", *(f"gain, {p}" for p in reversed(USUAL_PRECISIONS))], rows)


def draw(found: Found, devices: list[str]) -> Any:
    networks = distinct(n for n, _ in found)
    picture, (ax,) = charts.axes(width=8, height=3.4)
    charts.bars(ax, networks, {p: [found[n, p].ratio for n in networks] for p in USUAL_PRECISIONS}, 0.27, rotation=30, ha="right")
    charts.line_at_one(ax)
    ax.set_ylabel("speed-up over PyTorch's fastest")
    charts.caption(picture, f"{join(devices)}, {join(USUAL_PRECISIONS)}, batch 1, measured: opsched (sequential or dataflow, "
                   "the faster)\ncompared with the fastest of torch.compile and PyTorch's CUDA graphs, in NCHW and channels-last")
    charts.legend_above(ax, len(USUAL_PRECISIONS))
    return picture


def split_gains(folder: Path) -> list[float]:
    """Speed-up of four GPUs over one at image size 2048 by network and precision, each with its fastest schedule."""
    found = Records.read(folder).select(quantity="latency", software="opsched", image=2048, labels={}, options={})
    measured = [r for r in found if r.provenance is Provenance.measured]
    return [fastest(r for r in there if r.gpus == 1).value / fastest(r for r in there if r.gpus == 4).value
            for there in grouped(measured, lambda r: (r.network, r.precision)).values()]


def replayed(text: str, records: Records) -> str:
    """Every line of these commands says what is recorded now. Lines without a record stay."""
    def pair(network: str, scheduler: str, precision: str) -> tuple[Record | None, Record | None]:
        found = [records.find(f"{network}/{s}/batch:1/{precision}/gpus:1") for s in (scheduler, "sequential")]
        return found[0], found[1]

    def bench(match: re.Match[str]) -> str:
        begin, *case = match.groups()
        one, base = pair(*case)
        return f"{begin}{one.value:.4f} ms  {base.value / one.value:.2f}x" if one and base else match[0]

    def optimize(match: re.Match[str]) -> str:
        begin, scheduler, gap, last = match.groups()
        one, base = pair("inception_v3", scheduler, "fp16")
        if not one or not base:
            return match[0]
        n = one.numbers
        return (f"{begin}{one.value:.4f}  {base.value / one.value:.2f}x{gap}{n['bound_ms']:.4f}{last}"
                f"{n['search_seconds']:.1f} s")

    return re.sub(OPTIMIZE, optimize, re.sub(BENCH, bench, text, flags=re.MULTILINE), flags=re.MULTILINE)


def readme(text: str, found: Found) -> str:
    claims = [([c.ratio for c in found.values()], "as PyTorch", FOLDER), (split_gains(SPLIT), "as on one", SPLIT)]
    for gains, what, folder in claims:
        claim = f"{min(gains):.2f} to {max(gains):.2f} times as fast {what}"
        if claim not in text:
            sys.exit(f"readme: README.md does not say '{claim}', as the records of {folder.name} do")
    head, rest = replayed(text, Records.read(REPLAYED)).split(BEGIN)
    return head + BEGIN + comparison_table(found) + END + rest.split(END)[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args()
    records = Records.read(FOLDER)
    found = found_in(records)
    page = ROOT / "README.md"
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"readme: {page} has no place for the table: a line '{BEGIN.strip()}' and a line '{END.strip()}'")
    if not args.check:
        need("matplotlib")
        charts.save(draw(found, distinct(records.run_of(c.fastest).device for c in found.values())), FOLDER, "gains")
    return 0 if put(page, readme(text, found), args.check) or not args.check else 1
