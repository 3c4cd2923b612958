"""A tuned compiler, which makes every operator fast, against IOS, which runs operators side by side."""

from typing import Any

from page import BASELINES, NETWORKS, fastest, join, ms_text, ratio, ratio_text
from plots import baselines
from plots.figure import Figure
from plots.page import Comparison
from plots.paper import networks_with

OURS = {"sequential": "sequential", "ios-both": "IOS-Both"}


def compilers(figure: Figure) -> list[tuple[str, str]]:
    """Ways to run that generate or tune kernels."""
    return [k for k in baselines.keys(figure) if "compile" in k[1] or k[0] in ("jax", "tensorrt")]


def draw(figure: Figure, paper: dict[str, Any]) -> Any:
    from plots import charts, style

    base = {n: r.value for n in figure.names("network") if (r := figure.ours(network=n, scheduler="sequential"))}
    picture, (ax,) = style.axes()
    charts.grouped_bars(ax, {n: NETWORKS[n] for n in base}, {**{k: BASELINES[k] for k in compilers(figure)}, **OURS},
                        lambda n, k: baselines.find(figure, n, k), lambda record, ms: base[record.network] / ms)
    ax.axhline(1, color="black", linewidth=0.6)
    ax.set_ylabel("speed-up over our sequential")
    charts.legend_above(ax, 4)
    return picture


def compare(figure: Figure, paper: dict[str, Any]) -> Comparison:
    rows, faster, slower, paper_faster = [], [], [], []
    tuned = compilers(figure)
    for network in networks_with(paper, figure.names("network")):
        name, theirs = NETWORKS[network], paper["ios"]["latency_ms"].get(network, {})
        base = figure.ours(network=network, scheduler="sequential")
        rows.append([name, *(figure.marks.cell(baselines.find(figure, network, k), base) for k in [*tuned, *OURS]),
                     *(ms_text(theirs.get(k)) for k in ("TVM-cuDNN", "ios-both"))])
        if theirs:
            paper_faster.append(f"{name} {ratio_text(theirs['TVM-cuDNN'] / theirs['ios-both'])}")
        best = fastest(r for k in tuned if (r := baselines.find(figure, network, k)))
        if gain := ratio(best, figure.ours(network=network, scheduler="ios-both")):
            (faster if gain >= 1 else slower).append(f"{name} ({ratio_text(gain)})")
    head = ["network, ms", *(BASELINES[k] for k in tuned), *OURS.values(), "paper: TVM-cuDNN", "paper: IOS"]
    if not tuned:
        return Comparison(head, rows, "Nothing can be said: no tuned compiler was measured here.",
                          f"In the paper IOS is faster than TVM-cuDNN on {join(paper_faster)}; absent here: "
                          f"{join(baselines.absent(figure))}.")
    agrees = f"IOS-Both is faster than the fastest tuned compiler on {join(faster)}; paper: {join(paper_faster)}."
    differs = (f"The compiler is faster on {join(slower)}, where it fuses what we run as operators of their own." if slower
               else "Nothing contradicts the paper; the margins differ, for compiler and GPU are others.")
    return Comparison(head, rows, agrees, differs,
                      "The paper's RandWire is another network than ours; where its row has no number of ours, it was not "
                      "measured yet.")
