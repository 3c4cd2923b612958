"""A schedule: what runs on which stream of which GPU, in which order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMAT = {"format": "opsched schedule", "version": 1}


class BadSchedule(Exception):
    """A file that is no schedule; the message names it."""


@dataclass(frozen=True)
class Stage:
    """Operators between two barriers; in dataflow mode only an order."""

    strategy: str  # "concurrent", or "merge": its convolutions become one
    groups: tuple[tuple[str, ...], ...]  # group g runs on stream g, its operators one after another


@dataclass(frozen=True)
class Schedule:
    """As a schedule file has it (core/schedule/schedule_json.hpp)."""

    graph: str  # name of the graph it was made for
    scheduler: str
    mode: str  # "barrier", "dataflow"
    devices: tuple[tuple[Stage, ...], ...]
    text: str  # the file: the program reads it again

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
        """Device by device, stage by stage, group by group."""
        return [op for device in self.devices for stage in device for group in stage.groups for op in group]

    def stages(self) -> int:
        """On all devices."""
        return sum(map(len, self.devices))

    def streams(self) -> int:
        """On all devices: of each as many as its largest stage has groups."""
        return sum(max((len(stage.groups) for stage in device), default=0) for device in self.devices)

    def frame(self) -> pd.DataFrame:
        """A row an operator: where it stands."""
        import pandas as pd

        return pd.DataFrame([{"operator": op, "device": d, "stage": s, "stream": g, "position": i, "strategy": stage.strategy}
                             for d, device in enumerate(self.devices) for s, stage in enumerate(device)
                             for g, group in enumerate(stage.groups) for i, op in enumerate(group)])
