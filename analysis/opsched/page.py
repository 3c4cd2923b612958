"""Shared by all pages: tables, formatted numbers, marks, and writing or checking files."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opsched.modules import stop_without
from opsched.records import Provenance, Record, Run, comparable

PRECISIONS = ["fp32", "tf32x3", "tf32", "fp16"]
USUAL_PRECISIONS = ["fp32", "tf32", "fp16"]  # those that other software has, too
COMPARED_IN = {"tf32x3": "fp32"}  # the precision of other software in which the same accuracy is required
STOPPED = 130  # exit code after Ctrl-C


class Names(dict[str, str]):
    """Display names. Names that are not listed are shown as in the records."""

    def __missing__(self, key: str) -> str:
        return key


NETWORKS = Names({"inception_v3": "Inception V3", "randwire": "RandWire", "randwire-paper": "RandWire of the paper",
                  "nasnet": "NasNet-A", "squeezenet": "SqueezeNet"})
SCHEDULERS = {"sequential": "sequential", "wavefront": "wavefront (IOS's greedy)", "greedy": "greedy",
              "ios-merge": "IOS-Merge", "ios-parallel": "IOS-Parallel", "ios-both": "IOS-Both",
              "ios-dataflow": "IOS without barriers", "dataflow": "dataflow"}  # of one GPU
BASELINES = {
    ("pytorch", "eager"): "PyTorch eager",
    ("pytorch", "sequential"): "PyTorch CUDA graph, sequential",
    ("pytorch", "wavefront"): "PyTorch CUDA graph, wavefront",
    ("pytorch", "dataflow"): "PyTorch CUDA graph, dataflow (Opara)",
    ("pytorch", "compile"): "torch.compile",
    ("pytorch", "compile-max-autotune"): "torch.compile max-autotune",
    ("jax", "xla"): "JAX/XLA",
    ("tensorrt", "engine"): "TensorRT",
}
# The suffix of a mode with an unusual tensor layout. Usual are channels-last in fp16 and channels-first otherwise.
LAYOUTS = {"-nchw": ", channels-first", "-nhwc": ", channels-last"}


class Marks:
    """Marks on numbers, and the legend of the marks in use."""

    MEANING = {
        "~": "simulated, not measured (docs/simulator.md)",
        "°": "recorded: read from a profile, or computed from the stages in it",
        "†": "different kernels or device than the number it is compared with",
        "!": "the GPU lowered its clocks during the measurement",
        "‡": "from `opsched bench`: not measured together with the other software",
        "§": "chosen by the reported latency, because `opsched bench` has none",
    }

    def __init__(self, runs: dict[str, Run]) -> None:
        self.runs = runs
        self.used: set[str] = set()

    def sign(self, sign: str, when: bool = True) -> str:
        self.used |= {sign} if when else set()
        return sign if when else ""

    def run_of(self, record: Record) -> Run:
        return self.runs.get(record.run, Run())

    def before(self, record: Record) -> str:
        return self.sign("~", record.provenance is Provenance.simulated)

    def behind(self, record: Record, base: Record | None = None) -> str:
        other = base is not None and not comparable(self.run_of(record), self.run_of(base))
        return (self.sign("°", record.provenance is Provenance.recorded) + self.sign("†", other)
                + self.sign("!", record.clocks.throttled))

    def cell(self, record: Record | None, base: Record | None = None, digits: int | None = None) -> str:
        """A latency. `base` is the record it is compared with."""
        if record is None:
            return "-"
        text = ms_text(record.value) if digits is None else f"{record.value:.{digits}f}"
        return self.before(record) + text + self.behind(record, base)

    def legend(self) -> str:
        return "".join(f"`{sign}` {meaning}. " for sign, meaning in self.MEANING.items() if sign in self.used).strip()


def way_of(scheduler: str) -> str:
    """The mode of other software without its tensor layout: "compile" for "compile-nhwc"."""
    return scheduler[:-5] if scheduler[-5:] in LAYOUTS else scheduler


def base_of(scheduler: str) -> str:
    """The mode of other software without options and layout: "compile" for "compile+mm-nhwc"."""
    return way_of(scheduler).split("+")[0]


def baseline_name(software: str, scheduler: str) -> str:
    """"torch.compile+mm, channels-last" for PyTorch's "compile+mm-nhwc"."""
    base, way = base_of(scheduler), way_of(scheduler)
    return BASELINES.get((software, base), f"{software} {base}") + way[len(base):] + LAYOUTS.get(scheduler[len(way):], "")


