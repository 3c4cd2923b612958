"""Table 1 of IOS: transitions and schedules of the largest block, ours and the paper's."""

from typing import Any

from plots.data import NETWORKS, Data, join
from plots.page import Comparison


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    theirs = paper["ios"]["search_space"]
    networks = data.names("network")
    picture, parts = style.axes(2, width=8, height=3)
    for ax, key in zip(parts, ("transitions", "schedules")):
        for i, (name, values) in enumerate((("counted", [data.one(network=n)[key] for n in networks]),
                                            ("the paper", [theirs[n][key] for n in networks]))):
            ax.bar([x + (i - 0.5) * 0.4 for x in range(len(networks))], values, 0.4, color=style.COLORS[i],
                   hatch=style.HATCHES[i], edgecolor="black", linewidth=0.4, label=name)
        ax.set_yscale("log")
        ax.set_ylabel(f"{key} of the largest block")
        ax.set_xticks(range(len(networks)), [NETWORKS[n] for n in networks], fontsize=8)
    parts[0].legend()
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    theirs = paper["ios"]["search_space"]
    rows, same, other = [], [], []
    for row in data.rows:
        name, t = NETWORKS[row["network"]], theirs[row["network"]]
        close = [abs(row[k] / t[k] - 1) < 0.05 for k in ("transitions", "schedules")]
        equal = all(close) and (row["operators"], row["width"]) == (t["n"], t["d"])
        (same if equal else other).append(name)
        rows.append([name, f"{row['operators']:.0f} / {t['n']}", f"{row['width']:.0f} / {t['d']}",
                     f"{row['transitions']:.0f} / {t['transitions']:.3g}",
                     f"{row['schedules']:.4g} / {t['schedules']:.3g}"])
    instance = next((r["instance"] for r in data.rows if "instance" in r), "")
    agrees = f"Operators, width, transitions and schedules are the paper's, as far as it prints digits, for {join(same)}."
    differs = (f"{join(other)} differs from the paper by more than 5%." if other else
               "Nothing differs beyond the digits that the paper prints.")
    return Comparison(["network", "operators n", "width d", "transitions", "schedules"], rows, agrees, differs,
                      f"Cells: counted / the paper's. RandWire: {instance}.")
