"""Latency by image size: one GPU, operators side by side on two (HIOS), operators in strips, both."""

import itertools

from opsched.page import NETWORKS, fastest, join
from opsched.plots import charts, hios
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record

SERIES = {"one": "one GPU, best", "hios": "side by side (HIOS)", "split": "split", "both": "HIOS over strips"}
Point = tuple[str, str, int]  # network, precision, image


def series_of(record: Record) -> str | None:
    if record.gpus == 1:
        return "one"
    if record.scheduler == "split":
        return "split"
    if record.scheduler not in hios.OF_HIOS:
        return None
    return "both" if record.options.get("split") == "rows" else "hios"


def found(figure: Figure) -> dict[Point, dict[str, Record]]:
    """The fastest of each series, by network, precision and image."""
    points: dict[Point, dict[str, list[Record]]] = {}
    for record in figure.all(software="opsched", quantity="latency"):
        if (series := series_of(record)) is not None:
            at = (record.network, record.precision, hios.size(record))
            points.setdefault(at, {}).setdefault(series, []).append(record)
    return {at: {name: fastest(records) for name, records in points[at].items()} for at in sorted(points)}


def draw(figure: Figure, paper: Paper) -> Picture:
    points = found(figure)
    networks, precisions = (sorted({at[i] for at in points}) for i in (0, 1))
    picture, parts = charts.axes(max(1, len(precisions)), max(1, len(networks)), 4 * max(1, len(precisions)),
                                 2.9 * max(1, len(networks)))
    for ax, (network, precision) in zip(parts, itertools.product(networks, precisions)):
        images = sorted({image for n, p, image in points if (n, p) == (network, precision)})
        charts.lines(ax, images, SERIES, lambda image, key, n=network, p=precision: points[n, p, image].get(key))
        ax.set(title=f"{NETWORKS.get(network, network)}, {precision}", xscale="log", yscale="log",
               xlabel="image size, pixels", ylabel="latency, ms")
        charts.logarithmic_ticks(ax, images)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=6.5)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, wins, slower = [], {name: [] for name in ("hios", "split", "both")}, []
    for (network, precision, image), there in found(figure).items():
        one = there.get("one")
        where = f"{NETWORKS.get(network, network)} at {image} in {precision}"
        rows.append([NETWORKS.get(network, network), precision, str(image),
                     *(figure.marks.cell(there[name], one) if name in there else "-" for name in SERIES)])
        several = {name: record for name, record in there.items() if name != "one"}
        if not one or not several:
            continue
        best = min(several, key=lambda name: several[name].value)
        gain = one.value / several[best].value
        if gain > 1:
            wins[best].append(f"{where} ({gain:.2f} times as fast as one GPU)")
        else:
            slower.append(where)
    words = [f"the fastest on two GPUs is {SERIES[name]} for {join(places)}" for name, places in wins.items() if places]
    sentence = "; ".join(words)
    agrees = (f"{sentence[0].upper()}{sentence[1:]}." if words
              else "Nowhere are two GPUs faster than one here.")
    return Comparison(["network", "precision", "image", *SERIES.values()], rows, agrees,
                      f"One GPU is the fastest on {join(slower)}." if slower else
                      "HIOS has no strips; nothing in the paper stands beside them.",
                      "All of one run; on one GPU the fastest of all schedulers.")
