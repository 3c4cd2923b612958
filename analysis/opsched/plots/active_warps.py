"""Active warps over time, sequential against IOS."""

import re

from opsched.page import NETWORKS, SCHEDULERS, distinct, grouped, join
from opsched.plots import charts, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture, Table
from opsched.records import Record


def graphs(figure: Figure) -> dict[str, list[Record]]:
    """One record per scheduler, by network and block."""
    return grouped(figure.rows, lambda r: NETWORKS.get(r.network, r.network) +
                   (f", block {r.labels['block']}" if "block" in r.labels else ""))


def counted(records: list[Record]) -> str:
    """How the active warps were found: from hardware counters, or from the kernels' run times and launch sizes."""
    return join(distinct(re.split("[,:]", r.texts["method"])[0] for r in records))


def draw(figure: Figure, paper: Paper) -> Picture:
    found = graphs(figure)
    picture, parts = charts.axes(len(found), width=8)
    for ax, (name, records) in zip(parts, found.items()):
        for i, r in enumerate(records):
            ax.plot(r.series["at_ms"], r.series["active_warps"], color=style.COLORS[i], linestyle=style.LINES[i],
                    label=SCHEDULERS.get(r.scheduler, r.scheduler), linewidth=0.9)
        ax.set(title=f"{name}:\n{counted(records)}", xlabel="time, ms", ylabel="active warps per multiprocessor")
        ax.set_ylim(bottom=0)
    charts.legend_beside(parts[-1], *parts)
    return picture


def export(figure: Figure) -> Table:
    return ["network", "scheduler", "at_ms", "active_warps"], [
        [name, r.scheduler, at, warps] for name, records in graphs(figure).items() for r in records
        for at, warps in zip(r.series["at_ms"], r.series["active_warps"])]


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, more, less = [], [], []
    for name, records in graphs(figure).items():
        base = next((r for r in records if r.scheduler == "sequential"), None)
        rows += [[name, r.scheduler, f"{r.value:.4g}{figure.marks.behind(r, base)}", f"{r.numbers['makespan_ms']:.4f}",
                  r.texts["method"]] for r in records]
        other = [r.value for r in records if r is not base]
        if base and other:
            gain = max(other) / base.value
            (more if gain > 1 else less).append(f"{name} ({gain:.2f}x)")
    agrees = (f"As in the paper, concurrent operators keep more warps active: {join(more)}." if more else
              "Unlike in the paper, concurrent operators do not keep more warps active.")
    differs = (f"No more warps are active on {join(less)}." if less else
               "The paper used a V100, with different warps and clocks, so only the ratio can be compared.")
    limits = distinct(f"{r.numbers['max_warps_per_sm']:.0f} at most per multiprocessor" for r in figure.rows)
    return Comparison(["graph", "schedule", "active warps per multiprocessor, mean", "makespan, ms", "method"], rows, agrees,
                      differs, f"{join(limits)}.")
