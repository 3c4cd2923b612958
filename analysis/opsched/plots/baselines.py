"""Shared by the figures that compare our schedules with each other or with other software."""

from collections.abc import Callable
from typing import Any

from opsched.page import BASELINES, NETWORKS, base_of, baseline_name, distinct, fastest
from opsched.plots import charts
from opsched.plots.figure import Figure
from opsched.records import Record

# Software that readers expect. If it has no record, the figure says that it is missing.
EXPECTED = [key for key in BASELINES if key != ("pytorch", "compile-max-autotune")]


def keys(figure: Figure) -> list[tuple[str, str]]:
    """The software and modes with a number, without options and layouts: expected ones first, in that order."""
    known = distinct((r.software, base_of(r.scheduler)) for r in figure.rows if r.software != "opsched")
    return [k for k in EXPECTED if k in known] + [k for k in known if k not in EXPECTED]


def absent(figure: Figure) -> list[str]:
    known = keys(figure)
    return [BASELINES[k] for k in EXPECTED if k not in known and (k[0] == "pytorch" or k[0] not in dict(known))]


def names(known: list[tuple[str, str]]) -> list[str]:
    return [baseline_name(*key) for key in known]


def best(figure: Figure, **conditions: object) -> Record | None:
    return fastest(r for r in figure.all(**conditions) if r.software != "opsched")


def find(figure: Figure, network: str, key: str | tuple[str, str]) -> Record | None:
    """Our latency by scheduler, or that of other software by (software, mode): the fastest of its options and layouts."""
    if isinstance(key, str):
        return figure.ours(network=network, scheduler=key)
    return fastest(r for r in figure.all(network=network, software=key[0]) if base_of(r.scheduler) == key[1])


def draw_relative(ax: Any, figure: Figure, series: dict[Any, str], base: Callable[[str], Record | None], label: str,
                  **published: Any) -> None:
    """One bar for every series and every network with a base: throughput relative to the base."""
    known = {n: r.value for n in figure.names("network") if (r := base(n))}
    charts.grouped_bars(ax, {n: NETWORKS[n] for n in known}, series, lambda n, k: find(figure, n, k),
                        lambda record, ms: known[record.network] / ms, **published)
    ax.set_ylabel(label)


def draw_published(ax: Any, latencies: dict[str, dict[str, float]], series: dict[str, str], base: str, label: str) -> None:
    """The same for the latencies of the IOS paper, by network and name. `series`: names and their labels."""
    values = {text: [there[base] / there[name] if name in there else None for there in latencies.values()]
              for name, text in series.items()}
    charts.bars(ax, [NETWORKS[n] for n in latencies], values, 0.8 / len(series))
    ax.set(ylabel=label, title="IOS paper, V100")
