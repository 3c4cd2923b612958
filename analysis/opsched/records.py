"""Records: the only form in which numbers are stored. docs/records.md describes the file; experiments/records/ reads
and writes the same format in C++."""

import fcntl
import json
import math
import os
import sys
import time
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

FORMAT = {"format": "opsched records", "version": 1}
Texts = dict[str, str]


class BadRecords(Exception):
    """An invalid file, line or record; the message names it."""


class Provenance(Enum):
    """The origin of a number, strongest first, as in core/provenance.hpp."""

    measured = "measured"
    recorded = "recorded"  # composed of latencies measured earlier
    simulated = "simulated"
    synthetic = "synthetic"  # from synthetic costs
    exact = "exact"  # counted

    def may_replace(self, old: "Provenance") -> bool:
        scale = (Provenance.simulated, Provenance.recorded, Provenance.measured)
        if self not in scale or old not in scale:
            return self is old
        return scale.index(self) >= scale.index(old)


@dataclass(frozen=True)
class Spread:
    """Statistics of the samples behind a value, in its unit; 0 if unknown."""

    p90: float = 0
    p99: float = 0
    min: float = 0
    max: float = 0
    stddev: float = 0
    mad_ratio: float = 0  # median absolute deviation over the median
    runs: int = 0


@dataclass(frozen=True)
class Clocks:
    """Lowest clocks during the measurement; 0 if unknown."""

    sm_mhz: int = 0
    memory_mhz: int = 0
    throttled: bool = False


@dataclass(frozen=True)
class Run:
    """Where, with which versions and by which command records were made."""

    id: str = ""
    device: str = ""
    driver: str = ""
    cuda: str = ""
    cudnn: str = ""
    kernels: str = ""  # version of our kernels
    software: Texts = field(default_factory=dict)
    command: str = ""
    note: str = ""
    begin: str = ""

    def where(self) -> str:
        named = {"driver": self.driver, "CUDA": self.cuda, "cuDNN": self.cudnn, "kernels": self.kernels, **self.software}
        return ", ".join([self.device] * bool(self.device) + [f"{k} {v}" for k, v in named.items() if v])

    def same_work(self, other: "Run") -> bool:
        return replace(self, id="", begin="") == replace(other, id="", begin="")


@dataclass(frozen=True)
class Record:
    """A number, or several that belong together. docs/records.md describes the fields."""

    network: str = ""
    file: str = ""  # for graphs other than built-in networks
    software: str = "opsched"
    scheduler: str = ""
    options: Texts = field(default_factory=dict)
    batch: int = 1
    image: int | str = 0  # "480x640", height first, if not square
    precision: str = "fp32"
    gpus: int = 1
    quantity: str = "latency"
    labels: Texts = field(default_factory=dict)
    missing: str = ""
    value: float | None = None
    unit: str = ""
    spread: Spread = Spread()
    numbers: dict[str, float] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    graph: str = ""
    schedule: str = ""
    kernels: str = ""
    clocks: Clocks = Clocks()
    provenance: Provenance = Provenance.measured
    replaces: bool = False
    run: str = ""
    time: str = ""

    def scheduler_with_options(self) -> str:
        """As `opsched bench --scheduler` takes it: "ios-both,r=2"."""
        return self.scheduler + "".join(f",{k}={v}" for k, v in sorted(self.options.items()))

    def case(self) -> str:
        software = "" if self.software == "opsched" else f"{self.software}:"
        image = f"/image:{self.image}" if self.image else ""
        return f"{software}{self.network}/{self.scheduler_with_options()}/batch:{self.batch}{image}/{self.precision}/gpus:{self.gpus}"

    def key(self) -> str:
        """Of several records with the same key, one is valid."""
        quantity = "" if self.quantity == "latency" else f"#{self.quantity}"
        labels = ",".join(f"{k}={v}" for k, v in sorted(self.labels.items()))
        return self.case() + quantity + (f"{{{labels}}}" if labels else "")

    def is_like(self, **conditions: Any) -> bool:
        """Compares each condition with a field of this class, or else (including `run`) with a label. A tuple or list
        matches any of its values."""
        for name, wanted in conditions.items():
            found = getattr(self, name) if name in _FIELDS and name != "run" else self.labels.get(name)
            if found not in wanted if isinstance(wanted, (tuple, list)) else found != wanted:
                return False
        return True


_FIELDS = {f.name: f for f in fields(Record)}


