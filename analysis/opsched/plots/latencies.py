"""All latencies, next to those of the paper (V100) and of its public code on an H200."""

from opsched.page import NETWORKS, SCHEDULERS, join, ms_text, name_of, ratio_text
from opsched.plots import baselines, charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.plots.paper import networks_with
from opsched.records import Record

SERIES = {s: SCHEDULERS[s] for s in ("sequential", "wavefront", "ios-merge", "ios-parallel", "ios-both")}
# Ablations that run the unmodified search of IOS-Both, the one closest to normal use first.
SEARCHES = [("measuring", "as needed"), ("strategies", "both"), ("pruning", "r=3 s=8")]


def of_ours(figure: Figure, network: str) -> dict[str, Record]:
    return {s: r for s in SERIES if (r := figure.ours(network=network, scheduler=s))}


def gain(latencies: dict[str, float]) -> float | None:
    """Speed-up of the best IOS schedule over sequential."""
    found = [v for k, v in latencies.items() if k.startswith("ios")]
    return latencies["sequential"] / min(found) if found and "sequential" in latencies else None


def gains(figure: Figure, paper: Paper, network: str) -> list[float | None]:
    """Our speed-up, the paper's, and that of its public code."""
    return [gain({s: r.value for s, r in of_ours(figure, network).items()}),
            *(gain(paper[source]["latency_ms"].get(network, {})) for source in ("ios", "ios_code"))]


def search(figure: Figure, network: str) -> Record | None:
    """IOS-Both's search from an empty profile, which is what the paper timed; taken from the ablations. A replay of one has
    no search time."""
    for study, variant in SEARCHES:
        for r in figure.records.select(network=network, batch=1, precision="fp32", study=study, variant=variant, part=None):
            if "search_seconds" in r.numbers:
                return r
    return None


def draw(figure: Figure, paper: Paper) -> Picture:
    networks = networks_with(paper, figure)
    found = zip(*([gain or 0 for gain in gains(figure, paper, n)] for n in networks))
    picture, (ax,) = charts.axes()
    charts.bars(ax, [NETWORKS[n] for n in networks], dict(zip(("opsched", "IOS paper, V100", "IOS public code, H200"), found)), 0.27)
    charts.line_at_one(ax)
    ax.set_ylabel("speed-up of the best IOS schedule\nover sequential")
    charts.legend_above(ax, 3)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, agree, less, alone, code = [], [], [], [], []
    for network in networks_with(paper, figure):
        name, ours = NETWORKS[network], of_ours(figure, network)
        found, best = search(figure, network), baselines.best(figure, network=network)
        rows.append([f"{name}: ours", *(figure.marks.cell(ours.get(s), ours.get("sequential")) for s in SERIES),
                     f"{found.numbers['search_seconds']:.3g}" if found else "-",
                     f"{ms_text(best.value)} ({name_of(best)})" if best else "-"])
        for title, source in (("paper, V100", "ios"), ("public code, H200", "ios_code")):
            if theirs := paper[source]["latency_ms"].get(network):
                rows.append([title, *(ms_text(theirs.get(s)) for s in SERIES),
                             str(paper[source]["search_seconds"].get(network, "-")),
                             f"{theirs['TensorRT']:.2f} (TensorRT)" if "TensorRT" in theirs else "-"])
        mine, of_paper, of_code = gains(figure, paper, network)
        if mine and of_paper:
            (agree if mine >= 0.9 * of_paper else less).append(f"{name} {ratio_text(mine)} (paper {ratio_text(of_paper)})")
        elif mine:
            alone.append(f"{name} {ratio_text(mine)}")
        if of_code:
            code.append(f"{name} {ratio_text(of_code)}")
    agrees = (f"The best IOS schedule reaches at least 90% of the paper's speed-up on {join(agree)}." if agree else
              "The best IOS schedule never reaches 90% of the paper's speed-up.")
    differs = (f"It gains less on {join(less)}. " if less else "") + (
        f"The paper has no such network beside {join(alone)}. " if alone else "") + (
        f"With the paper's public code, the speed-up on the same GPU is {join(code)}: its host-side launches and barriers "
        "cost time that a single CUDA graph saves.")
    return Comparison(["network, ms", *SERIES.values(), "search of IOS-Both from an empty profile, s", "fastest baseline, ms"],
                      rows, agrees, differs,
                      f"Public code: {paper['ios_code']['setting']}; {paper['ios_code']['note']}. Our search times are from "
                      "`opsched ablation`, which starts from an empty profile with tuned kernels; the paper's include measurements on "
                      "a V100. The paper's RandWire differs from ours.")
