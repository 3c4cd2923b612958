"""The two kinds of chart that most figures are."""

from collections.abc import Callable
from typing import Any

from plots.style import COLORS, HATCHES, LINES, MARKERS
from records import Provenance, Record

Find = Callable[[Any, Any], Record | None]
Scale = Callable[[Record, float], float]

BARS_SIMULATED = "~: simulated; °: recorded"
LINES_SIMULATED = "hollow: not measured"
SIGNS = {Provenance.simulated: "~", Provenance.recorded: "°"}


def spread(record: Record, scale: Callable[[float], float]) -> tuple[float, float]:
    """How far below and above its value a record went; (0, 0) where that is unknown."""
    if not record.spread.min or not record.spread.max:
        return 0, 0
    ends = sorted((scale(record.spread.min), scale(record.spread.max)))
    value = scale(record.value)
    return max(0, value - ends[0]), max(0, ends[1] - value)


def bar_look(i: int) -> dict[str, Any]:
    return {"color": COLORS[i % len(COLORS)], "hatch": HATCHES[i % len(HATCHES)], "edgecolor": "black", "linewidth": 0.4}


def grouped_bars(ax: Any, groups: dict[Any, str], series: dict[Any, str], find: Find,
                 scale: Scale = lambda _, ms: ms) -> None:
    """A group of bars for every key of `groups`, a bar for every key of `series`; both map keys to names.
    `scale` turns ms into what is shown. Error bars from least to most. A gap: no number."""
    width = 0.8 / len(series)
    signs = False
    for i, (key, name) in enumerate(series.items()):
        label = name
        for x, group in enumerate(groups):
            record = find(group, key)
            if record is None:
                continue
            at = x + (i - (len(series) - 1) / 2) * width
            value = scale(record, record.value)
            low, high = spread(record, lambda ms, record=record: scale(record, ms))
            ax.bar(at, value, width, yerr=[[low], [high]] if high + low > 0 else None, label=label, **bar_look(i),
                   error_kw={"elinewidth": 0.8, "capsize": 1.5})
            label = None
            if sign := SIGNS.get(record.provenance):
                ax.text(at, value + high, sign, ha="center", va="bottom", fontsize=8)
                signs = True
    ax.set_xticks(range(len(groups)), list(groups.values()))
    ax.tick_params(axis="x", length=0)
    if signs:
        ax.plot([], [], " ", label=BARS_SIMULATED)


def lines(ax: Any, xs: list[Any], series: dict[Any, str], find: Find, scale: Scale = lambda _, ms: ms) -> None:
    """A line for every key of `series` over `xs`. Error bars from least to most; hollow: not measured."""
    hollows = False
    for i, (key, name) in enumerate(series.items()):
        points = [(float(x), record) for x in xs if (record := find(x, key)) is not None]
        if not points:
            continue
        color, line, marker = COLORS[i % len(COLORS)], LINES[i % len(LINES)], MARKERS[i % len(MARKERS)]
        values = [scale(record, record.value) for _, record in points]
        spreads = [spread(record, lambda ms, record=record: scale(record, ms)) for _, record in points]
        ax.errorbar([x for x, _ in points], values, yerr=list(zip(*spreads)), color=color, linestyle=line, linewidth=1.2,
                    elinewidth=0.8, capsize=2)
        ax.plot([], [], color=color, linestyle=line, linewidth=1.2, marker=marker, markersize=5, label=name)
        for (x, record), value in zip(points, values):
            hollow = record.provenance in SIGNS
            hollows |= hollow
            ax.plot(x, value, marker=marker, markersize=5, color=color, markerfacecolor="white" if hollow else color)
    if hollows:
        ax.plot([], [], " ", label=LINES_SIMULATED)


def legend_above(ax: Any, columns: int) -> None:
    """The legend over a part; what only explains stands last."""
    entries = list(zip(*ax.get_legend_handles_labels()))
    entries.sort(key=lambda entry: entry[1] in (BARS_SIMULATED, LINES_SIMULATED))
    if entries:
        ax.legend(*zip(*entries), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns)
