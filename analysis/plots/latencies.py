"""Every latency beside the paper's V100 and its public code on an H200."""

from typing import Any

from plots import peers
from plots.data import NETWORKS, Data, cell, join, ms_text, ratio, ratio_text
from plots.page import Comparison

SERIES = {"sequential": "sequential", "greedy": "greedy", "ios-merge": "IOS-Merge", "ios-parallel": "IOS-Parallel",
          "ios-both": "IOS-Both"}


def gains(latencies: dict[str, float | None]) -> float | None:
    """Speed-up of the best IOS schedule over sequential."""
    found = [v for k, v in latencies.items() if k.startswith("ios") and v]
    return ratio(latencies.get("sequential"), min(found)) if found else None


def of_ours(data: Data, network: str) -> dict[str, float | None]:
    return {s: data.ms(network=network, scheduler=s) for s in SERIES}


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    networks = data.names("network")
    picture, (ax,) = style.axes()
    series = {
        "ours": {n: gains(of_ours(data, n)) for n in networks},
        "the paper, V100": {n: gains(paper["ios"]["latency_ms"][n]) for n in networks},
        "its public code, H200": {n: gains(paper["ios_code"]["latency_ms"][n]) for n in networks},
    }
    for i, (name, values) in enumerate(series.items()):
        ax.bar([x + (i - 1) * 0.27 for x in range(len(networks))], [values[n] or 0 for n in networks], 0.27,
               color=style.COLORS[i], hatch=style.HATCHES[i], edgecolor="black", linewidth=0.4, label=name)
    ax.axhline(1, color="black", linewidth=0.6)
    ax.set_xticks(range(len(networks)), [NETWORKS[n] for n in networks])
    ax.set_ylabel("speed-up of the best IOS schedule\nover sequential")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=3)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    rows, agree, less, code = [], [], [], []
    for network in data.names("network"):
        name = NETWORKS[network]
        seconds = [r["search_seconds"] for r in data.all(network=network, scheduler="ios-both") if "search_seconds" in r]
        best = peers.best(data, network=network)
        rows.append([f"{name}: ours", *(cell(data.one(network=network, scheduler=s)) for s in SERIES),
                     f"{seconds[0]:.3g}" if seconds else "-",
                     f"{ms_text(best['ms'])} ({peers.name_of((best['peer'], best['mode']))})" if best else "absent"])
        for title, source in (("paper, V100", "ios"), ("public code, H200", "ios_code")):
            theirs = paper[source]["latency_ms"][network]
            searched = paper[source]["search_seconds"].get(network)
            rows.append([title, *(ms_text(theirs.get(s)) for s in SERIES), str(searched or "-"),
                         f"{theirs['TensorRT']:.2f} (TensorRT)" if "TensorRT" in theirs else "-"])
        mine, of_paper = gains(of_ours(data, network)), gains(paper["ios"]["latency_ms"][network])
        if mine:
            words = f"{name} {ratio_text(mine)} (paper {ratio_text(of_paper)})"
            (agree if mine >= 0.9 * of_paper else less).append(words)
        of_code = gains(paper["ios_code"]["latency_ms"][network])
        if of_code:
            code.append(f"{name} {ratio_text(of_code)}")
    agrees = f"The best IOS schedule gains over sequential what the paper's does, to a tenth or more, on {join(agree)}."
    differs = (f"It gains less on {join(less)}; " if less else "") + (
        f"with the paper's public code the same GPU gains {join(code)}, for its launches and barriers on the host eat the gain "
        "that one CUDA graph a run keeps.")
    return Comparison(["network, ms", *SERIES.values(), "search of IOS-Both, s", "best peer"], rows, agrees,
                      differs[0].upper() + differs[1:],
                      f"Public code: {paper['ios_code']['setting']}; {paper['ios_code']['note']}. Our search time is that "
                      "of the run that found the schedule, which may have known stages from earlier ones.")
