"""How every picture looks, and the kinds of chart that most figures are: colours of Okabe and Ito, told apart without
colour by hatches and markers."""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opsched.page import write_whole
from opsched.records import Provenance, Record

Find = Callable[[Any, Any], Record | None]
Scale = Callable[[Record, float], float]

# Okabe and Ito's colours, those that print well first.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#999999", "#000000", "#F0E442"]
HATCHES = ["", "//", "\\\\", "--", "xx", "||", "++", "////", "----"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 5)), "-"]
STYLE = {
    "figure.dpi": 100,
    "font.size": 9,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "opsched",
}
BARS_SIMULATED = "~: simulated; °: recorded"
LINES_SIMULATED = "hollow: not measured"
SIGNS = {Provenance.simulated: "~", Provenance.recorded: "°"}


@functools.cache
def pyplot() -> Any:
    """Imported when a picture is drawn: pages need no matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(STYLE)
    return pyplot


def axes(columns: int = 1, rows: int = 1, width: float = 7.5, height: float = 3.4, **options: Any) -> tuple[Any, list[Any]]:
    """A picture with so many parts side by side and below each other, row by row."""
    picture, parts = pyplot().subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **options)
    return picture, list(parts.flat)


def save(picture: Any, folder: Path, name: str) -> None:
    """NAME.png and NAME.svg, the same bytes for the same data; each appears as a whole or not at all."""
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        write_whole(folder / f"{name}.{kind}",
                    lambda path, kind=kind, metadata=metadata: picture.savefig(path, format=kind, metadata=metadata))
    pyplot().close(picture)


def bar_look(i: int) -> dict[str, Any]:
    return {"color": COLORS[i % len(COLORS)], "hatch": HATCHES[i % len(HATCHES)], "edgecolor": "black", "linewidth": 0.4}


def line_look(i: int) -> dict[str, Any]:
    return {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "marker": MARKERS[i % len(MARKERS)]}


def line_at_one(ax: Any) -> None:
    ax.axhline(1, color="black", linewidth=0.6)


def logarithmic_ticks(ax: Any, xs: list[int]) -> None:
    """Of axes that are logarithmic both: these alone below, numbers at some between the powers of ten at the side."""
    from matplotlib.ticker import LogFormatter, NullLocator

    ax.set_xticks(xs, [str(x) for x in xs])
    ax.xaxis.set_minor_locator(NullLocator())
    for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        formatter(LogFormatter(minor_thresholds=(2, 0.6)))


def bars(ax: Any, groups: Iterable[Any], series: dict[str, list[float | None]], width: float = 0.8, **ticks: Any) -> None:
    """Plain numbers: of every series one a group. A gap: None."""
    for i, (label, values) in enumerate(series.items()):
        there = {x + (i - (len(series) - 1) / 2) * width: v for x, v in enumerate(values) if v is not None}
        ax.bar(list(there), list(there.values()), width, label=label, **bar_look(i))
    names = [str(group) for group in groups]
    ax.set_xticks(range(len(names)), names, **ticks)


def shown(record: Record, scale: Scale) -> tuple[float, float, float]:
    """The value, and how far below and above it the record went: 0 where that is unknown."""
    value, ends = scale(record, record.value), [record.spread.min, record.spread.max]
    if not all(ends):
        return value, 0, 0
    low, high = sorted(scale(record, end) for end in ends)
    return value, max(0, value - low), max(0, high - value)


def grouped_bars(ax: Any, groups: dict[Any, str], series: dict[Any, str], find: Find,
                 scale: Scale = lambda _, ms: ms) -> None:
    """A group of bars for every key of `groups`, a bar for every key of `series`; both map keys to names.
    `scale` turns ms into what is shown. Error bars from least to most. A gap: no number."""
    width = 0.8 / len(series)
    signs = False
    for i, (key, label) in enumerate(series.items()):
        for x, group in enumerate(groups):
            record = find(group, key)
            if record is None:
                continue
            at = x + (i - (len(series) - 1) / 2) * width
            value, low, high = shown(record, scale)
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
        look = line_look(i)
        values, *spreads = zip(*(shown(record, scale) for _, record in points))
        ax.errorbar([x for x, _ in points], values, yerr=spreads, linewidth=1.2, elinewidth=0.8, capsize=2,
                    **{**look, "marker": None})
        ax.plot([], [], linewidth=1.2, markersize=5, label=name, **look)
        for (x, record), value in zip(points, values):
            hollow = record.provenance in SIGNS
            hollows |= hollow
            ax.plot(x, value, markersize=5, color=look["color"], marker=look["marker"],
                    markerfacecolor="white" if hollow else look["color"])
    if hollows:
        ax.plot([], [], " ", label=LINES_SIMULATED)


def legend_above(ax: Any, columns: int) -> None:
    """The legend over a part; what only explains stands last."""
    entries = list(zip(*ax.get_legend_handles_labels()))
    entries.sort(key=lambda entry: entry[1] in (BARS_SIMULATED, LINES_SIMULATED))
    if entries:
        ax.legend(*zip(*entries), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns)


def legend_beside(ax: Any, entries: dict[str, Any] | None = None, **options: Any) -> None:
    """The legend right of a part: its own, or these labels and what they stand for."""
    given = (entries.values(), entries.keys()) if entries is not None else ()
    ax.legend(*given, loc="upper left", bbox_to_anchor=(1.01, 1), **options)
