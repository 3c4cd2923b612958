"""Speed-up of several GPUs over IOS on one, at small and large images."""

from opsched.page import NETWORKS, join, ratio, ratio_text
from opsched.plots import charts, hios, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record


def points(figure: Figure, network: str, gpus: int) -> dict[int, tuple[list[Record], Record, Record]]:
    """By image size: measurements of the run, IOS on one GPU, the fastest on several."""
    found = {image: (there, hios.base(there), hios.best(there, gpus))
             for image, there in hios.by_size(figure, network, gpus).items()}
    return {image: entry for image, entry in found.items() if all(entry)}


def largest_gain(paper: Paper) -> float:
    """Speed-up of HIOS on 2 GPUs over IOS on one."""
    return 1 / (1 - paper["hios"]["largest_gain_over_ios"])


def draw(figure: Figure, paper: Paper) -> Picture:
    networks = figure.names("network")
    picture, parts = charts.axes(len(networks), width=8, sharey=True)
    for ax, network in zip(parts, networks):
        images = hios.sizes(figure, network)
        gains = {gpus: {image: ratio(base, best) for image, (_, base, best) in points(figure, network, gpus).items()}
                 for gpus in hios.several(figure)}
        charts.bars(ax, images, {f"{gpus} GPUs": [found.get(i) for i in images] for gpus, found in gains.items()}, 0.35)
        charts.line_at_one(ax)
        ax.axhline(largest_gain(paper), label="HIOS paper, 2 GPUs,\nits largest gain", **{**style.PAPER, "marker": None})
        ax.set(title=NETWORKS[network], xlabel="image size, pixels")
    if parts:
        parts[0].set_ylabel("speed-up of the best schedule\nover one GPU")
        charts.legend_beside(parts[-1], *parts)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
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
    most = ratio_text(largest_gain(paper))
    agrees = (f"The gain grows with the image size, as in the paper: {join(grows)}." if grows else
              f"Measured at one image size only: {join(single)}; the paper's gain over IOS on 2 GPUs is up to {most}." if single
              else "The gain does not grow with the image size here.")
    differs = (f"It shrinks on {join(shrinks)}. " if shrinks else "") + hios.missing(figure)
    return Comparison(["network", "image", "GPUs", "one GPU, ms", "several, ms", "gain of the best", "of inter-GPU alone",
                       "of HIOS-LP, HIOS-MR"], rows, agrees, differs.strip() or "Nothing contradicts the paper.",
                      "One GPU and several are from the same run. One GPU is IOS-Both if it was measured, otherwise the fastest.")
