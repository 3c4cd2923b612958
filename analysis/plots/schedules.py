"""Schedules compared: throughput, normalised to the best of each network."""

from typing import Any

from page import NETWORKS, fastest, join, ms_text, ratio, ratio_text
from plots.figure import Figure
from plots.page import Comparison
from plots.paper import networks_with

SERIES = {
    "sequential": "sequential",
    "wavefront": "wavefront (the paper's greedy)",
    "greedy": "greedy",
    "ios-merge": "IOS-Merge",
    "ios-parallel": "IOS-Parallel",
    "ios-both": "IOS-Both",
    "ios-dataflow": "IOS without barriers",
    "dataflow": "dataflow",
}
OF_THE_PAPER = ["sequential", "wavefront", "ios-merge", "ios-parallel", "ios-both"]


def draw(figure: Figure, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    best = {n: fastest(figure.all(network=n)).value for n in figure.names("network")}
    picture, (ax,) = style.axes(width=8)
    charts.grouped_bars(ax, {n: NETWORKS[n] for n in best}, SERIES,
                        lambda network, scheduler: figure.ours(network=network, scheduler=scheduler),
                        lambda record, ms: best[record.network] / ms)
    ax.set_ylabel("throughput / best")
    charts.legend_above(ax, 4)
    return picture


def compare(figure: Figure, paper: dict[str, Any]) -> Comparison:
    latencies = paper["ios"]["latency_ms"]
    rows, faster, slower, beaten, free = [], [], [], [], []
    for network in networks_with(paper, figure.names("network")):
        ours = {s: figure.ours(network=network, scheduler=s) for s in SERIES}
        theirs = latencies.get(network, {})
        rows.append([NETWORKS[network], *(figure.marks.cell(r, ours["sequential"]) for r in ours.values())])
        rows.append(["the paper's", *(ms_text(theirs.get(s)) for s in SERIES)])
        gain = ratio(ours["sequential"], ours["ios-both"])
        if gain is None:
            continue
        of_paper = f" (paper {theirs['sequential'] / theirs['ios-both']:.2f}x)" if theirs else ""
        (faster if gain > 1.02 else slower).append(f"{NETWORKS[network]} {ratio_text(gain)}{of_paper}")
        best = fastest(ours[s] for s in OF_THE_PAPER if ours[s])
        if ours["ios-both"].value > 1.005 * best.value:  # the precision of a median
            beaten.append(f"{SERIES[best.scheduler]} on {NETWORKS[network]} by {100 * (ratio(ours['ios-both'], best) - 1):.1f}%")
        if over := ratio(ours["ios-both"], ours["dataflow"]):
            free.append(over)
    agrees = f"IOS-Both beats sequential on {join(faster)}." if faster else "IOS-Both beats sequential nowhere here."
    differs = (f"Of the paper's five schedules, one other than IOS-Both is fastest: {join(beaten)}. " if beaten else
               "IOS-Both is the fastest of the paper's five schedules everywhere, to half a percent, as there. ")
    if slower:
        differs += f"IOS-Both gains next to nothing on {join(slower)}. "
    if free:
        differs += (f"What has no barriers at all (dataflow) runs between {min(free):.2f} and {max(free):.2f} times as fast as "
                    "IOS-Both: a barrier on this GPU costs microseconds while its stages are much shorter than on the V100, and "
                    "stage latencies measured one by one leave out how neighbouring stages overlap.")
    return Comparison(["network, ms", *SERIES.values()], rows, agrees, differs.strip(),
                      "The paper's RandWire is another network than ours; where its row has no number of ours, it was not "
                      "measured yet.")
