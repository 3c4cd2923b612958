"""Inception V3 by batch size: sequential, the best peer in TensorRT's place, IOS."""

from typing import Any

from plots.data import Data, Row, cell, join, ms_text, ratio, ratio_text
from plots.page import Comparison

OURS = {"sequential": "sequential", "ios-both": "IOS-Both", "dataflow": "dataflow (ours)"}


def best_peer(data: Data, batch: int) -> Row | None:
    peers = [r for r in data.all(batch=batch) if "peer" in r]
    return min(peers, key=lambda r: r["ms"]) if peers else None


def find(data: Data, batch: int, key: str) -> Row | None:
    return best_peer(data, batch) if key == "peer" else data.one(batch=batch, scheduler=key)


def per_second(row: Row, ms: float) -> float:
    return 1000 * row["batch"] / ms


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    batches = data.names("batch")
    picture, (throughput, gain) = style.axes(2, width=8, height=3.8)
    series = {"sequential": "sequential", "peer": "best peer", "ios-both": "IOS-Both", "dataflow": "dataflow (ours)"}
    charts.grouped_bars(throughput, {b: str(b) for b in batches}, series, lambda b, s: find(data, b, s), per_second)
    throughput.set(xlabel="batch", ylabel="images / s")
    base = {b: data.ms(batch=b, scheduler="sequential") for b in batches}
    charts.lines(gain, [b for b in batches if base[b]], {s: OURS[s] for s in ("ios-both", "dataflow")}, lambda b, s: find(data, b, s),
                 lambda row, ms: base[row["batch"]] / ms)
    theirs = paper["ios"]["batches_ms"]
    gain.plot(batches, [theirs["sequential"][str(b)] / theirs["ios-both"][str(b)] for b in batches], color="black",
              linestyle=":", marker="x", label="IOS-Both, the paper's V100")
    gain.set_xscale("log", base=2)
    gain.set_xticks(batches, [str(b) for b in batches])
    gain.set(xlabel="batch", ylabel="speed-up over sequential")
    gain.axhline(1, color="black", linewidth=0.6)
    charts.legend_above(throughput, 2)
    charts.legend_above(gain, 2)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["batches_ms"]
    rows, gains, paper_gains = [], {}, {}
    for batch in data.names("batch"):
        ours = {s: data.ms(batch=batch, scheduler=s) for s in OURS}
        peer = best_peer(data, batch)
        name = f" ({peer['peer']}, {peer['mode']})" if peer else "absent"
        rows.append([str(batch), cell(data.one(batch=batch, scheduler="sequential")),
                     (cell(peer) if peer else "") + name,
                     *(cell(data.one(batch=batch, scheduler=s)) for s in ("ios-both", "dataflow")),
                     *(ms_text(theirs[s][str(batch)]) for s in ("sequential", "TensorRT", "ios-both"))])
        gains[batch] = ratio(ours["sequential"], ours["ios-both"])
        paper_gains[batch] = ratio(theirs["sequential"][str(batch)], theirs["ios-both"][str(batch)])
    head = ["batch", "sequential, ms", "best peer, ms", "IOS-Both, ms", "dataflow, ms", "paper: sequential",
            "paper: TensorRT", "paper: IOS"]
    known = [b for b, g in gains.items() if g]
    if len(known) < 2:
        return Comparison(head, rows, "Nothing can be said: fewer than two batches are measured.", "The rest is missing.")
    first, last = min(known), max(known)
    falls = gains[first] > gains[last]
    agrees = (f"IOS-Both's gain over sequential {'falls' if falls else 'does not fall'} with the batch, from "
              f"{ratio_text(gains[first])} at batch {first} to {ratio_text(gains[last])} at batch {last}; in the paper it "
              f"falls from {ratio_text(paper_gains[first])} to {ratio_text(paper_gains[last])}: a larger batch fills the GPU "
              "with one operator.")
    less = [f"{b} ({ratio_text(gains[b])} against {ratio_text(paper_gains[b])})" for b in known
            if gains[b] < paper_gains[b] - 0.02]
    more = [f"{b} ({ratio_text(gains[b])} against {ratio_text(paper_gains[b])})" for b in known
            if gains[b] > paper_gains[b] + 0.02]
    differs = []
    if more:
        differs.append(f"at batch {join(more)} the gain is larger, for this GPU has 132 multiprocessors to fill instead of "
                       "the V100's 80")
    if less:
        differs.append(f"at batch {join(less)} it is smaller, because our sequential schedule has no host-side launch gaps "
                       "that a schedule could hide")
    without = [b for b in data.names("batch") if best_peer(data, b) is None]
    if without:
        differs.append(f"no peer was measured at batch {join([str(b) for b in without])}")
    text = "; ".join(differs) or "The gains lie within 2% of the paper's"
    return Comparison(head, rows, agrees, text[0].upper() + text[1:] + ".")
