"""Frameworks compared: what a user would run instead, beside ours."""

from typing import Any

from plots import peers
from plots.data import NETWORKS, Data, cell, join, ratio, ratio_text
from plots.page import Comparison

OURS = {"sequential": "ours, sequential", "ios-both": "ours, IOS-Both", "dataflow": "ours, dataflow"}
PAPER = ["TensorRT", "TVM-cuDNN", "TASO", "TensorFlow", "TensorFlow XLA"]


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    networks = data.names("network")
    base = {n: data.ms(network=n, scheduler="ios-both") for n in networks}
    networks = [n for n in networks if base[n]]
    series = {**{k: peers.name_of(k) for k in peers.keys(data)}, **OURS}
    picture, (ax,) = style.axes(width=8.5, height=3.8)
    charts.grouped_bars(ax, {n: NETWORKS[n] for n in networks}, series, lambda n, k: peers.find(data, n, k),
                        lambda row, ms: base[row["network"]] / ms)
    ax.set_ylabel("throughput / that of IOS-Both")
    charts.legend_above(ax, 3)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["latency_ms"]
    known = peers.keys(data)
    rows, faster, slower = [], [], []
    for network in data.names("network"):
        rows.append([NETWORKS[network], *(cell(peers.find(data, network, k)) for k in known),
                     *(cell(data.one(network=network, scheduler=s)) for s in OURS)])
        best = peers.best(data, network=network)
        ours = data.one(network=network, scheduler="ios-both")
        if best is None or ours is None:
            continue
        rivals = {p: theirs[network][p] for p in PAPER}
        first = min(rivals, key=rivals.get)
        gain, paper_gain = ratio(best["ms"], ours["ms"]), ratio(rivals[first], theirs[network]["ios-both"])
        words = (f"{NETWORKS[network]} by {ratio_text(gain)} over {peers.name_of((best['peer'], best['mode']))} (paper: "
                 f"{ratio_text(paper_gain)} over {first})")
        (faster if gain >= 1 else slower).append(words)
    agrees = f"IOS-Both is faster than every framework that was measured: {join(faster)}." if faster else \
        "None of the paper's leads over frameworks is reproduced."
    differs = []
    if slower:
        differs.append(f"A framework is faster on {join(slower)}")
    differs.append(f"TVM, TASO and TensorFlow are not compared with: PyTorch stands in their place; absent here: "
                   f"{join(peers.absent(data))}")
    alone = [f"{NETWORKS[n]} {ratio_text(gain)}" for n in data.names("network")
             if (gain := ratio(data.ms(network=n, peer="pytorch", mode="sequential"),
                               data.ms(network=n, scheduler="sequential")))]
    if alone:
        differs.append("part of our lead is kernels, not schedules: both sequential in one CUDA graph, ours against "
                       f"PyTorch's gains {join(alone)}")
    text = "; ".join(differs)
    return Comparison(["network, ms", *(peers.name_of(k) for k in known), *OURS.values()], rows, agrees,
                      text[0].upper() + text[1:] + ".")
