"""Latency of IOS-Both's schedule against the cost of its search, for r in 1..3 and s in {3, 8}."""

from typing import Any

from plots.data import NETWORKS, Data, Row, cell, ms_text
from plots.page import Comparison


def cost(row: Row) -> float:
    """Seconds where the search measured, else the stages that it knows of."""
    return row.get("search_seconds") or row["distinct_stages"]


def latency(data: Data, row: Row) -> float:
    """Where some schedules were not run, sums of stage latencies are compared, which all have."""
    return row["predicted_ms"] if any(r["how"] == "simulated" for r in data.rows) else row["ms"]


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    networks = data.names("network")
    picture, parts = style.axes(len(networks), width=8)
    for ax, network in zip(parts, networks):
        rows = data.all(network=network)
        for i, row in enumerate(rows):
            ms = latency(data, row)
            spread = None if ms != row["ms"] else [[ms - row.get("min_ms", ms)], [row.get("max_ms", ms) - ms]]
            color, marker = style.COLORS[i // 2], style.MARKERS[i]
            ax.errorbar(cost(row), ms, yerr=spread, color=color, marker=marker, linestyle="", capsize=2,
                        markerfacecolor="white" if row["how"] == "simulated" else color, label=row["variant"])
        ax.set_xscale("log")
        measured = all("search_seconds" in r for r in rows)
        ax.set(title=NETWORKS[network], ylabel="latency, ms",
               xlabel="search, s" if measured else "stages in the search space")
    parts[0].legend(title="hollow: replayed" if any(r["how"] == "simulated" for r in data.rows) else None)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["pruning"]
    rows, agrees, differs = [], [], []
    for network in data.names("network"):
        ours = data.all(network=network)
        for row in ours:
            other = next(p for p in theirs[network] if row["variant"] == f"r={p['r']} s={p['s']}")
            seconds = f"{row['search_seconds']:.3g}" if "search_seconds" in row else "-"
            rows.append([NETWORKS[network], row["variant"], cell(row), ms_text(row["predicted_ms"]), f"{other['ms']:.2f}", seconds,
                         str(other["seconds"]), f"{row.get('distinct_stages', 0):.0f}",
                         f"{row.get('measured_stages', 0):.0f}"])
        least, most = ours[0], ours[-1]
        gain = 100 * (latency(data, least) / latency(data, most) - 1)
        paper_gain = 100 * (theirs[network][0]["ms"] / theirs[network][-1]["ms"] - 1)
        times = cost(most) / cost(least)
        paper_times = theirs[network][-1]["seconds"] / theirs[network][0]["seconds"]
        words = (f"{NETWORKS[network]}: from {least['variant']} to {most['variant']} {times:.1f} times the search (paper "
                 f"{paper_times:.1f}) makes the schedule {gain:.1f}% faster (paper {paper_gain:.1f}%)")
        (agrees if gain > 0 else differs).append(words)
    text = ("A wider search finds faster schedules, at a steep price: " + "; ".join(agrees) + "." if agrees else
            "A wider search costs more, as in the paper.")
    other = "Against the paper, " + "; ".join(differs) + (
        ": beyond what r = 1 or 2 finds, differences are smaller than what stage latencies, measured one by one, say about "
        "whole schedules." if differs else "")
    return Comparison(["network", "bounds", "ms", "sum of its stages, ms", "paper: ms", "search, s", "paper: s", "stages in the space",
                       "stages measured"], rows, text, other if differs else
                      "Search times cannot be compared: ours measures only the stages that may matter, the paper's all.",
                      "On a GPU every search starts from an empty profile; kernel choices are tuned before.")
