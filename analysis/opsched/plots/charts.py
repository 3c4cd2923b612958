"""The chart types shared by most figures, and the parts of every picture: caption, readable axis numbers, legends next
to the data."""

import functools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from opsched.page import write_whole
from opsched.plots import style
from opsched.records import Provenance, Record

Find = Callable[[Any, Any], Record | None]
Scale = Callable[[Record, float], float]

LINES_SIMULATED = "hollow: not measured"
SIGNS = {Provenance.simulated: "~", Provenance.recorded: "°"}
# Metadata left out of a file, by file extension, so that the same data give the same bytes.
FORMATS: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@functools.cache
def pyplot() -> Any:
    """matplotlib is only imported when a picture is drawn, because pages do not need it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(style.RC)
    return pyplot


def axes(columns: int = 1, rows: int = 1, width: float = 7.5, height: float = 3.4, **options: Any) -> tuple[Any, list[Any]]:
    """A picture with a grid of parts, returned row by row."""
    picture, parts = pyplot().subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **options)
    return picture, list(parts.flat)


def caption(picture: Any, text: str) -> None:
    """The caption above all parts: GPU, precision and batch size."""
    picture.suptitle(text)


def save(picture: Any, folder: Path, name: str, formats: Sequence[str] = tuple(FORMATS)) -> None:
    """Writes NAME.FORMAT in every format. The same data give the same bytes, and each file appears complete or not at
    all."""
    for kind in formats:
        write_whole(folder / f"{name}.{kind}",
                    lambda path, kind=kind: picture.savefig(path, format=kind, metadata=FORMATS[kind]))
    pyplot().close(picture)


def line_at_one(ax: Any) -> None:
    ax.axhline(1, color="black", linewidth=0.6)


def plain(value: float, _: int | None = None) -> str:
    """A number on an axis: 0.001, 50, 2048, 10,000; powers of ten from a million on."""
    if value >= 1e6:
        return power_of_ten(value)
    if value >= 1e4:
        return f"{value:,.0f}"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def power_of_ten(value: float, _: int | None = None) -> str:
    """A number on an axis over many decades."""
    return f"$10^{{{math.log10(value):.0f}}}$"


def seconds(value: float, _: int | None = None) -> str:
    """A time on an axis."""
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if value >= unit * 0.999:
            return f"{plain(round(value / unit, 6))} {name}"
    return f"{plain(round(value / 1e-6, 6))} µs"


def logarithmic(axis: Any, text: Callable[..., str] = plain, most: int = 8) -> None:
    """Makes a matplotlib axis logarithmic after the data were drawn; at most `most` numbers if it spans many
    decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    name = axis.axis_name
    getattr(axis.axes, f"set_{name}scale")("log")
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    if name == "x" and text is plain and high >= 1e5:  # long numbers: fewer of them
        decades *= 2
    subs = (1, 1.5, 2, 3, 4, 5, 7) if decades < 0.7 else (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=most))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(text))


def ticks_at(ax: Any, xs: Iterable[float]) -> None:
    """Ticks on the x axis at these points only; logarithmic with base 2 if the last point is more than six times the
    first."""
    from matplotlib.ticker import NullLocator

    points = sorted(xs)
    if points and points[0] > 0 and points[-1] / points[0] > 6:
        ax.set_xscale("log", base=2)
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(points, [plain(x) for x in points])


def name_groups(ax: Any, names: Iterable[str], **ticks: Any) -> None:
    """Names on the x axis, below groups of bars."""
    wrapped = ["\n".join(textwrap.fill(line, 11, break_long_words=False) for line in name.split("\n")) for name in names]
    ax.set_xticks(range(len(wrapped)), wrapped, **ticks)
    ax.tick_params(axis="x", length=0)


def bars(ax: Any, groups: Iterable[Any], series: dict[str, list[float | None]], width: float = 0.8, **ticks: Any) -> None:
    """Bars of plain numbers, one per series and group. None leaves a gap."""
    for i, (label, values) in enumerate(series.items()):
        there = {x + (i - (len(series) - 1) / 2) * width: v for x, v in enumerate(values) if v is not None}
        ax.bar(list(there), list(there.values()), width, label=label, **style.bar_look(i))
    name_groups(ax, map(str, groups), **ticks)


