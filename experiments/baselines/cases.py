"""The cases that are measured, and their records in OUT/records.jsonl."""

import dataclasses
import pathlib
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "analysis"))

from opsched.page import LAYOUTS, base_of, way_of  # noqa: E402, F401
from opsched.records import Clocks, Provenance, Record, RecordFile, Run, Spread  # noqa: E402, F401

from protocols import labels_of  # noqa: E402

Entry = dict[str, Any]
IDLE = 1  # the bit for "idle" in the reasons for lower clocks


ALIASES = {"graph": "sequential", "opara": "dataflow"}  # of modes of PyTorch
USUAL_LAYOUT = {"fp32": "-nchw", "tf32": "-nchw", "fp16": "-nhwc"}  # of PyTorch and JAX


def layout_of(mode: str, precision: str) -> str:
    """"-nhwc" of "compile+mm-nhwc", and the usual one of "compile"."""
    return mode[len(way_of(mode)):] or USUAL_LAYOUT[precision]


def in_both_layouts(modes: list[str], precision: str) -> list[str]:
    """The modes, and again in the other layout."""
    other = next(layout for layout in LAYOUTS if layout != USUAL_LAYOUT[precision])
    return [mode + layout for layout in ("", other) for mode in modes]


# Options of a mode of PyTorch, each after a "+". All except limit0 only work with torch.compile.
OPTIONS = {
    "limit0": "cuDNN tries every plan",
    "layout": "layout_optimization on",
    "nolayout": "layout_optimization off",
    "mm": "1x1 convolutions as products",
    "freeze": "weights frozen, inputs not static",
    "capture": "its kernels captured into one CUDA graph without the host's guards",
}


def options_of(mode: str) -> list[str]:
    """["mm"] of "compile+mm-nhwc"."""
    return way_of(mode).split("+")[1:]


def known_mode(mode: str) -> str:
    """The mode without aliases, with its options in the order of OPTIONS. ValueError for options that do not go with
    it."""
    way, base, options = way_of(mode), base_of(mode), options_of(mode)
    if unknown := [o for o in options if o not in OPTIONS]:
        raise ValueError(f"unknown option {', '.join(unknown)} of mode {mode}; there are: {', '.join(OPTIONS)}")
    if len(set(options)) < len(options) or {"layout", "nolayout"} <= set(options):
        raise ValueError(f"mode {mode}: options that contradict or repeat each other")
    if not base.startswith("compile") and set(options) - {"limit0"}:
        raise ValueError(f"mode {mode}: only limit0 goes with what torch.compile does not compile")
    return "+".join([ALIASES.get(base, base), *(o for o in OPTIONS if o in options)]) + mode[len(way):]


def without_limit(mode: str) -> bool:
    """Whether cuDNN tries every plan. Such modes need a process of their own, because cuDNN keeps its chosen plans,
    found with or without a limit, as long as the process runs."""
    return "limit0" in options_of(mode)


class Wrong(Exception):
    """An error that the user can fix."""


@dataclasses.dataclass(frozen=True)
class Case:
    network: str
    batch: int
    image: int | str  # as in records; 0: the network's default
    precision: str
    file: str = ""  # a graph file; otherwise a built-in network

    def given(self, option: str) -> list[str]:
        """The options that tell opsched about it."""
        return ["--graph", self.file] if self.file else [*([option] if option else []), self.network]

    def __str__(self) -> str:
        size = f", image {self.image}" if self.image else ""
        return f"{self.network}, batch {self.batch}{size}, {self.precision}"

    def record(self, software: str, scheduler: str, **more: Any) -> Record:
        return Record(network=self.network, file=self.file, batch=self.batch, image=self.image, precision=self.precision, software=software,
                      scheduler=scheduler, **more)


@dataclasses.dataclass(frozen=True)
class Task:
    """Modes of one software that one process measures."""

    case: Case
    software: str
    modes: tuple[str, ...]


def cudnn_version(number: int | str | None) -> str:
    """Such as 9.19.0 for 91900."""
    return f"{int(number) // 10000}.{int(number) % 10000 // 100}.{int(number) % 100}" if number else ""


def run_of(entry: Entry, command: str) -> Run:
    """Where and with which versions other software ran, as reported by itself."""
    versions = dict(entry.get("versions", {}))
    cuda, cudnn = versions.pop("cuda", None) or "", cudnn_version(versions.pop("cudnn", None))
    return Run(device=entry["device"], cuda=cuda, cudnn=cudnn, software={k: str(v) for k, v in versions.items()}, command=command)


def clocks_of(entry: Entry) -> Clocks:
    clocks = entry.get("clocks", {})
    if "sm_mhz" not in clocks:
        return Clocks()
    return Clocks(clocks["sm_mhz"], clocks["memory_mhz"], bool(int(clocks["throttle_reasons"], 16) & ~IDLE))


def record_of(task: Task, mode: str, entry: Entry) -> Record:
    """One mode, as reported by its process: a latency, or the reason for having none."""
    latency = entry["latency"][mode]
    if "median" not in latency:
        return task.case.record(task.software, mode, missing=why_not(latency))
    return task.case.record(
        task.software, mode, **value_of(latency),
        numbers={k: latency[k] for k in ("relative_error", "ready_seconds") if k in latency},
        texts={"what": latency["what"]} if "what" in latency else {}, clocks=clocks_of(entry))


def why_not(found: Entry) -> str:
    return next(f"{word}: {found[word]}" for word in ("absent", "failed") if word in found)


def value_of(found: Entry) -> dict[str, Any]:
    spread = {field: found[field] for field in ("p90", "p99", "min", "max", "runs") if field in found}
    return {"value": found["median"], "unit": found["unit"], "spread": Spread(mad_ratio=found.get("noise", 0), **spread)}


def protocol_records(task: Task, mode: str, entry: Entry) -> list[Record]:
    """The results of the requested protocols; none if there is no latency."""
    records = []
    for protocol, found in entry["latency"][mode].get("protocols", {}).items():
        key: dict[str, Any] = {"quantity": "protocol", "labels": labels_of(protocol)}
        if "failed" in found:
            records.append(task.case.record(task.software, mode, missing=found["failed"], **key))
            continue
        rate = "images_per_joule" if protocol == "energy" else "images_per_second"
        records.append(task.case.record(task.software, mode, **key, **value_of(found), clocks=clocks_of(entry),
                                        numbers={rate: 1000 * task.case.batch / found["median"]}))
    return records


def is_wanted(file: RecordFile, case: Case, software: str, mode: str, protocols: list[str], retry: bool) -> bool:
    """Whether to measure: not measured yet (or not compared with ours, or not with these protocols), absent, or failed
    and to be retried."""
    known = file.records.find(case.record(software, mode).key())
    if known is None or known.missing.startswith("absent"):
        return True
    if known.missing:
        return retry
    asked = [file.records.find(case.record(software, mode, quantity="protocol", labels=labels_of(p)).key()) for p in protocols]
    return "relative_error" not in known.numbers or any(r is None or (retry and r.missing) for r in asked)
