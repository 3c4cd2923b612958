"""Table 1 of IOS: transitions and schedules of the largest block, ours and the paper's."""

from opsched.page import NETWORKS, join
from opsched.plots import charts
from opsched.plots.figure import Comparison, Figure, Paper, Picture


def draw(figure: Figure, paper: Paper) -> Picture:
    theirs = paper["ios"]["search_space"]
    rows = [r for r in figure.rows if r.network in theirs]
    picture, parts = charts.axes(2, width=8.5, height=3)
    for ax, key in zip(parts, ("transitions", "schedules")):
        series = {"opsched": [r.numbers[key] for r in rows], "IOS paper": [theirs[r.network][key] for r in rows]}
        charts.bars(ax, [NETWORKS[r.network] for r in rows], series, 0.4, fontsize=8)
        ax.set(yscale="log", ylabel=f"{key} of the largest block")
        charts.logarithmic(ax.yaxis, charts.power_of_ten)
    charts.legend_beside(parts[-1])
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, same, other = [], [], []
    for r in figure.rows:
        n, t = r.numbers, paper["ios"]["search_space"].get(r.network)
        if not t:
            rows.append([NETWORKS[r.network], *(f"{n[k]:.4g} / -" for k in ("operators", "width", "transitions", "schedules"))])
            continue
        close = all(abs(n[k] / t[k] - 1) < 0.05 for k in ("transitions", "schedules"))
        (same if close and (n["operators"], n["width"]) == (t["n"], t["d"]) else other).append(NETWORKS[r.network])
        rows.append([NETWORKS[r.network], f"{n['operators']:.0f} / {t['n']}", f"{n['width']:.0f} / {t['d']}",
                     f"{n['transitions']:.0f} / {t['transitions']:.3g}", f"{n['schedules']:.4g} / {t['schedules']:.3g}"])
    agrees = f"Operators, width, transitions and schedules are the paper's, as far as it prints digits, for {join(same)}."
    differs = (f"{join(other)} differs from the paper by more than 5%." if other else
               "Nothing differs beyond the digits that the paper prints.")
    return Comparison(["network", "operators n", "width d", "transitions", "schedules"], rows, agrees, differs,
                      "Cells: counted / the paper's. RandWire is that of the paper, from its edge lists.")
