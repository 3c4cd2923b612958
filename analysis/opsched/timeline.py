"""A timeline of a run, as written by `opsched trace -o` (docs/traces.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsched.plots import charts, style

if TYPE_CHECKING:
    import pandas as pd


class BadTimeline(Exception):
    """Not a trace of opsched; the message names the file."""


@dataclass(frozen=True)
class Event:
    """A bar of the timeline: an operator (or its kernel, if measured), a transfer, or a stage. Times are in ms from the
    start of the run. Unknown values are empty, -1 or 0."""

    name: str
    category: str  # "operator", "transfer", "stage"
    device: int
    row: str  # "stream 0", "stages", "from device 1"
    start: float
    end: float
    stage: int = -1  # number of the stage on its device
    kind: str = ""  # "conv2d", "merge of 3", ...
    layers: str = ""
    shape: str = ""  # "32x56x56 -> 64x56x56": channels, height, width of one image
    solo_ms: float = 0
    inputs: tuple[str, ...] = ()  # names of the events that produce its inputs
    waited_for: str = ""  # the last to end of the events that it had to wait for
    why: str = ""  # "input", "stream", "barrier"
    gap_ms: float = 0  # from the end of that event to the start of this one
    critical: bool = False  # on the critical path: the chain of such waits that ends last
    estimated: bool = False  # start and end are estimates within the stage
    kernel: str = ""

    @property
    def ms(self) -> float:
        return self.end - self.start


def _event(data: dict[str, Any], row: str) -> Event:
    args, start = data["args"], data["ts"] / 1000
    wait = args.get("waited_for", {})
    return Event(data["name"], data["cat"], data["pid"], row, start, start + data["dur"] / 1000, args.get("stage", -1),
                 args.get("kind", ""), args.get("layers", ""), args.get("shape", ""), args.get("solo_ms", 0.0),
                 tuple(args.get("inputs", ())), wait.get("event", ""), wait.get("why", ""), wait.get("gap_us", 0.0) / 1000,
                 args.get("critical", False), args.get("estimated", False), args.get("kernel", ""))


@dataclass(frozen=True)
class Timeline:
    """One run of a schedule, simulated or measured."""

    graph: str
    scheduler: str
    mode: str  # "barrier" or "dataflow"
    batch: int
    precision: str  # such as "fp16"; empty: unknown
    source: str  # the origin of the times
    makespan_ms: float
    rows: tuple[tuple[int, str], ...]  # device and name, from top to bottom
    events: tuple[Event, ...]

    @staticmethod
    def parse(text: str) -> Timeline:
        """Raises BadTimeline."""
        try:
            data = json.loads(text)
            facts = data["otherData"]
            rows: dict[tuple[int, int], str] = {}
            for event in data["traceEvents"]:
                if event["ph"] == "M" and event["name"] == "thread_name":
                    rows[event["pid"], event["tid"]] = event["args"]["name"]
            events = tuple(_event(e, rows[e["pid"], e["tid"]]) for e in data["traceEvents"] if e["ph"] == "X")
            return Timeline(facts["graph"], facts["scheduler"], facts["mode"], facts["batch"], facts["precision"],
                            facts["source"], facts["makespan_ms"],
                            tuple((device, name) for (device, _), name in rows.items()), events)
        except (ValueError, KeyError, TypeError) as error:
            raise BadTimeline(f"this is no trace that opsched wrote: {error!r}") from error

    @staticmethod
    def read(file: str | Path) -> Timeline:
        """Raises BadTimeline."""
        try:
            return Timeline.parse(Path(file).read_text())
        except BadTimeline as error:
            raise BadTimeline(f"'{file}': {error}") from error

    def operators(self) -> list[Event]:
        return [e for e in self.events if e.category == "operator"]

    def critical_path(self) -> list[Event]:
        """The events of the critical path, from the first to the last, each waiting for the one before it."""
        return sorted((e for e in self.events if e.critical), key=lambda e: (e.start, e.end))

    def frame(self) -> pd.DataFrame:
        """One row per event."""
        import pandas as pd

        return pd.DataFrame([{**asdict(e), "ms": e.ms} for e in self.events])

    def kinds(self) -> list[str]:
        """Kinds of events, those with the largest total time first."""
        time: dict[str, float] = {}
        for e in self.events:
            time[kind_of(e)] = time.get(kind_of(e), 0) + e.ms
        return sorted(time, key=lambda kind: -time[kind])

    def plot(self, ax: Any = None, *, kinds: Sequence[str] | None = None, until_ms: float | None = None) -> Any:
        """Draws bars coloured by kind into `ax` (default: a new picture), with bold edges on the critical path, and
        returns the axes. `kinds`: the order in which colours are assigned (default: this timeline's kinds).
        `until_ms`: end of the axis."""
        if ax is None:
            _, (ax,) = charts.axes(width=12, height=0.9 + 0.32 * len(self.rows))
        colours = colours_of(kinds or self.kinds())
        at = {row: -i for i, row in enumerate(self.rows)}
        for e in sorted(self.events, key=lambda e: e.critical):
            ax.barh(at[e.device, e.row], e.ms, 0.8, left=e.start, color=colours[kind_of(e)],
                    edgecolor="black" if e.critical else "#666666", linewidth=1.4 if e.critical else 0.3)
        ax.set_yticks(list(at.values()), [f"GPU {device}, {name}" for device, name in self.rows])
        ax.set(xlim=(0, until_ms or self.makespan_ms), xlabel="ms")
        ax.grid(axis="x")
        what = ", ".join(filter(None, [self.graph, f"batch {self.batch}", self.precision, self.scheduler]))
        ax.set_title(f"{what}: {self.makespan_ms:.3f} ms ({self.source.split(';')[0]})", loc="left")
        ax.legend(handles=_legend(colours), loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return ax


def kind_of(event: Event) -> str:
    """The kind that determines the colour: all merges count as one kind."""
    if event.category != "operator":
        return event.category
    return "merge" if event.kind.startswith("merge") else event.kind or "other"


def colours_of(kinds: Sequence[str]) -> dict[str, str]:
    """Colours of Okabe and Ito in the order of the kinds; stages and transfers have fixed ones."""
    own = {"stage": style.STAGE, "transfer": style.TRANSFER, "other": style.OTHER}
    free = iter(c for c in style.COLORS if c not in ("#000000", style.TRANSFER))
    return {kind: own.get(kind) or next(free, style.OTHER) for kind in kinds}


def _legend(colours: dict[str, str]) -> list[Any]:
    from matplotlib.patches import Patch

    entries = [Patch(facecolor=colour, edgecolor="#666666", label=kind) for kind, colour in colours.items()]
    return [*entries, Patch(facecolor="none", edgecolor="black", linewidth=1.4, label="critical path")]


def plot_beside(a: Timeline, b: Timeline) -> Any:
    """Draws two timelines one above the other, with the same axis and colours; returns the picture."""
    rows = len(a.rows) + len(b.rows)
    picture, parts = charts.axes(1, 2, width=12, height=1.8 + 0.32 * rows,
                                 gridspec_kw={"height_ratios": [len(a.rows), len(b.rows)]})
    kinds = list(dict.fromkeys([*a.kinds(), *b.kinds()]))
    for timeline, ax in zip((a, b), parts):
        timeline.plot(ax, kinds=kinds, until_ms=max(a.makespan_ms, b.makespan_ms))
    return picture


@dataclass(frozen=True)
class PathTime:
    """How a critical path spends its time, in ms. The parts add up to the end of its last event."""

    alone: float  # solo latencies of its operators
    company: float  # additional time because others run in parallel; may be negative
    transfers: float
    gaps: float  # nothing on the path runs

    @staticmethod
    def of(timeline: Timeline) -> PathTime:
        path = timeline.critical_path()
        operators = [e for e in path if e.category == "operator"]
        alone = sum(e.solo_ms for e in operators)
        transfers = sum(e.ms for e in path if e.category == "transfer")
        busy = sum(e.ms for e in operators)
        end = path[-1].end if path else 0.0
        return PathTime(alone, busy - alone, transfers, end - busy - transfers)
