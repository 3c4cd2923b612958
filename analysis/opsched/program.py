"""Calls the program and returns its results as objects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsched.graph import Graph
from opsched.records import Record, Records
from opsched.schedule import Schedule
from opsched.timeline import Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Network = str | Path | Graph  # a network's name, a graph file, or a graph
Names = str | Iterable[str]
SOURCE = Path(__file__).resolve().parents[2]
OUTPUT_LINE = re.compile(r"^(\S.*?)  +(\d+(?:x\d+)+)  +mean ")  # name and shape of an output of `opsched infer`


class BadProgram(Exception):
    """The program was not found, or reported an error, which is the message."""


def find_program() -> str:
    """$OPSCHED, otherwise the newest build in this source's build/, otherwise `opsched` in the path. Raises
    BadProgram."""
    if named := os.environ.get("OPSCHED"):
        return named
    built = sorted(SOURCE.glob("build/*/opsched"), key=lambda file: file.stat().st_mtime)
    if found := [str(file) for file in built if os.access(file, os.X_OK) and file.is_file()]:
        return found[-1]
    if (installed := shutil.which("opsched")) is not None:
        return installed
    raise BadProgram("there is no program opsched: build it (./opsched list) or name it in the variable OPSCHED")


def call(*words: object) -> str:
    """The output of `opsched WORDS`. Raises BadProgram with the program's error message."""
    done = subprocess.run([find_program(), *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise BadProgram(done.stderr.strip() or f"opsched {words[0]} ended with code {done.returncode}")
    return done.stdout


def _is_file(network: Network) -> bool:
    return isinstance(network, Path) or str(network).endswith((".json", ".onnx"))


def _graph_words(network: Network, scratch: str) -> list[str]:
    """The options that name a graph, as most commands take them."""
    if isinstance(network, Graph):
        file = Path(scratch) / f"{network.name}.json"
        network.save(file)
        return ["--graph", str(file)]
    return ["--graph", str(network)] if _is_file(network) else [str(network)]


def _options(**named: Any) -> list[str]:
    """--NAME VALUE for each value that is not None."""
    return [word for name, value in named.items() if value is not None for word in (f"--{name}", str(value))]


def _list(names: object) -> str:
    return names if isinstance(names, str) else ",".join(map(str, names)) if isinstance(names, Iterable) else str(names)


def bench(networks: Network | Sequence[Network], schedulers: Names | None = None, *, batch: int | Sequence[int] = 1,
          image: int | str | Sequence[int | str] = 0, precision: Names = "fp32", gpus: int | Sequence[int] = 1,
          device: str = "auto", profile: str | Path | None = None, out: str | Path | None = None,
          max_seconds: float | None = None) -> Records:
    """Runs `opsched bench`: latencies of networks or graph files under schedulers (default: all for that number of
    GPUs), measured on this host's GPUs, or replayed from `profile`. `out`: a results folder for the records; without
    it they are only returned."""
    chosen = [networks] if isinstance(networks, (str, Path, Graph)) else list(networks)
    with tempfile.TemporaryDirectory() as scratch:
        files = [_graph_words(n, scratch)[1] for n in chosen if isinstance(n, Graph) or _is_file(n)]
        names = [str(n) for n in chosen if not isinstance(n, Graph) and not _is_file(n)]
        folder = Path(out) if out is not None else Path(scratch) / "records"
        # With `out`, everything is kept there. Without, the program measures into its default profile.
        call("bench", *_options(network=",".join(names) or None, graph=",".join(files) or None,
                                scheduler=None if schedulers is None else _list(schedulers), batch=_list(batch),
                                image=_list(image), precision=_list(precision), gpus=_list(gpus), device=device,
                                profile=profile, out=folder), *(["--max-seconds", str(max_seconds)] if max_seconds else []))
        return Records.read(folder)


def replay(profile: str | Path, networks: Network | Sequence[Network], schedulers: Names | None = None,
           **options: Any) -> Records:
    """Replays what was measured into a results folder; needs no GPU. `options`: as for bench."""
    return bench(networks, schedulers, device="sim", profile=profile, **options)


def run(network: Network, scheduler: str, **options: Any) -> Record:
    """The latency of one network under one scheduler; `options` as for bench. Raises BadProgram with the reason if
    there is none."""
    records = bench(network, scheduler, **options)
    found = [r for r in records.standing() if r.scheduler == scheduler.split(",")[0]]
    if not found or found[-1].missing:
        raise BadProgram(found[-1].missing if found else f"no record of {scheduler}")
    return found[-1]


def load_graph(network: Network, *, batch: int | None = None, image: int | str | None = None) -> Graph:
    """Loads a network by name, or a graph file (ours, IOS's or ONNX)."""
    with tempfile.TemporaryDirectory() as scratch:
        return Graph.parse(call("show", *_graph_words(network, scratch), "--format", "json", *_options(batch=batch, image=image)))


def _scheduled(command: str, network: Network, scheduler: str | Schedule, wanted: str, options: Mapping[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        words = _graph_words(network, scratch)
        if isinstance(scheduler, Schedule):
            kept = Path(scratch) / "schedule.json"
            scheduler.save(kept)
            words += ["--schedule", str(kept)]
        else:
            name, *assignments = scheduler.split(",")
            words += ["--scheduler", name, *(word for a in assignments for word in ("--opt", a))]
        made = Path(scratch) / wanted
        call(command, *words, "-o", made, *_options(**options))
        return made.read_text()


def find_schedule(network: Network, scheduler: str, **options: Any) -> Schedule:
    """Runs `opsched schedule`. `scheduler` may include options, as in "ios-both,r=2". `options`: gpus, batch, image,
    precision, device, profile."""
    return Schedule.parse(_scheduled("schedule", network, scheduler, "s.json", options))


def trace(network: Network, scheduler: str | Schedule, **options: Any) -> Timeline:
    """Runs `opsched trace`: the timeline of a schedule, or of the one that a scheduler finds. `options`: as for
    find_schedule."""
    text = _scheduled("trace", network, scheduler, "t.json", options)
    return Timeline.parse(text)


def infer(network: Network, inputs: NDArray[np.float32] | Mapping[str, NDArray[np.float32]] | None = None, *,
          schedule: Schedule | None = None, device: str = "cpu", precision: str = "fp32",
          batch: int | None = None) -> dict[str, NDArray[np.float32]]:
    """Runs `opsched infer`. Returns outputs by name, each batch x channels x height x width. `inputs`: the only input,
    inputs by name, or None for random values."""
    import numpy as np

    given = inputs if isinstance(inputs, Mapping) or inputs is None else {"": inputs}
    with tempfile.TemporaryDirectory() as scratch:
        words = _graph_words(network, scratch)
        for i, (name, values) in enumerate((given or {}).items()):
            file = Path(scratch) / f"input{i}.npy"
            np.save(file, np.ascontiguousarray(values, dtype=np.float32))
            words += ["--input", f"{name}={file}" if name else str(file)]
        if schedule is not None:
            schedule.save(Path(scratch) / "schedule.json")
            words += ["--schedule", str(Path(scratch) / "schedule.json")]
        out = Path(scratch) / "outputs.bin"
        said = call("infer", *words, "-o", out, *_options(device=device, precision=precision, batch=batch))
        values, outputs, at = np.fromfile(out, dtype="<f4"), {}, 0
        for match in filter(None, map(OUTPUT_LINE.match, said.splitlines())):
            shape = tuple(map(int, match[2].split("x")))
            outputs[match[1]] = values[at:at + int(np.prod(shape))].reshape(shape)
            at += int(np.prod(shape))
        if at != len(values):
            raise BadProgram(f"opsched infer wrote {len(values)} values and names {at}")
        return outputs
