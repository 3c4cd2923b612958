"""Latency by image size and number of GPUs, every algorithm."""

from typing import Any

from page import NETWORKS, join, plural
from plots import hios
from plots.figure import Figure
from plots.page import Comparison


def series(figure: Figure, gpus: int) -> dict[tuple[str, int], str]:
    """Of one run: what ran on one GPU, then what ran on all."""
    keys = {(r.gpus, r.scheduler) for r in hios.rows(figure, gpus)}
    return {(s, g): f"{name}, {plural(g, 'GPU')}" for g in (1, gpus) for s, name in hios.NAMES.items() if (g, s) in keys}


def draw(figure: Figure, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    networks, counts = figure.names("network"), hios.several(figure) or [1]
    picture, parts = style.plt.subplots(len(networks), len(counts), figsize=(8.5, 2.9 * len(networks)),
                                        layout="constrained", squeeze=False, sharey="row")
    for i, network in enumerate(networks):
        images = hios.sizes(figure, network)
        for ax, gpus in zip(parts[i], counts):
            found = {(hios.size(r), r.scheduler, r.gpus): r for r in hios.rows(figure, gpus, network=network)}
            charts.lines(ax, images, series(figure, gpus), lambda image, key, found=found: found.get((image, *key)))
            ax.set(title=f"{NETWORKS[network]}, {plural(gpus, 'GPU')} beside one", xscale="log", yscale="log")
            ax.set_xticks(images, [str(image) for image in images])
            ax.xaxis.set_minor_locator(style.NullLocator())
            for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
                formatter(style.LogFormatter(minor_thresholds=(2, 0.6)))
            if ax.get_legend_handles_labels()[0]:
                ax.legend(fontsize=6.5)
            ax.set_xlabel("image size, pixels")
        parts[i][0].set_ylabel("latency, ms")
    return picture


def compare(figure: Figure, paper: dict[str, Any]) -> Comparison:
    rows, faster, slower = [], [], []
    for network in figure.names("network"):
        for gpus in hios.several(figure) or [1]:
            for image in hios.sizes(figure, network):
                there = [r for r in hios.rows(figure, gpus, network=network) if hios.size(r) == image]
                base, other = hios.base(there), hios.best(there, gpus, hios.OF_HIOS)
                by_key = {(r.scheduler, r.gpus): r for r in there}
                rows += [[NETWORKS[network], str(image), str(gpus), name, figure.marks.cell(by_key[key], base)]
                         for key, name in series(figure, gpus).items() if key in by_key]
                if base and other and gpus > 1:
                    gain = 1 - other.value / base.value
                    (faster if gain > 0 else slower).append(
                        f"{NETWORKS[network]} at {image} on {gpus} GPUs ({100 * abs(gain):.1f}% "
                        f"{'below' if gain > 0 else 'above'} {hios.NAMES[base.scheduler]} on one)")
    agrees = (f"Several GPUs beat one on {join(faster)}; the paper's largest gain over IOS, on 2 GPUs, is "
              f"{100 * paper['hios']['largest_gain_over_ios']:.0f}%." if faster else "Nowhere do several GPUs beat one here.")
    differs = (f"They do not on {join(slower)}: operators there are shorter than what a hop between GPUs takes. " if slower
               else "") + hios.missing(figure)
    return Comparison(["network", "image", "run on GPUs", "algorithm", "ms"], rows, agrees, differs.strip() or
                      "The paper gives its figures without numbers beyond that gain; nothing contradicts it.",
                      "Sentences, table and picture compare within one run: one GPU and all of that run.")
