"""A tuned compiler, which makes every operator fast, against IOS, which runs operators side by side."""

from typing import Any

from plots import peers
from plots.data import NETWORKS, Data, cell, join, ratio, ratio_text
from plots.page import Comparison

OURS = {"sequential": "sequential", "ios-both": "IOS-Both"}


def compilers(data: Data) -> list[tuple[str, str]]:
    """Ways to run that generate or tune kernels, the most tuned last."""
    return [k for k in peers.keys(data) if "compile" in k[1] or "autotune" in k[1] or k[0] in ("jax", "tensorrt")]


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    networks = [n for n in data.names("network") if data.one(network=n, scheduler="sequential")]
    base = {n: data.ms(network=n, scheduler="sequential") for n in networks}
    picture, (ax,) = style.axes()
    charts.grouped_bars(ax, {n: NETWORKS[n] for n in networks},
                        {**{k: peers.name_of(k) for k in compilers(data)}, **OURS},
                        lambda n, k: peers.find(data, n, k), lambda row, ms: base[row["network"]] / ms)
    ax.axhline(1, color="black", linewidth=0.6)
    ax.set_ylabel("speed-up over our sequential")
    charts.legend_above(ax, 4)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["latency_ms"]
    rows, faster, slower, paper_faster = [], [], [], []
    tuned = compilers(data)
    for network in data.names("network"):
        name = NETWORKS[network]
        rows.append([name, *(cell(peers.find(data, network, k)) for k in tuned),
                     *(cell(data.one(network=network, scheduler=s)) for s in OURS),
                     f"{theirs[network]['TVM-cuDNN']:.2f}", f"{theirs[network]['ios-both']:.2f}"])
        paper_faster.append(f"{name} {ratio_text(theirs[network]['TVM-cuDNN'] / theirs[network]['ios-both'])}")
        numbers = [r["ms"] for k in tuned if (r := peers.find(data, network, k))]
        ours = data.ms(network=network, scheduler="ios-both")
        if numbers and ours:
            gain = ratio(min(numbers), ours)
            (faster if gain >= 1 else slower).append(f"{name} ({ratio_text(gain)})")
    head = ["network, ms", *(peers.name_of(k) for k in tuned), *OURS.values(), "paper: TVM-cuDNN", "paper: IOS"]
    if not tuned:
        return Comparison(head, rows, "Nothing can be said: no tuned compiler was measured here.",
                          f"In the paper IOS is faster than TVM-cuDNN on {join(paper_faster)}; absent here: "
                          f"{join(peers.absent(data))}.")
    agrees = f"IOS-Both is faster than the fastest tuned compiler on {join(faster)}; paper: {join(paper_faster)}."
    differs = (f"The compiler is faster on {join(slower)}, where it fuses what we run as operators of their own." if slower
               else "Nothing contradicts the paper; the margins differ, for compiler and GPU are others.")
    return Comparison(head, rows, agrees, differs)
