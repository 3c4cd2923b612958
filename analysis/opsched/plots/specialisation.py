"""Schedules optimised for one batch size or device, run on another."""

from opsched.page import fastest, join, ms_text
from opsched.plots import charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record


def find(figure: Figure, optimised_for: int, at: int) -> Record | None:
    """The diagonal is the plain latency at that batch size."""
    if optimised_for == at:
        return figure.ours(batch=at)
    return figure.one(batch=at, optimised_for=str(optimised_for))


def batches(figure: Figure) -> list[int]:
    return sorted(figure.names("batch"))


def draw(figure: Figure, paper: Paper) -> Picture:
    own = {b: r for b in batches(figure) if (r := find(figure, b, b))}
    picture, (ours, theirs) = charts.axes(2, width=8.5, sharey=True)
    charts.grouped_bars(ours, {b: str(b) for b in own}, {b: f"optimised for batch {b}" for b in batches(figure)},
                        lambda at, source: find(figure, source, at),
                        lambda record, ms: 100 * (ms / own[record.batch].value - 1))
    ours.set(xlabel="run at batch", ylabel="slower than the batch's own schedule, %", title="opsched")
    numbers = paper["ios"]["specialisation_ms"]
    charts.bars(theirs, numbers, {f"optimised for batch {s}": [100 * (numbers[s][at] / numbers[at][at] - 1) for at in numbers]
                                  for s in numbers}, 0.8 / 3)
    theirs.set(xlabel="run at batch", title="IOS paper, V100")
    for ax in (ours, theirs):
        ax.axhline(0, color="black", linewidth=0.6)
    charts.legend_beside(theirs, ours)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    theirs, sizes = paper["ios"]["specialisation_ms"], batches(figure)
    rows = [[f"batch {source}", *(f"{figure.marks.cell(find(figure, source, at), find(figure, at, at))} / "
                                  f"{ms_text(theirs.get(str(source), {}).get(str(at)))}" for at in sizes)] for source in sizes]
    wins, losses = [], []
    for at in sizes:
        found = {s: r for s in sizes if (r := find(figure, s, at))}
        if at not in found:
            continue
        best, worst = fastest(found.values()), max(found.values(), key=lambda r: r.value)
        if found[at].value <= 1.005 * best.value:
            wins.append(f"{at} (up to {100 * (worst.value / found[at].value - 1):.1f}% better than another's)")
        else:
            source = next(s for s, r in found.items() if r is best)
            losses.append(f"{at} (the one for {source} is {100 * (found[at].value / best.value - 1):.1f}% faster)")
    agrees = (f"The schedule optimised for a batch is the best there, to half a percent, at batch {join(wins)}." if wins else
              "At no batch is the schedule optimised for it the best.")
    differs = (f"At batch {join(losses)} it is not: stage latencies were measured one by one and leave out how neighbouring "
               "stages overlap. " if losses else "")
    devices = [f"{r.labels['optimised_on']}: {figure.marks.cell(r)} ms" for r in figure.rows if "optimised_on" in r.labels]
    differs += (f"Schedules optimised on another device, run here at batch 1: {join(devices)}." if devices else
                "Schedules of another device could not be run here: results/ holds the profile of no other.")
    return Comparison(["optimised for", *(f"run at {b}, ms" for b in sizes)], rows, agrees, differs, "Cells: ours / the paper's.")
