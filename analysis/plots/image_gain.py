"""Gain of several GPUs over IOS on one, at small and large images."""

from typing import Any

from plots import hios
from plots.data import NETWORKS, Data, cell, join, ratio, ratio_text
from plots.page import Comparison


def gains(data: Data, network: str, gpus: int) -> dict[int, float]:
    """By image size: latency of IOS on one GPU over the best on several."""
    found = {}
    for image in hios.sizes(data, network):
        base, other = hios.base(data, network, image, gpus), hios.best(data, network, image, gpus)
        if base and other:
            found[image] = base["ms"] / other["ms"]
    return found


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    networks = data.names("network")
    picture, parts = style.axes(len(networks), width=8, sharey=True)
    for ax, network in zip(parts, networks):
        images = hios.sizes(data, network)
        for i, gpus in enumerate(hios.several(data)):
            found = gains(data, network, gpus)
            ax.bar([images.index(s) + (i - 0.5) * 0.35 for s in found], list(found.values()), 0.35, color=style.COLORS[i],
                   hatch=style.HATCHES[i], edgecolor="black", linewidth=0.4, label=f"{gpus} GPUs")
        ax.axhline(1, color="black", linewidth=0.6)
        ax.set_xticks(range(len(images)), [str(i) for i in images])
        ax.set(title=NETWORKS[network], xlabel="image size, pixels")
    parts[0].set_ylabel("speed-up of the best schedule\nover one GPU")
    parts[0].legend(loc="upper left")
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    rows, grows, shrinks, single = [], [], [], []
    for network in data.names("network"):
        for gpus in hios.several(data):
            found = gains(data, network, gpus)
            for image, gain in found.items():
                base, other = hios.base(data, network, image, gpus), hios.best(data, network, image, gpus)
                full, inter = (hios.best(data, network, image, gpus, s) for s in (["hios-lp", "hios-mr"],
                                                                                 ["hios-lp-inter", "hios-mr-inter"]))
                rows.append([NETWORKS[network], str(image), str(gpus), f"{cell(base)} ({hios.NAMES[base['scheduler']]})",
                             f"{cell(other)} ({hios.NAMES[other['scheduler']]})", ratio_text(gain),
                             ratio_text(ratio(base["ms"], inter["ms"] if inter else None)),
                             ratio_text(ratio(base["ms"], full["ms"] if full else None))])
            name = f"{NETWORKS[network]} on {gpus} GPUs"
            if len(found) < 2:
                single += [f"{name}: {ratio_text(g)} at {i}" for i, g in found.items()]
                continue
            small, large = min(found), max(found)
            words = f"{name} ({ratio_text(found[small])} at {small}, {ratio_text(found[large])} at {large})"
            (grows if found[large] > found[small] else shrinks).append(words)
    agrees = (f"The gain grows with the image, as in the paper: {join(grows)}." if grows else
              f"Measured at one image size only: {join(single)}; the paper's gain over IOS on 2 GPUs is up to "
              f"{ratio_text(1 / (1 - paper['hios']['largest_gain_over_ios']))}." if single else
              "The gain does not grow with the image here.")
    differs = (f"It shrinks on {join(shrinks)}. " if shrinks else "") + hios.missing(data)
    return Comparison(["network", "image", "GPUs", "one GPU, ms", "several, ms", "gain of the best", "of inter-GPU alone",
                       "of HIOS-LP, HIOS-MR"], rows, agrees, differs or
                      "Nothing contradicts the paper.")
