"""Schedules compared: throughput relative to the best of each network."""

from opsched.page import NETWORKS, SCHEDULERS, fastest, join, ms_text, ratio, ratio_text
from opsched.plots import baselines, charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.plots.paper import RANDWIRE, networks_with

OF_THE_PAPER = ["sequential", "wavefront", "ios-merge", "ios-parallel", "ios-both"]


def compared(figure: Figure) -> dict[str, str]:
    """Our schedulers, and those added with `opsched reproduce --scheduler`."""
    return SCHEDULERS | {s: s for s in figure.names("scheduler") if s not in SCHEDULERS}


def draw(figure: Figure, paper: Paper) -> Picture:
    theirs = paper["ios"]["latency_ms"]

    def published(network: str, scheduler: str) -> float | None:
        there = {s: ms for s, ms in theirs.get(network, {}).items() if s in OF_THE_PAPER}
        return min(there.values()) / there[scheduler] if scheduler in there else None

    picture, (ax,) = charts.axes(width=8, height=3.8)
    baselines.draw_relative(ax, figure, compared(figure), lambda n: fastest(figure.all(network=n)), "throughput / best",
                            published=published, publisher="IOS paper, V100")
    charts.legend_above(ax, 3)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, faster, slower, beaten, free, schedulers = [], [], [], [], [], compared(figure)
    for network in networks_with(paper, figure):
        ours = {s: figure.ours(network=network, scheduler=s) for s in schedulers}
        theirs = paper["ios"]["latency_ms"].get(network, {})
        rows.append([NETWORKS[network], *(figure.marks.cell(r, ours["sequential"]) for r in ours.values())])
        rows.append(["the paper's", *(ms_text(theirs.get(s)) for s in schedulers)])
        gain = ratio(ours["sequential"], ours["ios-both"])
        if gain is None:
            continue
        of_paper = f" (paper {theirs['sequential'] / theirs['ios-both']:.2f}x)" if theirs else ""
        (faster if gain > 1.02 else slower).append(f"{NETWORKS[network]} {ratio_text(gain)}{of_paper}")
        best = fastest(ours[s] for s in OF_THE_PAPER if ours[s])
        if ours["ios-both"].value > 1.005 * best.value:  # within the precision of a median
            by = 100 * (ratio(ours["ios-both"], best) - 1)
            beaten.append(f"{SCHEDULERS[best.scheduler]} on {NETWORKS[network]} by {by:.1f}%")
        if over := ratio(ours["ios-both"], ours["dataflow"]):
            free.append(over)
    agrees = f"IOS-Both is faster than sequential on {join(faster)}." if faster else "IOS-Both is never faster than sequential here."
    differs = (f"Of the paper's five schedules, one other than IOS-Both is fastest: {join(beaten)}. " if beaten else
               "As in the paper, IOS-Both is always the fastest of its five schedules, within half a percent. ")
    if slower:
        differs += f"IOS-Both gains almost nothing on {join(slower)}. "
    if free:
        differs += (f"Dataflow, without barriers, is between {min(free):.2f} and {max(free):.2f} times as fast as "
                    "IOS-Both: a barrier on this GPU costs microseconds while its stages are much shorter than on the V100, and "
                    "stage latencies measured one by one leave out how neighbouring stages overlap.")
    return Comparison(["network, ms", *schedulers.values()], rows, agrees, differs.strip(), RANDWIRE)
