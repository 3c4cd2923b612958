"""Gain of several GPUs over IOS on one, at small and large images."""

from typing import Any

from page import NETWORKS, join, ratio, ratio_text
from plots import hios
from plots.figure import Figure
from plots.page import Comparison
from records import Record


def points(figure: Figure, network: str, gpus: int) -> dict[int, tuple[list[Record], Record, Record]]:
    """By image size: what that run measured, IOS on one GPU, the fastest on several."""
    found = {}
    for image in hios.sizes(figure, network):
        there = [r for r in hios.rows(figure, gpus, network=network) if hios.size(r) == image]
        base, best = hios.base(there), hios.best(there, gpus)
        if base and best:
            found[image] = (there, base, best)
    return found


def draw(figure: Figure, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    networks = figure.names("network")
    picture, parts = style.axes(len(networks), width=8, sharey=True)
    for ax, network in zip(parts, networks):
        images = hios.sizes(figure, network)
        for i, gpus in enumerate(hios.several(figure)):
            found = points(figure, network, gpus)
            ax.bar([images.index(image) + (i - 0.5) * 0.35 for image in found],
                   [ratio(base, best) for _, base, best in found.values()], 0.35, label=f"{gpus} GPUs", **charts.bar_look(i))
        ax.axhline(1, color="black", linewidth=0.6)
        ax.set_xticks(range(len(images)), [str(i) for i in images])
        ax.set(title=NETWORKS[network], xlabel="image size, pixels")
    parts[0].set_ylabel("speed-up of the best schedule\nover one GPU")
    if hios.several(figure):
        parts[0].legend(loc="upper left")
    return picture


def compare(figure: Figure, paper: dict[str, Any]) -> Comparison:
    rows, grows, shrinks, single = [], [], [], []
    for network in figure.names("network"):
        for gpus in hios.several(figure):
            found = points(figure, network, gpus)
            for image, (there, base, best) in found.items():
                inter = hios.best(there, gpus, ["hios-lp-inter", "hios-mr-inter"])
                full = hios.best(there, gpus, ["hios-lp", "hios-mr"])
                rows.append([NETWORKS[network], str(image), str(gpus),
                             f"{figure.marks.cell(base)} ({hios.NAMES[base.scheduler]})",
                             f"{figure.marks.cell(best, base)} ({hios.NAMES[best.scheduler]})",
                             *(ratio_text(ratio(base, r)) for r in (best, inter, full))])
            name = f"{NETWORKS[network]} on {gpus} GPUs"
            gains = {image: ratio(base, best) for image, (_, base, best) in found.items()}
            if len(gains) < 2:
                single += [f"{name}: {ratio_text(g)} at {i}" for i, g in gains.items()]
                continue
            small, large = min(gains), max(gains)
            words = f"{name} ({ratio_text(gains[small])} at {small}, {ratio_text(gains[large])} at {large})"
            (grows if gains[large] > gains[small] else shrinks).append(words)
    most = ratio_text(1 / (1 - paper["hios"]["largest_gain_over_ios"]))
    agrees = (f"The gain grows with the image, as in the paper: {join(grows)}." if grows else
              f"Measured at one image size only: {join(single)}; the paper's gain over IOS on 2 GPUs is up to {most}." if single
              else "The gain does not grow with the image here.")
    differs = (f"It shrinks on {join(shrinks)}. " if shrinks else "") + hios.missing(figure)
    return Comparison(["network", "image", "GPUs", "one GPU, ms", "several, ms", "gain of the best", "of inter-GPU alone",
                       "of HIOS-LP, HIOS-MR"], rows, agrees, differs.strip() or "Nothing contradicts the paper.",
                      "One GPU is that of the same run as several: IOS-Both where it was measured, else the fastest.")
