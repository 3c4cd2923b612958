"""Latency of every algorithm by image size and number of GPUs."""

import itertools

from opsched.page import NETWORKS, join, plural
from opsched.plots import charts, hios
from opsched.plots.figure import Comparison, Figure, Paper, Picture


def series(figure: Figure, gpus: int) -> dict[tuple[str, int], str]:
    """The series of one run: first on one GPU, then on all."""
    keys = {(r.gpus, r.scheduler) for r in hios.rows(figure, gpus)}
    return {(s, g): f"{name}, {plural(g, 'GPU')}" for g in (1, gpus) for s, name in hios.NAMES.items() if (g, s) in keys}


def algorithms(figure: Figure, gpus: int) -> dict[tuple[str, int], str]:
    """All series except sequential on one GPU, with names that do not depend on the number of GPUs."""
    return {key: name.replace(f"{gpus} GPUs", "all GPUs") for key, name in series(figure, gpus).items()
            if key != ("sequential", 1)}


def draw(figure: Figure, paper: Paper) -> Picture:
    networks, counts = figure.names("network"), hios.several(figure) or [1]
    picture, parts = charts.axes(len(counts), len(networks), 9, 2.9 * len(networks), sharey="row")
    for ax, (network, gpus) in zip(parts, itertools.product(networks, counts)):
        found = {(hios.size(r), r.scheduler, r.gpus): r for r in hios.rows(figure, gpus, network=network)}
        base = {image: r.value for image in hios.sizes(figure, network) if (r := found.get((image, "sequential", 1)))}
        charts.lines(ax, list(base), algorithms(figure, gpus), lambda image, key, found=found: found.get((image, *key)),
                     lambda record, ms, base=base: base[hios.size(record)] / ms)
        charts.ticks_at(ax, base)
        charts.line_at_one(ax)
        ax.set(title=f"{NETWORKS[network]} on {plural(gpus, 'GPU')}", xlabel="image size, pixels",
               ylabel="speed-up over sequential\non one GPU" if gpus == counts[0] else None)
    for row in range(0, len(parts), len(counts)):
        charts.legend_beside(parts[row + len(counts) - 1], *parts[row:row + len(counts)])
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, faster, slower = [], [], []
    for network in figure.names("network"):
        for gpus in hios.several(figure) or [1]:
            for image, there in hios.by_size(figure, network, gpus).items():
                base, other = hios.base(there), hios.best(there, gpus, hios.OF_HIOS)
                by_key = {(r.scheduler, r.gpus): r for r in there}
                rows += [[NETWORKS[network], str(image), str(gpus), name, figure.marks.cell(by_key[key], base)]
                         for key, name in series(figure, gpus).items() if key in by_key]
                if base and other and gpus > 1:
                    gain = 1 - other.value / base.value
                    (faster if gain > 0 else slower).append(
                        f"{NETWORKS[network]} at {image} on {gpus} GPUs ({100 * abs(gain):.1f}% "
                        f"{'below' if gain > 0 else 'above'} {hios.NAMES[base.scheduler]} on one)")
    agrees = (f"Several GPUs are faster than one on {join(faster)}; the paper's largest gain over IOS, on 2 GPUs, is "
              f"{100 * paper['hios']['largest_gain_over_ios']:.0f}%." if faster else "Several GPUs are never faster than one here.")
    differs = (f"They are not on {join(slower)}, where operators are shorter than a transfer between GPUs. " if slower
               else "") + hios.missing(figure)
    return Comparison(["network", "image", "run on GPUs", "algorithm", "ms"], rows, agrees, differs.strip() or
                      "The paper gives no other numbers for this figure; nothing contradicts it.",
                      "All comparisons are within one run.")
