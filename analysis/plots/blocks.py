"""Inception V3 block by block: where the gain comes from."""

from typing import Any

from plots.data import Data, cell, join, ms_text, ratio, ratio_text
from plots.page import Comparison

OURS = ["sequential", "ios-both"]


def gains(data: Data) -> dict[str, float]:
    found = {b: ratio(data.ms(scheduler="sequential", block=b), data.ms(scheduler="ios-both", block=b))
             for b in data.names("block")}
    return {b: g for b, g in found.items() if g}


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    found = gains(data)
    picture, (ax,) = style.axes()
    ax.bar(range(len(found)), list(found.values()), color=style.COLORS[0], edgecolor="black", linewidth=0.4)
    ax.axhline(1, color="black", linewidth=0.6)
    ax.set_xticks(range(len(found)), list(found))
    ax.set(xlabel="block", ylabel="speed-up of IOS-Both over sequential")
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    found = gains(data)
    rows = [[b, f"{data.one(scheduler='sequential', block=b)['operators']:.0f}",
             ms_text(data.ms(scheduler="sequential", block=b)), ms_text(data.ms(scheduler="ios-both", block=b)),
             f"{data.one(scheduler='ios-both', block=b)['stages']}", ratio_text(g)] for b, g in found.items()]
    sums = {s: sum(r["ms"] for r in data.all(scheduler=s) if "block" in r) for s in OURS}
    whole = {s: next((r for r in data.all(scheduler=s) if "block" not in r), None) for s in OURS}
    rows.append(["all", "", *(ms_text(sums[s] or None) for s in OURS), "",
                 ratio_text(ratio(sums["sequential"], sums["ios-both"]))])
    rows.append(["run as a whole", "", *(cell(whole[s]) for s in OURS), "",
                 ratio_text(ratio(*(whole[s]["ms"] if whole[s] else None for s in OURS)))])
    head = ["block", "operators", "sequential, ms", "IOS-Both, ms", "stages", "speed-up"]
    note = ("A block's latency is the sum of its stages', each timed between barriers in a CUDA graph of its own; blocks "
            "are not cut out of the network.")
    branched = [b for b in found if data.one(scheduler="sequential", block=b)["operators"] > 8]
    plain = [f"{b} {ratio_text(found[b])}" for b in found if b not in branched]
    if branched:
        best = max(branched, key=found.get)
        agrees = (f"As in the paper, the blocks with branches gain: {join(branched)} by {min(found[b] for b in branched):.2f} "
                  f"to {max(found[b] for b in branched):.2f} times, most {best}.")
    else:
        agrees = "Nothing can be said: the blocks with branches are not measured."
    differs = f"Others have few operators to run side by side ({join(plain)}). "
    if all(whole.values()):
        parts = " and ".join(f"{100 * sums[s] / whole[s]['ms']:.0f}% for {s}" for s in OURS)
        theirs = paper["ios"]["latency_ms"]["inception_v3"]
        differs += (f"The sums are {parts} of what the schedules take as a whole: a stage timed by itself does not pay for "
                    "what its neighbours leave in the caches. The paper's bars have no numbers at hand, so that only the "
                    f"whole can be compared: {ratio_text(whole['sequential']['ms'] / whole['ios-both']['ms'])} here, "
                    f"{ratio_text(theirs['sequential'] / theirs['ios-both'])} there.")
    return Comparison(head, rows, agrees, differs, note)
