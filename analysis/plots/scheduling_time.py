"""How long finding a schedule took."""

from typing import Any

from plots import hios
from plots.data import NETWORKS, Data, join
from plots.page import Comparison


def times(data: Data) -> dict[tuple[str, int], list[float]]:
    """By (scheduler, GPUs): seconds, of every network and image size."""
    found: dict[tuple[str, int], list[float]] = {}
    for scheduler in hios.NAMES:
        for gpus in sorted(set(data.names("gpus"))):
            seconds = [r["search_seconds"] for r in data.all(scheduler=scheduler, gpus=gpus)
                       if r.get("search_seconds") and hios.own(r)]
            if seconds:
                found[scheduler, gpus] = seconds
    return found


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    found = times(data)
    counts = sorted({gpus for _, gpus in found})
    schedulers = list(dict.fromkeys(s for s, _ in found))
    picture, (ax,) = style.axes(width=8)
    for i, gpus in enumerate(counts):
        points = [(x + (i - (len(counts) - 1) / 2) * 0.22, t) for x, s in enumerate(schedulers)
                  for t in found.get((s, gpus), [])]
        ax.plot(*zip(*points), style.MARKERS[i], color=style.COLORS[i], markersize=5,
                label=f"{gpus} GPU{'s' if gpus > 1 else ''}")
    ax.set_yscale("log")
    ax.set_xticks(range(len(schedulers)), [hios.NAMES[s] for s in schedulers], fontsize=8)
    ax.set_ylabel("time to find a schedule, s")
    ax.legend()
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    rows = []
    for row in data.rows:
        if row.get("search_seconds") and hios.own(row):
            rows.append([NETWORKS[row["network"]], str(hios.size(row)), str(row["gpus"]), hios.NAMES[row["scheduler"]],
                         f"{row['search_seconds']:.3g}"])
    found = times(data)
    lp, mr, ios = (max((max(v) for (s, _), v in found.items() if s == name), default=None)
                   for name in ("hios-lp", "hios-mr", "ios-both"))
    words = [f"{name} {value:.2g} s" for name, value in (("HIOS-LP", lp), ("HIOS-MR", mr), ("IOS-Both on one GPU", ios))
             if value is not None]
    agrees = f"The longest searches: {join(words)}."
    if lp and mr:
        agrees += (f" HIOS-LP, which evaluates whole schedules for every path and GPU, takes {lp / mr:.1f} times HIOS-MR's "
                   "time.")
    differs = f"The paper's times are of its own profiling and are not at hand as numbers. {hios.missing(data)}".strip()
    return Comparison(["network", "image", "GPUs", "algorithm", "search, s"], rows, agrees, differs,
                      "A time includes stages that were measured meanwhile; what an earlier search on the same profile "
                      "measured, a later one finds there.")