def pixels(image: int | str) -> tuple[int, ...]:
    """Height and width, as a sort key."""
    sides = tuple(int(side) for side in str(image).split("x"))
    return sides if len(sides) == 2 else sides * 2


def utc(seconds: float | None = None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _small(thing: Spread | Clocks | Run) -> dict[str, Any]:
    return {f.name: value for f in fields(thing) if (value := getattr(thing, f.name))}


def record_to_json(record: Record) -> dict[str, Any]:
    """The fields that differ from their default, in order."""
    values = [record.value or 0, *record.numbers.values(), *(v for column in record.series.values() for v in column)]
    if not all(math.isfinite(v) for v in values):
        raise BadRecords(f"the record {record.key()} holds a number that is not finite")
    data = {name: getattr(record, name) for name in _FIELDS}
    data |= {"spread": _small(record.spread), "clocks": _small(record.clocks), "provenance": record.provenance.value}
    return {name: dict(sorted(value.items())) if isinstance(value, dict) and name not in ("spread", "clocks") else value
            for name, value in data.items()
            if name in ("precision", "provenance", "run", "time") or value not in (None, {}, _FIELDS[name].default)}


def record_from_json(data: dict[str, Any]) -> Record:
    try:
        record = Record(**{**data, "provenance": Provenance(data["provenance"]), "spread": Spread(**data.get("spread", {})),
                           "clocks": Clocks(**data.get("clocks", {}))})
    except (TypeError, ValueError, KeyError) as error:
        raise BadRecords(str(error)) from error
    if record.value is None and not (record.numbers or record.series or record.missing):
        raise BadRecords("a record without value, numbers, series or a reason why they are missing")
    return record


class Records:
    """The contents of a folder's records.jsonl."""

    def __init__(self) -> None:
        self.all: list[Record] = []
        self.runs: dict[str, Run] = {}
        self.ended: set[str] = set()
        self.schedules: dict[str, tuple[str, str]] = {}  # fingerprint -> (fingerprint of the graph, text)
        self.kernels: dict[str, Texts] = {}
        self.warnings: list[str] = []
        self._stands: dict[str, Record] = {}

    @staticmethod
    def read(folder: Path) -> "Records":
        """Reads a folder. No file means no records. Unreadable lines are skipped with a warning on standard error."""
        file, records = Path(folder) / "records.jsonl", Records()
        if not file.exists() or not (text := file.read_bytes().decode(errors="replace")):
            return records
        first, *lines = text.split("\n")
        try:
            version = json.loads(first)
        except ValueError:
            version = None
        if version != FORMAT:
            raise BadRecords(f"'{file}' is not a records file of this version")
        for number, line in enumerate(lines, 2):
            if not line and number == len(lines) + 1:
                break  # after the last newline
            try:
                records._add_line(json.loads(line))
            except (BadRecords, ValueError, TypeError, KeyError, AttributeError) as error:
                cut = number == len(lines) + 1
                records.warnings.append(f"{file}:{number}: " + ("a line that was cut off, left out" if cut else
                                                                f"left out: {error}"))
        for warning in records.warnings:
            print(warning, file=sys.stderr)
        return records

    def _add_line(self, line: dict[str, Any]) -> None:
        (kind, data), = line.items()
        if kind == "record":
            self.add(record_from_json(data))
        elif kind == "run":
            self.runs[data["id"]] = Run(**data)
        elif kind == "schedule":
            self.schedules[data["id"]] = (data["graph"], data["text"])
        elif kind == "kernels":
            self.kernels[data["id"]] = data["choices"]
        elif kind == "end":
            self.ended.add(data["run"])
        else:
            raise BadRecords(f"a line of a kind that this version does not know: '{kind}'")

    def would_stand(self, now: Record) -> bool:
        old = self._stands.get(now.key())
        if old is None or old.missing or now.replaces:
            return True
        return not now.missing and now.provenance.may_replace(old.provenance)

    def add(self, record: Record) -> None:
        self.all.append(record)
        if self.would_stand(record):
            self._stands[record.key()] = record

    def standing(self) -> list[Record]:
        """The valid record of each key, in order of first appearance."""
        return list(self._stands.values())

    def find(self, key: str) -> Record | None:
        return self._stands.get(key)

    def select(self, **conditions: Any) -> list[Record]:
        """The valid records that have a value (or numbers or series) and match the conditions of Record.is_like."""
        return [r for r in self._stands.values() if not r.missing and r.is_like(**conditions)]

    def run_of(self, record: Record) -> Run:
        return self.runs.get(record.run, Run())


def comparable(a: Run, b: Run) -> bool:
    """Whether records of two runs can be compared without a mark: the same type of device and the same version of our
    kernels. Other software does not use our kernels, and unmeasured values have no device."""
    if not a.device or not b.device:
        return True
    return a.device == b.device and (not a.kernels or not b.kernels or a.kernels == b.kernels)


def fnv1a(text: str, state: int = 14695981039346656037) -> int:
    for byte in text.encode():
        state = (state ^ byte) * 1099511628211 & (1 << 64) - 1
    return state


class RecordFile:
    """FOLDER/records.jsonl, open for one process at a time. Lines are only appended, never changed. An interrupted run
    is continued when the same command runs on the same device and versions. Records belong to `run`, unless add() is
    given another one, such as a baseline's."""

    def __init__(self, folder: Path, run: Run, fresh: bool = False) -> None:
        self.path = Path(folder) / "records.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._lock()
        os.ftruncate(self._file, self.path.read_bytes().rfind(b"\n") + 1)  # an unfinished line of an interrupted writer
        self.records, self.run, self._fresh = Records.read(folder), run, fresh
        self._begun: list[Run] = []
        for there in (self.records.run_of(r) for r in self.records.select(software="opsched")
                      if r.provenance is Provenance.measured):
            if run.device and there.device not in ("", run.device):
                raise BadRecords(f"'{self.path}' holds what was measured on {there.device}, and this is {run.device}; give "
                                 "another folder")
        self._continue(run)

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *_: Any) -> None:
        if os.fstat(self._file).st_size == 0:
            self.path.unlink(missing_ok=True)
        os.close(self._file)

    def _lock(self) -> int:
        """Takes the same lock as core/cost/profile/journal.cpp. Tries again if the file was replaced in between."""
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(file)
                raise BadRecords(f"'{self.path}' is in use: another process writes it; wait for it to end") from error
            if self.path.exists() and self.path.stat().st_ino == os.fstat(file).st_ino:
                return file
            os.close(file)

    def _write(self, line: dict[str, Any]) -> None:
        size = os.fstat(self._file).st_size
        text = "".join(json.dumps(part, separators=(",", ":"), ensure_ascii=False) + "\n"
                       for part in ([line] if size else [FORMAT, line])).encode()
        try:
            if os.write(self._file, text) != len(text):
                raise OSError(28, "no space left", str(self.path))
        except OSError:
            os.ftruncate(self._file, size)  # removes the partial line
            raise

    def _continue(self, run: Run) -> Run | None:
        """A run with the same work, begun by this process or left unfinished by an earlier one."""
        for begun in self._begun:
            if begun.same_work(run):
                return begun
        unfinished = [r for id, r in self.records.runs.items() if id not in self.records.ended and r.same_work(run)]
        if self._fresh or not unfinished:
            return None
        self._begun.append(max(unfinished, key=lambda r: r.begin))
        return self._begun[-1]

    def _begin(self, run: Run) -> Run:
        if begun := self._continue(run):
            return begun
        begin, id = run.begin or utc(), ""
        while not id or id in self.records.runs:
            id = f"{fnv1a(json.dumps(_small(run)) + begin + id):016x}"
        self._begun.append(replace(run, id=id, begin=begin))
        self._write({"run": _small(self._begun[-1])})
        self.records.runs[id] = self._begun[-1]
        return self._begun[-1]

    def keep_schedule(self, id: str, graph: str, text: str) -> None:
        """Stores a schedule once, so that records can refer to it by its fingerprint."""
        if id not in self.records.schedules:
            self._write({"schedule": {"id": id, "graph": graph, "text": text}})
            self.records.schedules[id] = (graph, text)

    def add(self, record: Record, run: Run | None = None) -> bool:
        """Adds a record. Returns False if a stronger record exists, or one with the same content that was not measured
        either."""
        if not self.records.would_stand(record):
            return False
        old = self.records.find(record.key())
        measured = record.provenance is Provenance.measured and not record.missing
        if old and not measured and replace(old, run="", time="") == replace(record, run="", time=""):
            return False
        record = replace(record, run=self._begin(run or self.run).id, time=record.time or utc())
        self._write({"record": record_to_json(record)})
        self.records.add(record)
        return True

    def finish(self) -> None:
        for run in self._begun:
            if run.id not in self.records.ended:
                self._write({"end": {"run": run.id}})
                self.records.ended.add(run.id)
