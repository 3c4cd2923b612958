"""Latency of IOS-Both's schedule against the cost of its search, for r in 1..3 and s in {3, 8}."""

from opsched.page import NETWORKS, ms_text, number
from opsched.plots import charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Provenance, Record


def cost(record: Record) -> float:
    """Seconds where the search measured, else the stages that it knows of."""
    return record.numbers.get("search_seconds") or record.numbers["distinct_stages"]


def latency(figure: Figure, record: Record) -> float:
    """Where some schedules were not run, sums of stage latencies are compared, which all have."""
    simulated = any(r.provenance is Provenance.simulated for r in figure.rows)
    return record.numbers["predicted_ms"] if simulated else record.value


def draw(figure: Figure, paper: Paper) -> Picture:
    networks = figure.names("network")
    picture, parts = charts.axes(len(networks), width=8)
    for ax, network in zip(parts, networks):
        rows = figure.all(network=network)
        for i, row in enumerate(rows):
            color = charts.COLORS[i // 2]
            ax.plot(cost(row), latency(figure, row), color=color, marker=charts.MARKERS[i], linestyle="",
                    markerfacecolor="white" if row.provenance is Provenance.simulated else color, label=row.labels["variant"])
        ax.set_xscale("log")
        ax.set(title=NETWORKS[network], ylabel="latency, ms", xlabel="search, s" if all("search_seconds" in r.numbers for r in rows)
               else "stages in the search space")
    parts[0].legend(title="hollow: simulated" if any(r.provenance is Provenance.simulated for r in figure.rows) else None)
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
    text = ("A wider search finds faster schedules, at a steep price: " + "; ".join(agrees) + "." if agrees else
            "A wider search costs more, as in the paper.")
    other = "Against the paper, " + "; ".join(differs) + (
        ": beyond what r = 1 or 2 finds, differences are smaller than what stage latencies, measured one by one, say about "
        "whole schedules.")
    return Comparison(["network", "bounds", "ms", "sum of its stages, ms", "paper: ms", "search, s", "paper: s",
                       "stages in the space", "stages measured"], rows, text, other if differs else
                      "Search times cannot be compared: ours measures only the stages that may matter, the paper's all.",
                      "On a GPU every search starts from an empty profile; kernel choices are tuned before.")