def name_of(record: Record) -> str:
    """The name of other software, or our scheduler."""
    return record.scheduler if record.software == "opsched" else baseline_name(record.software, record.scheduler)


def fastest(records: Iterable[Record]) -> Record | None:
    return min(records, key=lambda r: r.value, default=None)


def distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def grouped(things: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Groups by key, in the order of first occurrence."""
    found: dict[Any, list[Any]] = {}
    for thing in things:
        found.setdefault(key(thing), []).append(thing)
    return found


def ms_text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 10 else f"{value:.2f}"


def ratio(a: Record | None, b: Record | None) -> float | None:
    return a.value / b.value if a and b else None


def ratio_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def number(record: Record, key: str, form: str) -> str:
    """The number of this name in the record, or `-`."""
    return format(record.numbers[key], form) if key in record.numbers else "-"


def bold(text: str, when: bool) -> str:
    """Bold marks numbers that miss a target."""
    return f"**{text}**" if when else text


def join(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else "none"


def plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def places(records: list[Record], runs: dict[str, Run]) -> list[str]:
    """The number of records by origin and provenance."""
    def place(record: Record) -> str:
        run = runs.get(record.run, Run())
        return ", ".join(w for w in (run.where(), run.note.split("converted from")[0].strip("; ")) if w)

    def counts(there: list[Record]) -> str:
        return ", ".join(f"{n} {word}" for word, n in sorted(Counter(r.provenance.value for r in there).items()))

    return [counts(there) + (f": {where}" if where else "") for where, there in grouped(records, place).items()]


def where_from(records: list[Record], runs: dict[str, Run]) -> str:
    """The origins as a list."""
    return "".join(f"* {place}\n" for place in places(records, runs))


def titled(title: str, intro: str, body: str) -> str:
    """A section, or nothing if there is no body."""
    return f"\n## {title}\n\n{intro}{body}" if body else ""


def source(records: list[Record], runs: dict[str, Run]) -> str:
    """The origins as a line above a table."""
    return f"Source: {'; '.join(places(records, runs))}.\n\n"


def commands(records: list[Record], runs: dict[str, Run]) -> str:
    """The commands that made the records, in the order in which they ran."""
    used = sorted({r.run for r in records} & runs.keys(), key=lambda id: (runs[id].begin, id))
    lines = distinct(line for id in used for line in runs[id].command.splitlines())
    return "```\n" + "\n".join(lines) + "\n```\n" if lines else ""


def write_whole(file: Path, write: Callable[[Path], Any]) -> None:
    """Calls write(PATH) such that the file appears complete or not at all."""
    scratch = file.with_name(f".{file.name}.tmp")
    try:
        write(scratch)
        scratch.replace(file)
    except OSError as error:  # if the disk is full, the error does not name the file
        raise OSError(error.errno, error.strerror, str(file)) from error
    finally:
        scratch.unlink(missing_ok=True)


def run(program: Callable[[], int]) -> None:
    """Runs the program and exits with its return value."""
    try:
        sys.exit(program())
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "opsched":  # a fault of ours
            raise
        stop_without([error.name.split(".")[0]], error.name)
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def put(file: Path, text: str, check: bool) -> bool:
    """Writes a page, or checks it. Returns whether the page already matched the records."""
    same = file.exists() and file.read_text() == text
    if check and not same:
        print(f"{file} does not match the records; run analysis/tables.py or figures.py on {file.parent}")
    if not same and not check:
        write_whole(file, lambda path: path.write_text(text))
    return same
