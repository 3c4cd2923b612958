"""The two kinds of chart that most figures are."""

from typing import Any, Callable

from plots.data import Row
from plots.style import COLORS, HATCHES, LINES, MARKERS

Find = Callable[[Any, Any], Row | None]

BARS_SIMULATED = "~: replayed, not measured"
LINES_SIMULATED = "hollow: replayed, not measured"


def spread(row: Row, scale: Callable[[float], float]) -> tuple[float, float]:
    """How far below and above its value a row went; (0, 0) where that is unknown."""
    if not row.get("min_ms") or not row.get("max_ms"):
        return 0, 0
    ends = sorted((scale(row["min_ms"]), scale(row["max_ms"])))
    value = scale(row["ms"])
    return max(0, value - ends[0]), max(0, ends[1] - value)


def grouped_bars(ax: Any, groups: dict[Any, str], series: dict[Any, str], find: Find,
                 scale: Callable[[Row, float], float] = lambda _, ms: ms) -> None:
    """A group of bars for every key of `groups`, a bar for every key of `series`; both map keys to names.
    `scale` turns ms into what is shown. Error bars from least to most. A gap: no number."""
    width = 0.8 / len(series)
    simulated = False
    for i, (key, name) in enumerate(series.items()):
        label = name
        for x, group in enumerate(groups):
            row = find(group, key)
            if row is None:
                continue
            at = x + (i - (len(series) - 1) / 2) * width
            value = scale(row, row["ms"])
            low, high = spread(row, lambda ms, row=row: scale(row, ms))
            ax.bar(at, value, width, yerr=[[low], [high]] if high + low > 0 else None, color=COLORS[i % len(COLORS)],
                   hatch=HATCHES[i % len(HATCHES)], edgecolor="black", linewidth=0.4, label=label,
                   error_kw={"elinewidth": 0.8, "capsize": 1.5})
            label = None
            if row["how"] == "simulated":
                ax.text(at, value + high, "~", ha="center", va="bottom", fontsize=8)
                simulated = True
    ax.set_xticks(range(len(groups)), list(groups.values()))
    ax.tick_params(axis="x", length=0)
    if simulated:
        ax.plot([], [], " ", label=BARS_SIMULATED)


def lines(ax: Any, xs: list[Any], series: dict[Any, str], find: Find,
          scale: Callable[[Row, float], float] = lambda _, ms: ms, at: Callable[[Any], float] = float) -> None:
    """A line for every key of `series` over `xs`. Error bars from least to most; hollow: simulated."""
    simulated = False
    for i, (key, name) in enumerate(series.items()):
        points = [(at(x), row) for x in xs if (row := find(x, key)) is not None]
        if not points:
            continue
        color = COLORS[i % len(COLORS)]
        values = [scale(row, row["ms"]) for _, row in points]
        spreads = [spread(row, lambda ms, row=row: scale(row, ms)) for _, row in points]
        ax.errorbar([x for x, _ in points], values, yerr=list(zip(*spreads)), color=color,
                    linestyle=LINES[i % len(LINES)], linewidth=1.2, elinewidth=0.8, capsize=2)
        ax.plot([], [], color=color, linestyle=LINES[i % len(LINES)], linewidth=1.2, marker=MARKERS[i % len(MARKERS)],
                markersize=5, label=name)
        for (x, row), value in zip(points, values):
            hollow = row["how"] == "simulated"
            simulated |= hollow
            ax.plot(x, value, marker=MARKERS[i % len(MARKERS)], markersize=5, color=color,
                    markerfacecolor="white" if hollow else color)
    if simulated:
        ax.plot([], [], " ", label=LINES_SIMULATED)


def legend_above(ax: Any, columns: int) -> None:
    """The legend over a part; what only explains stands last."""
    entries = list(zip(*ax.get_legend_handles_labels()))
    entries.sort(key=lambda entry: entry[1] in (BARS_SIMULATED, LINES_SIMULATED))
    ax.legend(*zip(*entries), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns)
