"""Latency by image size: one GPU, operators in parallel on two (HIOS), operators in strips, and both; measured with one or more versions of
our kernels."""

from opsched.page import NETWORKS, distinct, fastest, join
from opsched.plots import charts, hios
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record

SERIES = {"one": "one GPU, best", "hios": "whole operators (HIOS)", "split": "split", "both": "HIOS over strips"}
Point = tuple[str, str, int]  # network, precision, image


def series_of(record: Record) -> str | None:
    if record.gpus == 1:
        return "one"
    if record.scheduler == "split":
        return "split"
    if record.scheduler not in hios.OF_HIOS:
        return None
    return "both" if record.options.get("split") == "rows" else "hios"


def version(kernels: str) -> int:
    """12 for "12 tuned-3f2a"; 0 if unknown."""
    first = kernels.split(" ")[0]
    return int(first) if first.isdecimal() else 0


def found(figure: Figure) -> dict[Point, dict[str, Record]]:
    """The fastest of each series, by network, precision and image. All of a point are of the same kernels: the newest
    with which one GPU and several were measured, if there are any."""
    points: dict[Point, dict[str, dict[str, list[Record]]]] = {}
    for record in figure.all(software="opsched", quantity="latency"):
        if (series := series_of(record)) is not None:
            at = (record.network, record.precision, hios.size(record))
            kernels = figure.marks.run_of(record).kernels
            points.setdefault(at, {}).setdefault(kernels, {}).setdefault(series, []).append(record)

    def rank(item: tuple[str, dict[str, list[Record]]]) -> tuple[bool, int, str]:
        kernels, there = item
        return "one" in there and len(there) > 1, version(kernels), kernels

    return {at: {name: fastest(records) for name, records in max(points[at].items(), key=rank)[1].items()}
            for at in sorted(points)}


def draw(figure: Figure, paper: Paper) -> Picture:
    points = found(figure)
    # Only the table has room for those without strips.
    known = {at: there for at, there in points.items() if "one" in there and {"split", "both"} & there.keys()}
    networks = distinct(n for n, _, _ in known)
    widths = [max(3, sum(at[0] == network for at in known)) for network in networks]
    picture, parts = charts.axes(max(1, len(networks)), width=max(10, 0.5 * sum(widths)), sharey=True, width_ratios=widths or None)
    for ax, network in zip(parts, networks):
        groups = {at: f"{at[2]}\n{at[1]}" for at in known if at[0] == network}
        charts.grouped_bars(ax, groups, {k: name for k, name in SERIES.items() if any(k in there for there in known.values())},
                            lambda at, key: known[at].get(key),
                            lambda record, ms: known[record.network, record.precision, hios.size(record)]["one"].value / ms)
        charts.line_at_one(ax)
        ax.set(title=NETWORKS[network], xlabel="image size (pixels), precision")
    parts[0].set_ylabel("speed-up over one GPU at its best")
    charts.legend_beside(parts[-1], *parts)
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
                      "Every row is of one version of our kernels, the newest that measured one GPU and two; on one GPU the fastest of "
                      "all schedulers.")
