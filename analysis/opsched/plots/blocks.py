"""Inception V3 block by block: which blocks gain."""

from opsched.page import join, ms_text, ratio, ratio_text
from opsched.plots import charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record

OURS = ["sequential", "ios-both"]


def pairs(figure: Figure) -> dict[str, tuple[Record, Record]]:
    """Both latencies of each block that has both."""
    found = {b: tuple(figure.one(quantity="block_latency", scheduler=s, block=b) for s in OURS) for b in figure.names("block")}
    return {b: both for b, both in found.items() if all(both)}


def draw(figure: Figure, paper: Paper) -> Picture:
    found = {b: ratio(*both) for b, both in pairs(figure).items()}
    found["network"] = ratio(*(figure.ours(scheduler=s) for s in OURS))
    theirs = paper["ios"]["latency_ms"]["inception_v3"]
    picture, (ax,) = charts.axes()
    charts.bars(ax, found, {"opsched": list(found.values())})
    charts.published_points(ax, [len(found) - 1], [theirs["sequential"] / theirs["ios-both"]], "IOS paper, V100")
    charts.line_at_one(ax)
    ax.set(xlabel="block of Inception V3; the network run as a whole", ylabel="speed-up of IOS-Both over sequential")
    charts.legend_above(ax, 2)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    found = pairs(figure)
    rows = [[b, f"{one.numbers['operators']:.0f}", figure.marks.cell(one), figure.marks.cell(both, one),
             f"{both.numbers['stages']:.0f}", ratio_text(ratio(one, both))] for b, (one, both) in found.items()]
    sums = [sum(both[i].value for both in found.values()) for i in range(2)]
    whole = [figure.ours(scheduler=s) for s in OURS]
    if found:
        rows.append(["all", "", *map(ms_text, sums), "", ratio_text(sums[0] / sums[1])])
    rows.append(["run as a whole", "", figure.marks.cell(whole[0]), figure.marks.cell(whole[1], whole[0]), "",
                 ratio_text(ratio(*whole))])
    gains = {b: ratio(*both) for b, both in found.items()}
    branched = [b for b, (one, _) in found.items() if one.numbers["operators"] > 8]
    if branched:
        agrees = (f"As in the paper, the blocks with branches gain: {join(branched)} by {min(gains[b] for b in branched):.2f} "
                  f"to {max(gains[b] for b in branched):.2f} times, most {max(branched, key=gains.get)}.")
    else:
        agrees = "The blocks with branches are not timed, so there is no comparison."
    plain = [f"{b} {ratio_text(gains[b])}" for b in found if b not in branched]
    differs = f"Others have few operators that can run concurrently ({join(plain)}). "
    if found and all(whole):
        parts = " and ".join(f"{100 * total / r.value:.0f}% for {r.scheduler}" for total, r in zip(sums, whole))
        theirs = paper["ios"]["latency_ms"]["inception_v3"]
        differs += (f"The sums are {parts} of the latency of the whole schedules, because a stage timed alone does not "
                    "include cache effects of its neighbours. The paper gives no numbers for its bars, so only the whole network "
                    f"can be compared: {ratio_text(ratio(*whole))} here, "
                    f"{ratio_text(theirs['sequential'] / theirs['ios-both'])} there.")
    return Comparison(["block", "operators", "sequential, ms", "IOS-Both, ms", "stages", "speed-up"], rows, agrees, differs,
                      "A block's latency is the sum of its stages, each timed between barriers in its own CUDA graph. "
                      "Blocks are not run separately.")
