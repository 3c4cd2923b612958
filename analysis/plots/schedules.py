"""Schedules compared: throughput, normalised to the best of each network."""

from typing import Any

from plots.data import NETWORKS, Data, cell, join, ms_text, ratio, ratio_text
from plots.page import Comparison

SERIES = {
    "sequential": "sequential",
    "greedy": "greedy",
    "wavefront": "wavefront (ours)",
    "ios-merge": "IOS-Merge",
    "ios-parallel": "IOS-Parallel",
    "ios-both": "IOS-Both",
    "ios-dataflow": "IOS, no barriers (ours)",
    "dataflow": "dataflow (ours)",
}
OF_THE_PAPER = ["sequential", "greedy", "ios-merge", "ios-parallel", "ios-both"]


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    best = {n: min(r["ms"] for r in data.all(network=n)) for n in data.names("network")}
    picture, (ax,) = style.axes(width=8)
    charts.grouped_bars(ax, {n: NETWORKS[n] for n in best}, SERIES,
                        lambda network, scheduler: data.one(network=network, scheduler=scheduler),
                        lambda row, ms: best[row["network"]] / ms)
    ax.set_ylabel("throughput / best")
    charts.legend_above(ax, 5)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["latency_ms"]
    rows, faster, slower, beaten = [], [], [], []
    for network in data.names("network"):
        ours = {s: data.ms(network=network, scheduler=s) for s in SERIES}
        rows.append([NETWORKS[network], *(cell(data.one(network=network, scheduler=s)) for s in SERIES)])
        rows.append(["the paper's", *(ms_text(theirs[network].get(s)) for s in SERIES)])
        gain, paper_gain = ratio(ours["sequential"], ours["ios-both"]), ratio(theirs[network]["sequential"],
                                                                             theirs[network]["ios-both"])
        if gain is None:
            continue
        words = f"{NETWORKS[network]} {ratio_text(gain)} (paper {ratio_text(paper_gain)})"
        (faster if gain > 1.02 else slower).append(words)
        best = min((s for s in OF_THE_PAPER if ours[s]), key=lambda s: ours[s])
        if ours["ios-both"] > 1.005 * ours[best]:  # the precision of a median
            beaten.append(f"{SERIES[best]} on {NETWORKS[network]} by {100 * (ours['ios-both'] / ours[best] - 1):.1f}%")
    free = [ratio(data.ms(network=n, scheduler="ios-both"), data.ms(network=n, scheduler="dataflow"))
            for n in data.names("network")]
    free = [f for f in free if f]
    agrees = f"IOS-Both beats sequential on {join(faster)}."
    differs = (f"Of the paper's five schedules, one other than IOS-Both is fastest: {join(beaten)}; " if beaten else
               "IOS-Both is the fastest of the paper's five schedules everywhere, to half a percent, as there; ")
    if slower:
        differs += f"IOS-Both gains next to nothing on {join(slower)}; "
    if free:
        differs += (f"what has no barriers at all (dataflow) runs between {min(free):.2f} and {max(free):.2f} times as fast "
                    "as IOS-Both, because a barrier on this GPU costs microseconds while its stages are much shorter than "
                    "on the V100, and stage latencies measured one by one leave out how neighbouring stages overlap.")
    return Comparison(["network, ms", *SERIES.values()], rows, agrees, differs)
