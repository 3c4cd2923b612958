"""Time to find a schedule."""

from opsched.page import NETWORKS, distinct, join, plural
from opsched.plots import charts, hios, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record


def timed(figure: Figure) -> list[Record]:
    """One record per search; on one GPU, those outside runs on several GPUs."""
    return [r for s in hios.NAMES for r in figure.all(scheduler=s, run=None) if r.numbers.get("search_seconds")]


def draw(figure: Figure, paper: Paper) -> Picture:
    found = timed(figure)
    networks, counts = distinct(r.network for r in found), sorted({r.gpus for r in found})
    schedulers = distinct(r.scheduler for r in found)
    picture, parts = charts.axes(max(1, len(networks)), width=8.5, height=3.8, sharey=True)
    for ax, network in zip(parts, networks):
        for i, gpus in enumerate(counts):
            points = [(r.numbers["search_seconds"], schedulers.index(r.scheduler) + (i - (len(counts) - 1) / 2) * 0.22)
                      for r in found if (r.network, r.gpus) == (network, gpus)]
            ax.plot(*zip(*points), style.MARKERS[i], color=style.COLORS[i], markersize=5, label=plural(gpus, "GPU"))
        if "ios-both" in schedulers and (theirs := paper["ios"]["search_seconds"].get(network)):
            charts.published_points(ax, [theirs], [schedulers.index("ios-both")], "IOS paper, V100")
        charts.logarithmic(ax.xaxis, charts.seconds, most=5)
        ax.set(title=NETWORKS[network], xlabel="search time, one point per image size")
        ax.grid(axis="x")
    parts[0].set_yticks(range(len(schedulers)), [hios.NAMES[s] for s in schedulers])
    parts[0].invert_yaxis()
    charts.legend_beside(parts[-1], *parts)
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