def shown(record: Record, scale: Scale) -> tuple[float, float, float]:
    """The value, and the distances to the record's minimum and maximum: 0 if unknown."""
    value, ends = scale(record, record.value), [record.spread.min, record.spread.max]
    if not all(ends):
        return value, 0, 0
    low, high = sorted(scale(record, end) for end in ends)
    return value, max(0, value - low), max(0, high - value)


def grouped_bars(ax: Any, groups: dict[Any, str], series: dict[Any, str], find: Find,
                 scale: Scale = lambda _, ms: ms, published: Callable[[Any, Any], float | None] | None = None,
                 publisher: str = "") -> None:
    """A group of bars for every key of `groups`, with a bar for every key of `series`; both map keys to names. `scale`
    turns ms into the quantity shown. Error bars reach from minimum to maximum. Missing records leave a gap.
    `published` gives the value of `publisher` for a bar, drawn as a cross."""
    width = 0.8 / len(series)
    signs: set[Provenance] = set()
    crosses = {}
    for i, (key, label) in enumerate(series.items()):
        for x, group in enumerate(groups):
            at = x + (i - (len(series) - 1) / 2) * width
            if published and (value := published(group, key)) is not None:
                crosses[at] = value
            record = find(group, key)
            if record is None:
                continue
            value, low, high = shown(record, scale)
            ax.bar(at, value, width, yerr=[[low], [high]] if high + low > 0 else None, label=label, **style.bar_look(i),
                   error_kw={"elinewidth": 0.8, "capsize": 1.5})
            label = None
            if sign := SIGNS.get(record.provenance):
                ax.text(at, value + high, sign, ha="center", va="bottom", fontsize=8)
                signs.add(record.provenance)
    name_groups(ax, groups.values())
    if crosses:
        published_points(ax, list(crosses), list(crosses.values()), publisher)
    if signs:
        ax.plot([], [], " ", label="; ".join(f"{sign}: {kind.value}" for kind, sign in SIGNS.items() if kind in signs))


def published_points(ax: Any, xs: list[float], ys: list[float], publisher: str) -> None:
    """Draws published values as crosses that are also visible on bars."""
    from matplotlib.patheffects import withStroke

    ax.plot(xs, ys, label=publisher, zorder=4, path_effects=[withStroke(linewidth=3, foreground="white")],
            **{**style.PAPER, "linestyle": "", "markeredgewidth": 1.4})


def lines(ax: Any, xs: list[Any], series: dict[Any, str], find: Find, scale: Scale = lambda _, ms: ms) -> None:
    """A line over `xs` for every key of `series`. Error bars reach from minimum to maximum; hollow markers were not
    measured."""
    hollows = False
    for i, (key, name) in enumerate(series.items()):
        points = [(float(x), record) for x in xs if (record := find(x, key)) is not None]
        if not points:
            continue
        look = style.line_look(i)
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


def entries_of(*parts: Any) -> dict[str, Any]:
    """The legend entries of these parts, each label once: first our measurements, then a paper's, and last explanations
    without a drawn counterpart."""
    found: dict[str, Any] = {}
    for ax in parts:
        found.update(zip(*reversed(ax.get_legend_handles_labels())))

    def rank(label: str) -> int:
        marker, line = (getattr(found[label], f"get_{part}", str)() for part in ("marker", "linestyle"))
        return 2 if (marker, line) == ("None", "None") else 1 if marker == style.PAPER["marker"] else 0

    return {label: found[label] for label in sorted(found, key=rank)}


def legend_above(ax: Any, columns: int) -> None:
    """Puts the legend above a part."""
    if entries := entries_of(ax):
        ax.legend(entries.values(), entries.keys(), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns)


def legend_beside(ax: Any, *parts: Any, **options: Any) -> None:
    """Puts the legend of this and other parts to the right of a part."""
    if entries := entries_of(ax, *parts):
        ax.legend(entries.values(), entries.keys(), loc="upper left", bbox_to_anchor=(1.01, 1), **options)
