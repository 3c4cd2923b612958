"""A tuned compiler, which speeds up single operators, compared with IOS, which runs operators in parallel."""

from opsched.page import NETWORKS, baseline_name, fastest, join, ms_text, ratio, ratio_text
from opsched.plots import baselines, charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.plots.paper import RANDWIRE, networks_with

OURS = {"sequential": "sequential", "ios-both": "IOS-Both"}


def compilers(figure: Figure) -> list[tuple[str, str]]:
    """Modes that generate or tune kernels."""
    return [k for k in baselines.keys(figure) if "compile" in k[1] or k[0] in ("jax", "tensorrt")]


def draw(figure: Figure, paper: Paper) -> Picture:
    series = OURS | {k: baseline_name(*k) for k in compilers(figure)}  # the same colours in both parts
    label = "speed-up over sequential"
    picture, (here, there) = charts.axes(1, 2, 8, 5)
    baselines.draw_relative(here, figure, series, lambda n: figure.ours(network=n, scheduler="sequential"), label)
    baselines.draw_published(there, paper["ios"]["latency_ms"], {**OURS, "TVM-cuDNN": "TVM-cuDNN"}, "sequential", label)
    for ax in (here, there):
        charts.line_at_one(ax)
        charts.legend_beside(ax)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, faster, slower, paper_faster = [], [], [], []
    tuned = compilers(figure)
    for network in networks_with(paper, figure):
        name, theirs = NETWORKS[network], paper["ios"]["latency_ms"].get(network, {})
        base = figure.ours(network=network, scheduler="sequential")
        rows.append([name, *(figure.marks.cell(baselines.find(figure, network, k), base) for k in [*tuned, *OURS]),
                     *(ms_text(theirs.get(k)) for k in ("TVM-cuDNN", "ios-both"))])
        if theirs:
            paper_faster.append(f"{name} {ratio_text(theirs['TVM-cuDNN'] / theirs['ios-both'])}")
        best = fastest(r for k in tuned if (r := baselines.find(figure, network, k)))
        if gain := ratio(best, figure.ours(network=network, scheduler="ios-both")):
            (faster if gain >= 1 else slower).append(f"{name} ({ratio_text(gain)})")
    head = ["network, ms", *baselines.names(tuned), *OURS.values(), "paper: TVM-cuDNN", "paper: IOS"]
    if not tuned:
        return Comparison(head, rows, "No tuned compiler was measured here, so there is no comparison.",
                          f"In the paper IOS is faster than TVM-cuDNN on {join(paper_faster)}; missing here: "
                          f"{join(baselines.absent(figure))}.")
    agrees = f"IOS-Both is faster than the fastest tuned compiler on {join(faster)}; paper: {join(paper_faster)}."
    differs = (f"The compiler is faster on {join(slower)}, where it fuses operators that we run separately." if slower
               else "Nothing contradicts the paper. The margins differ because compiler and GPU do.")
    return Comparison(head, rows, agrees, differs, RANDWIRE)
