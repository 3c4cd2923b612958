"""What is measured, and what is known of it: records of OUT/records.jsonl."""

import dataclasses
import pathlib
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "analysis"))

from opsched.page import LAYOUTS, way_of  # noqa: E402, F401
from opsched.records import Clocks, Provenance, Record, RecordFile, Run, Spread  # noqa: E402, F401

Entry = dict[str, Any]
IDLE = 1  # the bit of the reasons for lower clocks that says: nothing runs


# PyTorch's modes: another name, and where tensors lie unless "-nchw" or "-nhwc" (LAYOUTS) behind a mode says it.
ALIASES = {"graph": "sequential", "opara": "dataflow"}
USUAL_LAYOUT = {"fp32": "-nchw", "tf32": "-nchw", "fp16": "-nhwc"}


def known_mode(mode: str) -> str:
    """The mode without aliases."""
    way = way_of(mode)
    return ALIASES.get(way, way) + mode[len(way):]


class Wrong(Exception):
    """Something that the user can put right."""


@dataclasses.dataclass(frozen=True)
class Case:
    network: str
    batch: int
    image: int | str  # as in records; 0: the network's own
    precision: str
    file: str = ""  # a graph file; else a network by name

    def given(self, option: str) -> list[str]:
        """How a command of ours is told of it."""
        return ["--graph", self.file] if self.file else [*([option] if option else []), self.network]

    def __str__(self) -> str:
        size = f", image {self.image}" if self.image else ""
        return f"{self.network}, batch {self.batch}{size}, {self.precision}"

    def record(self, software: str, scheduler: str, **more: Any) -> Record:
        return Record(network=self.network, file=self.file, batch=self.batch, image=self.image, precision=self.precision, software=software,
                      scheduler=scheduler, **more)


@dataclasses.dataclass(frozen=True)
class Task:
    """Ways to run one software that are measured by one process."""

    case: Case
    software: str
    modes: tuple[str, ...]


def cudnn_version(number: int | str | None) -> str:
    """91900: 9.19.0"""
    return f"{int(number) // 10000}.{int(number) % 10000 // 100}.{int(number) % 100}" if number else ""


def run_of(entry: Entry, command: str) -> Run:
    """Where and with what versions other software ran, by its own account."""
    versions = dict(entry.get("versions", {}))
    cuda, cudnn = versions.pop("cuda", None) or "", cudnn_version(versions.pop("cudnn", None))
    return Run(device=entry["device"], cuda=cuda, cudnn=cudnn, software={k: str(v) for k, v in versions.items()}, command=command)


def clocks_of(entry: Entry) -> Clocks:
    clocks = entry.get("clocks", {})
    if "sm_mhz" not in clocks:
        return Clocks()
    return Clocks(clocks["sm_mhz"], clocks["memory_mhz"], bool(int(clocks["throttle_reasons"], 16) & ~IDLE))


def record_of(task: Task, mode: str, entry: Entry) -> Record:
    """One way to run, as its process answered: a latency, or why there is none."""
    latency = entry["latency"][mode]
    if "median_ms" not in latency:
        word = next(word for word in ("absent", "failed") if word in latency)
        return task.case.record(task.software, mode, missing=f"{word}: {latency[word]}")
    return task.case.record(
        task.software, mode, value=latency["median_ms"], unit="ms",
        spread=Spread(min=latency.get("min_ms", 0), max=latency.get("max_ms", 0), mad_ratio=latency.get("noise", 0),
                      runs=latency.get("runs", 0)),
        numbers={k: latency[k] for k in ("relative_error", "ready_seconds") if k in latency},
        texts={"what": latency["what"]} if "what" in latency else {}, clocks=clocks_of(entry))


def is_wanted(file: RecordFile, case: Case, software: str, mode: str, retry: bool) -> bool:
    """Not measured yet (or not compared with ours), absent, or failed and to be tried again."""
    known = file.records.find(case.record(software, mode).key())
    if known is None or known.missing.startswith("absent"):
        return True
    return retry if known.missing else "relative_error" not in known.numbers
