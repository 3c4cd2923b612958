"""What runs when: a timeline, as `opsched trace -o` writes it (docs/traces.md)."""

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
    """A file that is no trace of opsched; the message names it."""


@dataclass(frozen=True)
class Event:
    """A bar of the timeline: an operator (or its kernel, where it was measured), a transfer, or a stage. Times are in
    ms from the start of the run; what is not known is empty, -1 or 0."""

    name: str
    category: str  # "operator", "transfer", "stage"
    device: int
    row: str  # "stream 0", "stages", "from device 1"
    start: float
    end: float
    stage: int = -1  # of its device
    kind: str = ""  # "conv2d", "merge of 3", ...
    layers: str = ""
    shape: str = ""  # "32x56x56 -> 64x56x56": channels, height, width of one image
    solo_ms: float = 0
    inputs: tuple[str, ...] = ()  # names of the events that make what it reads
    waited_for: str = ""  # the event that ended last of those it had to wait for
    why: str = ""  # "input", "stream", "barrier"
    gap_ms: float = 0  # from that end to its start
    critical: bool = False  # on the path of such waits that ends last
    estimated: bool = False  # start and end are an estimate inside a stage
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
    mode: str  # "barrier", "dataflow"
    batch: int
    precision: str  # "fp16"; empty: unknown
    source: str  # where the times come from
    makespan_ms: float
    rows: tuple[tuple[int, str], ...]  # device and name, from the top
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
        """From the first event to the end of the run, each waiting for the one before it."""
        return sorted((e for e in self.events if e.critical), key=lambda e: (e.start, e.end))

    def frame(self) -> pd.DataFrame:
        """A row an event."""
        import pandas as pd

        return pd.DataFrame([{**asdict(e), "ms": e.ms} for e in self.events])

    def kinds(self) -> list[str]:
        """Of events, those that take the most time first."""
        time: dict[str, float] = {}
        for e in self.events:
            time[kind_of(e)] = time.get(kind_of(e), 0) + e.ms
        return sorted(time, key=lambda kind: -time[kind])

    def plot(self, ax: Any = None, *, kinds: Sequence[str] | None = None, until_ms: float | None = None) -> Any:
        """Draws bars coloured by kind, the critical path with bold edges, into `ax` (default: a new picture), and gives the
        axes. `kinds`: whose colours are dealt out, in this order (default: this timeline's); `until_ms`: where the axis
        ends."""
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
    """For colours: all merges are of one kind."""
    if event.category != "operator":
        return event.category
    return "merge" if event.kind.startswith("merge") else event.kind or "other"


def colours_of(kinds: Sequence[str]) -> dict[str, str]:
    """Okabe and Ito's, in the order of the kinds; stages and transfers have theirs."""
    own = {"stage": style.STAGE, "transfer": style.TRANSFER, "other": style.OTHER}
    free = iter(c for c in style.COLORS if c not in ("#000000", style.TRANSFER))
    return {kind: own.get(kind) or next(free, style.OTHER) for kind in kinds}


def _legend(colours: dict[str, str]) -> list[Any]:
    from matplotlib.patches import Patch

    entries = [Patch(facecolor=colour, edgecolor="#666666", label=kind) for kind, colour in colours.items()]
    return [*entries, Patch(facecolor="none", edgecolor="black", linewidth=1.4, label="critical path")]


def plot_beside(a: Timeline, b: Timeline) -> Any:
    """Two timelines one above the other, on the same axis and in the same colours; gives the picture."""
    rows = len(a.rows) + len(b.rows)
    picture, parts = charts.axes(1, 2, width=12, height=1.8 + 0.32 * rows,
                                 gridspec_kw={"height_ratios": [len(a.rows), len(b.rows)]})
    kinds = list(dict.fromkeys([*a.kinds(), *b.kinds()]))
    for timeline, ax in zip((a, b), parts):
        timeline.plot(ax, kinds=kinds, until_ms=max(a.makespan_ms, b.makespan_ms))
    return picture


@dataclass(frozen=True)
class PathTime:
    """What the time of a critical path goes to, ms; together the end of the last event."""

    alone: float  # operators on it, as long as they take alone
    company: float  # how much longer they take beside others; negative: less than alone, where the start costs less
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
