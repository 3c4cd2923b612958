"""Simulation studies on random DAGs with synthetic costs: HIOS's and ours."""

from opsched.page import distinct, join
from opsched.plots import charts, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture, Table
from opsched.plots.hios import NAMES
from opsched.simulations import Point, Study

SPLIT = "split=rows"
LABELS = {**NAMES, "sequential": "sequential, 1 GPU", "ios-parallel": "IOS-Parallel, 1 GPU", "exact": "optimum",
          "lower-bound": "lower bound", f"hios-lp {SPLIT}": "HIOS-LP, in strips", f"heft {SPLIT}": "HEFT, in strips"}
ONE_GPU = ("sequential", "ios-parallel")


def draw(figure: Figure, paper: Paper) -> Picture:
    study = Study(figure.rows)
    picture, (ax,) = charts.axes(width=8.5, height=3.8)
    beyond = above(study)
    for i, algorithm in enumerate(study.algorithms):
        if study.measure == "gap" and algorithm == "exact":
            continue
        found = curve(study, algorithm)
        label = LABELS.get(algorithm, algorithm)
        if algorithm in beyond:
            low, high = (f"{end(v.value for v in found.values()):.3g}" for end in (min, max))
            ax.plot([], [], " ", label=f"above: {label},\n{low}" + (f" to {high}" if low != high else ""))
            continue
        look = {"color": "black", "linestyle": ":"} if algorithm == "lower-bound" else style.line_look(i)
        ax.errorbar(list(found), [v.value for v in found.values()], yerr=[v.half or 0 for v in found.values()], **look,
                    markersize=4, linewidth=1.1, elinewidth=0.8, capsize=2, label=label)
    if study.measure == "time":
        charts.logarithmic(ax.yaxis)
    charts.ticks_at(ax, distinct(x for x, _ in study.points))
    ax.set(title=study.title, xlabel=study.parameter, ylabel=study.label)
    charts.legend_beside(ax)
    return picture


def curve(study: Study, algorithm: str) -> dict[float, Point]:
    return {x: v for x, g in study.points if (v := study.values.get((x, g, algorithm)))}


def above(study: Study) -> list[str]:
    """Single-GPU algorithms whose curves lie so far above those for several GPUs that they would squeeze them
    together."""
    several = [curve(study, a) for a in study.algorithms if a not in ONE_GPU]
    highest = {x: max(c[x].value for c in several if x in c) for c in several for x in c}
    return [a for a in ONE_GPU if (found := curve(study, a)) and highest
            and all(v.value > 1.5 * highest.get(x, 0) for x, v in found.items())]


def export(figure: Figure) -> Table:
    study = Study(figure.rows)
    return [study.parameter, "gpus", "algorithm", study.label, "half_band", "provenance"], [
        [f"{x:g}", g, a, v.value, "" if v.half is None else v.half, "synthetic"] for (x, g, a), v in study.values.items()]


def strips(study: Study) -> str:
    """The reduction of the best makespan by operators in strips at each point; empty if no point has both."""
    words = []
    for x, gpus in study.points:
        there = {a: v.value for (at, g, a), v in study.values.items() if (at, g) == (x, gpus)}
        split, whole = ([ms for a, ms in there.items() if (SPLIT in a) == wanted] for wanted in (True, False))
        if split and whole:
            words.append(f"{min(whole) / min(split):.2f} at {x:g}")
    if not words:
        return ""
    return (f"How many times shorter the best makespan is when operators may run as strips, by {study.parameter}: "
            f"{join(words)}. Whole operators side by side fill a few GPUs already; strips pay where there are more GPUs than "
            "operators side by side, or where all of the latency divides.")


def gains(study: Study, algorithms: list[str]) -> str:
    """The reduction of each algorithm's makespan from the first point to its best point."""
    first = study.points[0]
    words = []
    for a in algorithms:
        best = min(study.points, key=lambda p: study.values[*p, a].value)
        gain = study.values[*first, a].value / study.values[*best, a].value
        words.append(f"{LABELS.get(a, a)} {gain:.2f} at {best[0]:g}" if best != first else f"{LABELS.get(a, a)} nowhere")
    return (f"How many times shorter the makespan is than at {first[0]:g}, where it is shortest, by {study.parameter}: "
            f"{join(words)}.")


def compare(figure: Figure, paper: Paper) -> Comparison:
    study = Study(figure.rows)
    head, rows = study.table(LABELS)
    whole = [a for a in study.algorithms if a != "lower-bound" and all((*p, a) in study.values for p in study.points)]
    mean = {a: sum(study.values[*p, a].value for p in study.points) / len(study.points) for a in whole}
    ours = "The paper has no such study; it is ours."
    note = study.what() + "."
    nothing = Comparison(head, rows, "Nothing can be said: algorithms or points are missing.", "The rest is missing.", note)
    if not mean:
        return nothing
    if study.measure == "time":
        slowest = max(mean, key=mean.get)
        x, gpus = study.points[-1]
        return Comparison(head, rows, f"Every algorithm schedules {x:g} operators; the slowest there is {LABELS[slowest]} with "
                          f"{study.values[x, gpus, slowest].value / 1000:.1f} s.", ours, note)
    if study.measure == "gap":
        words = [f"{LABELS[a]} {g:.2f}%" for a, g in sorted(mean.items(), key=lambda item: item[1]) if a != "exact"]
        return Comparison(head, rows, f"Mean distance from the proved optimum: {join(words)}.", ours, note)
    if any(SPLIT in a for a in study.algorithms):
        return Comparison(head, rows, words, ours, note) if (words := strips(study)) else nothing
    if not {"sequential", "ios-parallel", "hios-lp", "hios-mr", "hios-lp-inter", "hios-mr-inter"} <= set(mean):
        return Comparison(head, rows, gains(study, whole), ours, note) if "sequential" not in study.algorithms else nothing
    full, inter = min(mean["hios-lp"], mean["hios-mr"]), min(mean["hios-lp-inter"], mean["hios-mr-inter"])
    less = max(mean["hios-lp"], mean["hios-mr"]) < mean["ios-parallel"]
    share = {a: f"{m / mean['sequential']:.3f}" for a, m in mean.items()}
    agrees = (f"On average over the points HIOS-LP takes {share['hios-lp']} and HIOS-MR {share['hios-mr']} of sequential, "
              f"{'both' if less else 'not both'} less than IOS on one GPU ({share['ios-parallel']}), "
              f"{'as' if less else 'unlike'} in the paper.")
    first = "HIOS-LP" if mean["hios-lp"] <= mean["hios-mr"] else "HIOS-MR"
    best = min((a for a in mean if a not in ("hios-lp", "hios-mr")), key=mean.get)
    differs = (f"{first} leads by {100 * abs(mean['hios-lp'] / mean['hios-mr'] - 1):.1f}%; stages within a GPU (full against "
               f"inter-GPU alone) are worth {100 * (1 - full / inter):.1f}%; {LABELS[best]} is "
               f"{100 * abs(1 - mean[best] / full):.1f}% {'shorter' if mean[best] < full else 'longer'} than the better of the "
               "two. The paper's public code orders operators and reads clocks wrongly, so that its makespans are not schedule "
               "lengths: only directions can be compared.")
    return Comparison(head, rows, agrees, differs, note)
