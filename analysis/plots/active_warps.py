"""Active warps over time, sequential against IOS."""

from typing import Any

from plots.data import NETWORKS, Data, join
from plots.page import Comparison


def samples(data: Data, network: str, scheduler: str) -> list[tuple[float, float]]:
    return sorted((r.get("at_ms", 0), r.get("active_warps", 0)) for r in data.all(network=network, scheduler=scheduler))


def mean(points: list[tuple[float, float]]) -> float:
    return sum(warps for _, warps in points) / len(points)


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    networks = data.names("network")
    picture, parts = style.axes(len(networks), width=8)
    for ax, network in zip(parts, networks):
        for i, scheduler in enumerate(dict.fromkeys(r["scheduler"] for r in data.all(network=network))):
            points = samples(data, network, scheduler)
            ax.plot(*zip(*points), color=style.COLORS[i], linestyle=style.LINES[i], label=scheduler, linewidth=1.2)
        ax.set(title=NETWORKS.get(network, network), xlabel="time, ms", ylabel="active warps on a multiprocessor")
        ax.legend()
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    rows, more, less = [], [], []
    for network in data.names("network"):
        means = {s: mean(samples(data, network, s))
                 for s in dict.fromkeys(r["scheduler"] for r in data.all(network=network))}
        for scheduler, value in means.items():
            rows.append([NETWORKS.get(network, network), scheduler, f"{value:.4g}"])
        other = [s for s in means if s != "sequential"]
        if "sequential" in means and other:
            gain = max(means[s] for s in other) / means["sequential"]
            (more if gain > 1 else less).append(f"{NETWORKS.get(network, network)} ({gain:.2f}x)")
    agrees = (f"As in the paper, running operators side by side keeps more warps active: {join(more)}." if more else
              "More active warps, as in the paper, were not seen.")
    differs = (f"No more warps are active on {join(less)}." if less else
               "The paper's curves are of a V100, whose warps and clock differ: only the ratio can be compared.")
    return Comparison(["network", "schedule", "active warps on a multiprocessor, mean"], rows, agrees, differs)
