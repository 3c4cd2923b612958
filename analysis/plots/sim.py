"""HIOS's simulation studies, and ours: random DAGs with made-up costs."""

from typing import Any

from plots.data import Data, Row, join
from plots.hios import NAMES
from plots.page import Comparison

LABELS = {**NAMES, "ios-parallel": "IOS-Parallel, 1 GPU", "exact": "optimum", "lower bound": "lower bound"}


def measure(data: Data) -> tuple[str, str]:
    """What a study is about: a key of the rows, and what stands at the axis."""
    if data.figure == "sim_speed":
        return "cpu_ms", "processor time to schedule, ms"
    if data.figure == "sim_optimum":
        return "gap_percent", "above the optimum, %"
    if data.figure == "sim_mixed":
        return "share", "makespan / sequential"
    return "makespan_ms", "makespan, ms"


def value(row: Row | None, key: str) -> float | None:
    """A rounded zero is left out of the data of a row."""
    return None if row is None else row.get(key, 0.0)


def text(row: Row | None, key: str) -> str:
    middle = value(row, key)
    if row is None or middle is None:
        return "-"
    digits = 4 if key == "share" else 2
    if f"{key}_high" not in row:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ± {row[f'{key}_high'] - middle:.{digits}f}"


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    key, label = measure(data)
    picture, (ax,) = style.axes(width=8, height=3.8)
    for i, algorithm in enumerate(data.names("scheduler")):
        rows = [r for r in data.all(scheduler=algorithm) if key in r or f"{key}_high" in r or key == "gap_percent"]
        if key == "gap_percent" and algorithm == "exact":
            continue
        middle = [value(r, key) for r in rows]
        spread = [[m - r.get(f"{key}_low", m) for r, m in zip(rows, middle)],
                  [r.get(f"{key}_high", m) - m for r, m in zip(rows, middle)]]
        look = {"color": "black", "linestyle": ":"} if algorithm == "lower bound" else {
            "color": style.COLORS[i % len(style.COLORS)], "linestyle": style.LINES[i % len(style.LINES)],
            "marker": style.MARKERS[i % len(style.MARKERS)]}
        ax.errorbar([r["x"] for r in rows], middle, yerr=spread, **look, markersize=4, linewidth=1.1, elinewidth=0.8,
                    capsize=2, label=LABELS.get(algorithm, algorithm))
    if data.figure == "sim_speed":
        ax.set_xscale("log")
        ax.set_yscale("log")
    elif key != "gap_percent":
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("{x:g}")
    ax.set(xlabel=data.rows[0]["parameter"], ylabel=label)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    key, label = measure(data)
    algorithms = data.names("scheduler")
    points = list(dict.fromkeys((r["x"], r["gpus"]) for r in data.rows))
    find = {(r["x"], r["gpus"], r["scheduler"]): r for r in data.rows}
    rows = [[f"{x:g}", str(gpus), *(text(find.get((x, gpus, a)), key) for a in algorithms)] for x, gpus in points]
    head = [data.rows[0]["parameter"], "GPUs", *(LABELS.get(a, a) for a in algorithms)]
    mean = {a: sum(value(find[(*p, a)], key) for p in points) / len(points) for a in algorithms if a != "lower bound"}
    note = f"{label[0].upper() + label[1:]}; mean ± half the 95% confidence band." if key != "cpu_ms" else (
        "Median processor time on a shared 2-core virtual machine.")
    if key == "cpu_ms":
        slowest = max(mean, key=mean.get)
        return Comparison(head, rows, f"Every algorithm schedules {points[-1][0]:g} operators; the slowest there is "
                          f"{LABELS.get(slowest, slowest)} with "
                          f"{value(find[(*points[-1], slowest)], key) / 1000:.1f} s.",
                          "The paper has no such study; it is ours.", note)
    if key == "gap_percent":
        del mean["exact"]
        words = [f"{LABELS[a]} {g:.2f}%" for a, g in sorted(mean.items(), key=lambda item: item[1])]
        return Comparison(head, rows, f"Mean distance from the proved optimum: {join(words)}.",
                          "The paper has no such study, for it proves no optimum; it is ours.", note)
    full, inter = min(mean["hios-lp"], mean["hios-mr"]), min(mean["hios-lp-inter"], mean["hios-mr-inter"])
    agrees = (f"On average over the points HIOS-LP takes {mean['hios-lp'] / mean['sequential']:.3f} and HIOS-MR "
              f"{mean['hios-mr'] / mean['sequential']:.3f} of sequential, both less than IOS on one GPU "
              f"({mean['ios-parallel'] / mean['sequential']:.3f}), as in the paper.")
    if max(mean["hios-lp"], mean["hios-mr"]) >= mean["ios-parallel"]:
        agrees = agrees.replace("both less", "not both less").replace(", as in the paper", ", unlike in the paper")
    first = "HIOS-LP" if mean["hios-lp"] <= mean["hios-mr"] else "HIOS-MR"
    lead = abs(mean["hios-lp"] / mean["hios-mr"] - 1)
    best = min((a for a in mean if a not in ("hios-lp", "hios-mr")), key=mean.get)
    differs = (f"{first} leads by {100 * lead:.1f}%; stages within a GPU (full against inter-GPU alone) are worth "
               f"{100 * (1 - full / inter):.1f}%; {LABELS[best]} is {100 * abs(1 - mean[best] / full):.1f}% "
               f"{'shorter' if mean[best] < full else 'longer'} than the better of the two. The paper's public "
               "code orders operators and reads clocks wrongly, so that its makespans are not schedule lengths: only "
               "directions can be compared.")
    return Comparison(head, rows, agrees, differs, note)
