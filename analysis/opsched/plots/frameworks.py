"""Comparison with the frameworks that a user would run instead."""

from opsched.page import NETWORKS, baseline_name, join, name_of, ratio, ratio_text
from opsched.plots import baselines, charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture

OURS = {"sequential": "opsched, sequential", "ios-both": "opsched, IOS-Both", "dataflow": "opsched, dataflow"}
PAPER = ["TensorRT", "TVM-cuDNN", "TASO", "TensorFlow", "TensorFlow XLA"]


def draw(figure: Figure, paper: Paper) -> Picture:
    series = {k: baseline_name(*k) for k in baselines.keys(figure)} | OURS
    label = "throughput / that of IOS-Both"
    picture, (here, there) = charts.axes(1, 2, 8.5, 5.6, height_ratios=[1.2, 1])
    baselines.draw_relative(here, figure, series, lambda n: figure.ours(network=n, scheduler="ios-both"), label)
    baselines.draw_published(there, paper["ios"]["latency_ms"],
                             {name: name for name in reversed(PAPER)} | {"ios-both": "IOS-Both"}, "ios-both", label)
    for ax in (here, there):
        charts.line_at_one(ax)
        charts.legend_beside(ax)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    known = baselines.keys(figure)
    rows, faster, slower, alone = [], [], [], []
    for network in figure.names("network"):
        ours = figure.ours(network=network, scheduler="ios-both")
        rows.append([NETWORKS[network], *(figure.marks.cell(baselines.find(figure, network, k), ours) for k in [*known, *OURS])])
        best = baselines.best(figure, network=network)
        if gain := ratio(baselines.find(figure, network, ("pytorch", "sequential")),
                         figure.ours(network=network, scheduler="sequential")):
            alone.append(f"{NETWORKS[network]} {ratio_text(gain)}")
        if best is None or ours is None:
            continue
        words = f"{NETWORKS[network]} by {ratio_text(ratio(best, ours))} over {name_of(best)}"
        if theirs := paper["ios"]["latency_ms"].get(network):
            first = min(PAPER, key=theirs.get)
            words += f" (paper: {ratio_text(theirs[first] / theirs['ios-both'])} over {first})"
        (faster if ratio(best, ours) >= 1 else slower).append(words)
    agrees = f"IOS-Both is faster than every measured framework: {join(faster)}." if faster else \
        "IOS-Both is not faster than the measured frameworks."
    differs = f"A framework is faster on {join(slower)}. " if slower else ""
    differs += ("TVM, TASO and TensorFlow were not measured; PyTorch is shown instead. Missing here: "
                f"{join(baselines.absent(figure))}.")
    if alone:
        differs += (" Part of our speed-up comes from kernels, not schedules: with both running sequentially in one CUDA graph, "
                    f"our speed-up over PyTorch is {join(alone)}.")
    return Comparison(["network, ms", *baselines.names(known), *OURS.values()], rows, agrees, differs)
