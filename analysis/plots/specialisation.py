"""Schedules optimised for one batch or device, run at another."""

from typing import Any

from plots.data import Data, Row, cell, join, ms_text
from plots.page import Comparison


def find(data: Data, optimised_for: int, at: int) -> Row | None:
    """The diagonal is the plain latency at that batch."""
    if optimised_for == at:
        return next((r for r in data.all(batch=at) if "optimised_for" not in r and "optimised_on" not in r), None)
    return data.one(batch=at, optimised_for=str(optimised_for))


def batches(data: Data) -> list[int]:
    return sorted(data.names("batch"))


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    sizes = batches(data)
    own = {b: find(data, b, b) for b in sizes}
    picture, (ours, theirs) = style.axes(2, width=8, sharey=True)
    charts.grouped_bars(ours, {b: str(b) for b in sizes if own[b]}, {b: f"optimised for {b}" for b in sizes},
                        lambda at, source: find(data, source, at), lambda row, ms: ms / own[row["batch"]]["ms"])
    ours.set(xlabel="run at batch", ylabel="latency / that of the batch's own schedule", title="ours", ylim=(0.8, None))
    numbers = paper["ios"]["specialisation_ms"]
    for i, source in enumerate(numbers):
        theirs.bar([x + (i - 1) * 0.8 / 3 for x in range(3)], [numbers[source][at] / numbers[at][at] for at in numbers],
                   0.8 / 3, color=style.COLORS[i], hatch=style.HATCHES[i], edgecolor="black", linewidth=0.4)
    theirs.set_xticks(range(3), list(numbers))
    theirs.set(xlabel="run at batch", title="the paper, V100")
    ours.legend(loc="upper left", fontsize=7)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["specialisation_ms"]
    rows, wins, losses = [], [], []
    for source in batches(data):
        cells = [cell(find(data, source, at)) for at in batches(data)]
        rows.append([f"batch {source}", *(f"{c} / {ms_text(theirs[str(source)][str(at)])}"
                                          for c, at in zip(cells, batches(data)))])
    for at in batches(data):
        numbers = {s: r["ms"] for s in batches(data) if (r := find(data, s, at))}
        if at not in numbers:
            continue
        best = min(numbers, key=numbers.get)
        worst = max(numbers, key=numbers.get)
        if numbers[at] <= 1.005 * numbers[best]:
            wins.append(f"{at} (up to {100 * (numbers[worst] / numbers[at] - 1):.1f}% better than another's)")
        else:
            losses.append(f"{at} (the one for {best} is {100 * (numbers[at] / numbers[best] - 1):.1f}% faster)")
    devices = [f"{r['optimised_on']}: {cell(r)} ms" for r in data.rows if "optimised_on" in r]
    agrees = f"The schedule optimised for a batch is the best there, to half a percent, at batch {join(wins)}."
    differs = [f"At batch {join(losses)} it is not: stage latencies were measured one by one and leave out how "
               "neighbouring stages overlap"] if losses else []
    differs.append(f"schedules optimised on another device, run here at batch 1: {join(devices)}" if devices else
                   "schedules of another device could not be run here, for results/ holds the profile of no other")
    text = "; ".join(differs)
    return Comparison(["optimised for", *(f"run at {b}, ms" for b in batches(data))], rows, agrees,
                      text[0].upper() + text[1:] + ".", "Cells: ours / the paper's.")
