"""Latency of IOS-Both's schedule against the cost of its search, for r in 1..3 and s in {3, 8}."""

from typing import Any

from opsched.page import NETWORKS, ms_text, number
from opsched.plots import charts, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Provenance, Record

BOUNDS = "r: operators per group,\ns: groups per stage"


def cost(record: Record) -> float:
    """Search time in seconds if the search measured, otherwise the number of distinct stages."""
    return record.numbers.get("search_seconds") or record.numbers["distinct_stages"]


def latency(figure: Figure, record: Record) -> float:
    """Latency; if some schedules were only simulated, the sum of stage latencies, which all have."""
    simulated = any(r.provenance is Provenance.simulated for r in figure.rows)
    return record.numbers["predicted_ms"] if simulated else record.value


def variant(number: int) -> dict[str, Any]:
    """The look of a pair of bounds: one colour for each r, one marker for each pair."""
    return {"color": style.COLORS[number // 2], "marker": style.MARKERS[number], "linestyle": ""}


def draw_ours(ax: Any, figure: Figure, network: str) -> None:
    rows = figure.all(network=network)
    for i, row in enumerate(rows):
        hollow = row.provenance is Provenance.simulated
        ax.plot(cost(row), latency(figure, row), label=row.labels["variant"], **variant(i),
                **({"markerfacecolor": "white"} if hollow else {}))
        if hollow:
            ax.plot([], [], " ", label=charts.LINES_SIMULATED)
    measured = all("search_seconds" in r.numbers for r in rows)
    charts.logarithmic(ax.xaxis, charts.seconds if measured else charts.plain)
    ax.set(title=f"{NETWORKS[network]}, opsched", ylabel="latency, ms",
           xlabel="search time" if measured else "stages in the search space")


def draw_published(ax: Any, points: list[dict[str, float]], network: str) -> None:
    for i, point in enumerate(points):
        ax.plot(point["seconds"], point["ms"], label=f"r={point['r']} s={point['s']}", **variant(i))
    charts.logarithmic(ax.xaxis, charts.seconds)
    ax.set(title=f"{NETWORKS[network]}, IOS paper, V100", ylabel="latency, ms", xlabel="search time")


def draw(figure: Figure, paper: Paper) -> Picture:
    networks = figure.names("network")
    picture, parts = charts.axes(len(networks), 2, width=8, height=5.4)
    for ax, below, network in zip(parts, parts[len(networks):], networks):
        draw_ours(ax, figure, network)
        draw_published(below, paper["ios"]["pruning"][network], network)
    charts.legend_beside(parts[len(networks) - 1], *parts[:len(networks)], title=BOUNDS, title_fontsize=8, alignment="left")
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    theirs = paper["ios"]["pruning"]
    rows, agrees, differs = [], [], []
    for network in figure.names("network"):
        ours = figure.all(network=network)
        for row in ours:
            other = next(p for p in theirs[network] if row.labels["variant"] == f"r={p['r']} s={p['s']}")
            n = row.numbers
            rows.append([NETWORKS[network], row.labels["variant"], figure.marks.cell(row, ours[0]), ms_text(n["predicted_ms"]),
                         f"{other['ms']:.2f}", number(row, "search_seconds", ".3g"),
                         str(other["seconds"]), f"{n.get('distinct_stages', 0):.0f}", f"{n.get('measured_stages', 0):.0f}"])
        least, most = ours[0], ours[-1]
        gain = 100 * (latency(figure, least) / latency(figure, most) - 1)
        paper_gain = 100 * (theirs[network][0]["ms"] / theirs[network][-1]["ms"] - 1)
        paper_times = theirs[network][-1]["seconds"] / theirs[network][0]["seconds"]
        words = (f"{NETWORKS[network]}: from {least.labels['variant']} to {most.labels['variant']} "
                 f"{cost(most) / cost(least):.1f} times the search (paper {paper_times:.1f}) makes the schedule {gain:.1f}% "
                 f"faster (paper {paper_gain:.1f}%)")
        (agrees if gain > 0 else differs).append(words)
    text = ("A wider search finds faster schedules at a high cost: " + "; ".join(agrees) + "." if agrees else
            "A wider search costs more, as in the paper.")
    other = "Against the paper, " + "; ".join(differs) + (
        ": beyond what r = 1 or 2 finds, differences are smaller than what stage latencies, measured one by one, say about "
        "whole schedules.")
    return Comparison(["network", "bounds", "ms", "sum of its stages, ms", "paper: ms", "search, s", "paper: s",
                       "stages in the space", "stages measured"], rows, text, other if differs else
                      "Search times cannot be compared: ours measures only the stages that may matter, and the paper's measures all.",
                      "On a GPU every search starts from an empty profile, with kernels tuned before.")
