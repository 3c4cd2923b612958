"""Latency by image size and number of GPUs, every algorithm."""

from typing import Any

from plots import hios
from plots.data import NETWORKS, Data, cell, join
from plots.page import Comparison


def series(data: Data) -> dict[tuple[str, int], str]:
    keys = sorted({(r["gpus"], list(hios.NAMES).index(r["scheduler"])) for r in data.rows})
    return {(list(hios.NAMES)[s], g): f"{list(hios.NAMES.values())[s]}, {g} GPU{'s' if g > 1 else ''}" for g, s in keys}


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    networks, counts = data.names("network"), hios.several(data) or [1]
    picture, parts = style.plt.subplots(len(networks), len(counts), figsize=(8.5, 2.9 * len(networks)),
                                        layout="constrained", squeeze=False, sharey="row")
    for i, network in enumerate(networks):
        images = hios.sizes(data, network)
        for ax, gpus in zip(parts[i], counts):
            shown = {key: name for key, name in series(data).items() if key[1] in (1, gpus)}
            charts.lines(ax, images, shown, lambda image, key, n=network: hios.find(data, n, image, *key))
            ax.set(title=f"{NETWORKS[network]}, {gpus} GPUs beside one", xscale="log", yscale="log")
            ax.set_xticks(images, [str(image) for image in images])
            ax.xaxis.set_minor_locator(style.NullLocator())
            for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
                formatter(style.LogFormatter(minor_thresholds=(2, 0.6)))
            ax.legend(fontsize=6.5)
            ax.set_xlabel("image size, pixels")
        parts[i][0].set_ylabel("latency, ms")
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    rows, faster, slower = [], [], []
    most = paper["hios"]["largest_gain_over_ios"]
    for network in data.names("network"):
        for image in hios.sizes(data, network):
            for (scheduler, gpus), name in series(data).items():
                row = hios.find(data, network, image, scheduler, gpus)
                if row:
                    rows.append([NETWORKS[network], str(image), name, cell(row)])
            for gpus in hios.several(data):
                base = hios.base(data, network, image, gpus)
                other = hios.best(data, network, image, gpus, hios.OF_HIOS)
                if base and other:
                    gain = 1 - other["ms"] / base["ms"]
                    (faster if gain > 0 else slower).append(
                        f"{NETWORKS[network]} at {image} on {gpus} GPUs ({100 * abs(gain):.0f}% {'below' if gain > 0 else 'above'} "
                        f"{hios.NAMES[base['scheduler']]} on one)")
    agrees = (f"Several GPUs beat one on {join(faster)}; the paper's largest gain over IOS, on 2 GPUs, is "
              f"{100 * most:.0f}%." if faster else "Nowhere do several GPUs beat one here.")
    differs = (f"They do not on {join(slower)}: operators there are shorter than what a hop between GPUs takes. " if slower
               else "") + hios.missing(data)
    return Comparison(["network", "image", "algorithm", "ms"], rows, agrees, differs or
                      "The paper gives its figures without numbers beyond that gain; nothing contradicts it.")
