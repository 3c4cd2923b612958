"""A schedule: which operators run on which stream of which GPU, in which order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMAT = {"format": "opsched schedule", "version": 1}


class BadSchedule(Exception):
    """Not a schedule file; the message names it."""


@dataclass(frozen=True)
class Stage:
    """Operators between two barriers. In dataflow mode, stages only define an order."""

    strategy: str  # "concurrent", or "merge": its convolutions run as one
    groups: tuple[tuple[str, ...], ...]  # group g runs on stream g, one operator after another


@dataclass(frozen=True)
class Schedule:
    """The contents of a schedule file (core/schedule/schedule_json.hpp)."""

    graph: str  # name of the graph it was made for
    scheduler: str
    mode: str  # "barrier", "dataflow"
    devices: tuple[tuple[Stage, ...], ...]
    text: str  # the file, which the program can read again

    @staticmethod
    def parse(text: str) -> Schedule:
        """Raises BadSchedule."""
        try:
            data = json.loads(text)
            if {k: data.get(k) for k in FORMAT} != FORMAT:
                raise BadSchedule("this is no schedule of this version of opsched")
            devices = tuple(tuple(Stage(stage["strategy"], tuple(map(tuple, stage["groups"]))) for stage in device["stages"])
                            for device in data["devices"])
            return Schedule(data["graph"]["name"], data["scheduler"], data["mode"], devices, text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadSchedule(f"this is no schedule of opsched: {error!r}") from error

    @staticmethod
    def read(file: str | Path) -> Schedule:
        try:
            return Schedule.parse(Path(file).read_text())
        except BadSchedule as error:
            raise BadSchedule(f"'{file}': {error}") from error

    def save(self, file: str | Path) -> None:
        Path(file).write_text(self.text)

    def operators(self) -> list[str]:
        """Operators by device, stage and group."""
        return [op for device in self.devices for stage in device for group in stage.groups for op in group]

    def stages(self) -> int:
        """Number of stages on all devices."""
        return sum(map(len, self.devices))

    def streams(self) -> int:
        """Number of streams on all devices: on each, the groups of its largest stage."""
        return sum(max((len(stage.groups) for stage in device), default=0) for device in self.devices)

    def frame(self) -> pd.DataFrame:
        """One row per operator, with its place."""
        import pandas as pd

        return pd.DataFrame([{"operator": op, "device": d, "stage": s, "stream": g, "position": i, "strategy": stage.strategy}
                             for d, device in enumerate(self.devices) for s, stage in enumerate(device)
                             for g, group in enumerate(stage.groups) for i, op in enumerate(group)])
