"""How long finding a schedule took."""

from opsched.page import NETWORKS, join, plural
from opsched.plots import charts, hios
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record


def timed(figure: Figure) -> list[Record]:
    """One record a search: on one GPU those apart from runs on several."""
    return [r for s in hios.NAMES for r in figure.all(scheduler=s, run=None) if r.numbers.get("search_seconds")]


def draw(figure: Figure, paper: Paper) -> Picture:
    found = timed(figure)
    counts, schedulers = sorted({r.gpus for r in found}), list(dict.fromkeys(r.scheduler for r in found))
    picture, (ax,) = charts.axes(width=8)
    for i, gpus in enumerate(counts):
        points = [(schedulers.index(r.scheduler) + (i - (len(counts) - 1) / 2) * 0.22, r.numbers["search_seconds"])
                  for r in found if r.gpus == gpus]
        ax.plot(*zip(*points), charts.MARKERS[i], color=charts.COLORS[i], markersize=5, label=plural(gpus, "GPU"))
    ax.set_yscale("log")
    ax.set_xticks(range(len(schedulers)), [hios.NAMES[s] for s in schedulers], fontsize=8)
    ax.set_ylabel("time to find a schedule, s")
    if counts:
        ax.legend()
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    found = timed(figure)
    rows = [[NETWORKS[r.network], str(hios.size(r)), str(r.gpus), hios.NAMES[r.scheduler],
             f"{r.numbers['search_seconds']:.3g}{figure.marks.behind(r)}"] for r in found]
    longest = {name: max((r.numbers["search_seconds"] for r in found if r.scheduler == s), default=None)
               for s, name in (("hios-lp", "HIOS-LP"), ("hios-mr", "HIOS-MR"), ("ios-both", "IOS-Both on one GPU"))}
    agrees = f"The longest searches: {join([f'{name} {s:.2g} s' for name, s in longest.items() if s is not None])}."
    if longest["HIOS-LP"] and longest["HIOS-MR"]:
        agrees += (" HIOS-LP, which evaluates whole schedules for every path and GPU, takes "
                   f"{longest['HIOS-LP'] / longest['HIOS-MR']:.1f} times HIOS-MR's time.")
    differs = f"The paper's times are of its own profiling and are not at hand as numbers. {hios.missing(figure)}".strip()
    return Comparison(["network", "image", "GPUs", "algorithm", "search, s"], rows, agrees, differs,
                      "These searches began on a profile that was not empty: a time includes stages that were measured "
                      "meanwhile, and what an earlier search measured, a later one finds there.")
