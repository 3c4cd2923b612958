"""Inception V3 by batch size: sequential, the fastest baseline in place of TensorRT, and IOS."""

from opsched.page import join, ms_text, name_of, ratio, ratio_text
from opsched.plots import baselines, charts, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record

SERIES = {"sequential": "sequential", "baseline": "fastest baseline", "ios-both": "IOS-Both", "dataflow": "dataflow"}


def find(figure: Figure, batch: int, key: str) -> Record | None:
    return baselines.best(figure, batch=batch) if key == "baseline" else figure.ours(batch=batch, scheduler=key)


def gains_of(theirs: dict[str, dict[str, float]]) -> dict[int, float]:
    """The paper's speed-up of IOS-Both over sequential, by batch size."""
    return {int(b): ms / theirs["ios-both"][b] for b, ms in theirs["sequential"].items()}


def draw(figure: Figure, paper: Paper) -> Picture:
    batches = sorted(figure.names("batch"))
    picture, (throughput, gain) = charts.axes(2, width=8, height=3.8)
    charts.grouped_bars(throughput, {b: str(b) for b in batches}, SERIES, lambda b, s: find(figure, b, s),
                        lambda record, ms: 1000 * record.batch / ms)
    throughput.set(xlabel="batch", ylabel="images / s")
    base = {b: r.value for b in batches if (r := find(figure, b, "sequential"))}
    charts.lines(gain, list(base), {s: SERIES[s] for s in ("ios-both", "dataflow")}, lambda b, s: find(figure, b, s),
                 lambda record, ms: base[record.batch] / ms)
    theirs = {b: g for b, g in gains_of(paper["ios"]["batches_ms"]).items() if b in batches}
    gain.plot(list(theirs), list(theirs.values()), label="IOS-Both, IOS paper, V100", **style.PAPER)
    charts.ticks_at(gain, batches)
    gain.set(xlabel="batch", ylabel="speed-up over sequential")
    charts.line_at_one(gain)
    charts.legend_above(throughput, 2)
    charts.legend_above(gain, 2)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    theirs = paper["ios"]["batches_ms"]
    rows, gains, paper_gains, without = [], {}, gains_of(theirs), []
    for batch in sorted(figure.names("batch")):
        ours = {s: find(figure, batch, s) for s in SERIES}
        base, other = ours["sequential"], ours["baseline"]
        rows.append([str(batch), figure.marks.cell(base),
                     f"{figure.marks.cell(other, base)} ({name_of(other)})" if other else "-",
                     *(figure.marks.cell(ours[s], base) for s in ("ios-both", "dataflow")),
                     *(ms_text(theirs[s].get(str(batch))) for s in ("sequential", "TensorRT", "ios-both"))])
        if not other:
            without.append(str(batch))
        if (gain := ratio(base, ours["ios-both"])) and batch in paper_gains:
            gains[batch] = gain
    head = ["batch", "sequential, ms", "fastest baseline, ms", "IOS-Both, ms", "dataflow, ms", "paper: sequential, ms",
            "paper: TensorRT, ms", "paper: IOS, ms"]
    if len(gains) < 2:
        return Comparison(head, rows, "Fewer than two batches are measured, so there is no comparison.", "The rest is missing.")
    first, last = min(gains), max(gains)
    agrees = (f"IOS-Both's gain over sequential {'falls' if gains[first] > gains[last] else 'does not fall'} with the batch, "
              f"from {ratio_text(gains[first])} at batch {first} to {ratio_text(gains[last])} at batch {last}; in the paper it "
              f"falls from {ratio_text(paper_gains[first])} to {ratio_text(paper_gains[last])}: a larger batch fills the GPU "
              "with one operator.")

    def named(chosen: list[int]) -> str:
        return join([f"{b} ({ratio_text(gains[b])} against {ratio_text(paper_gains[b])})" for b in chosen])

    less = [b for b in gains if gains[b] < paper_gains[b] - 0.02]
    more = [b for b in gains if gains[b] > paper_gains[b] + 0.02]
    differs = []
    if more:
        differs.append(f"At batch {named(more)} the gain is larger: this GPU has 132 multiprocessors to fill instead of the "
                       "V100's 80.")
    if less:
        differs.append(f"At batch {named(less)} it is smaller: our sequential schedule has no host-side launch gaps that a "
                       "schedule could hide.")
    if without:
        differs.append(f"No baseline was measured at batch {join(without)}.")
    return Comparison(head, rows, agrees, " ".join(differs) or "The gains lie within 2% of the paper's.")
