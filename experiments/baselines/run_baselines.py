#!/usr/bin/env python3
"""Measures baselines (PyTorch in several modes, JAX/XLA, TensorRT) and our own schedules on our networks.

  python3 experiments/baselines/run_baselines.py --opsched build/release/opsched --out results/mygpu
  python3 experiments/baselines/run_baselines.py --out results/mygpu --network squeezenet --precision fp16 --batch 1,32
  python3 experiments/baselines/run_baselines.py --out results/mygpu --image 512,1024 --modes eager,graph,opara --ours dataflow
  python3 experiments/baselines/run_baselines.py --out results/mygpu --precision fp32 --tf32x3 --batch 16,128
  python3 experiments/baselines/run_baselines.py --out results/mygpu --modes compile --compile-jobs 16 --max-seconds 0.3
  python3 experiments/baselines/run_baselines.py --out results/mygpu --modes compile-max-autotune --timeout 3600
  python3 experiments/baselines/run_baselines.py --out results/mygpu --baselines tensorrt --aux-streams all --timeout 3600

Every baseline gets our graph, weights and input, and its output is compared with ours. For each case (a network,
batch size, image size and precision) our schedules are measured first, then the baselines, then ours again, all on
the same GPU. Every result is written to OUT/records.jsonl at once, and an interrupted run continues where it stopped.
A baseline that is not installed is recorded as absent, and one that crashes or takes too long as failed; the others
still run. Baselines run under --python, the interpreter that has them.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import functools
import glob
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import gpu
from cases import (Case, Entry, Record, RecordFile, Run, Task, Wrong, base_of, in_both_layouts, is_wanted,
                   protocol_records, record_of, run_of, without_limit)
from options import CUDA_GRAPHS, HERE, MODES, SCRIPT, SIDE_BY_SIDE, parse
from processes import Died, Process, last_words
from opsched.page import COMPARED_IN, grouped
from opsched.records import BadRecords, Records, pixels

MODULE = {"pytorch": "torch", "jax": "jax"}  # TensorRT is a program, not a module


def opsched(args: argparse.Namespace, *words: str) -> str:
    """The output of our program. If it reports an error, its message is shown."""
    try:
        done = subprocess.run([args.opsched, *words], capture_output=True, text=True)
    except OSError as error:
        raise Wrong(f"--opsched '{args.opsched}': cannot be run: {error}") from error
    if done.returncode != 0:
        raise Wrong(f"opsched {' '.join(words)}: {last_words(done.stderr)}")
    return done.stdout


device_name = functools.cache(gpu.name)


def missing(args: argparse.Namespace) -> dict[str, str]:
    """Reasons why baselines cannot run; empty for those that can."""
    modules = {b: MODULE[b] for b in args.baselines if b in MODULE}
    why = missing_modules(args, modules) if modules else {}
    if "tensorrt" in args.baselines:
        there = shutil.which(args.trtexec)
        why["tensorrt"] = "" if there else f"there is no program '{args.trtexec}'; give --trtexec TensorRT's bin/trtexec"
    return why


def missing_modules(args: argparse.Namespace, modules: dict[str, str]) -> dict[str, str]:
    """The same for baselines that are modules of --python."""
    ask = ("import importlib.util, json; print(json.dumps({m: bool(importlib.util.find_spec(m)) "
           f"for m in {list(modules.values())}}}))")
    try:
        tried = subprocess.run([args.python, "-c", ask], capture_output=True, text=True, timeout=300)
        if tried.returncode != 0:
            return dict.fromkeys(modules, f"{args.python}: {last_words(tried.stderr)}")
        there = json.loads(tried.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return dict.fromkeys(modules, f"{args.python} cannot be asked: {error}")
    return {b: "" if there[module] else f"No module named '{module}'" for b, module in modules.items()}


def files_of(case: Case, folder: pathlib.Path) -> dict[str, str]:
    """The files that baselines read. Weights are the same for every batch size, and are scaled for the image size."""
    plain = f"{folder}/{case.network}-{case.image}"
    return {"graph": f"{folder}/{case.network}-{case.batch}-{case.image}.json", "weights": f"{plain}.weights",
            "expected": f"{plain}.output"}


def make_files(args: argparse.Namespace, cases: list[Case], folder: pathlib.Path) -> None:
    """Each once, in parallel, because the reference for a large image takes seconds on the CPU."""
    work: dict[str, list[str]] = {}
    for case in cases:
        size, files = [*case.given(""), "--image", str(case.image), "--batch"], files_of(case, folder)
        work[files["graph"]] = ["show", *size, str(case.batch), "--format", "json", "-o", files["graph"]]
        if "tensorrt" in args.baselines and shutil.which(args.trtexec):
            work[files["graph"] + ".onnx"] = ["show", *size, str(case.batch), "--format", "onnx", "-o", files["graph"] + ".onnx"]
        work[files["expected"]] = ["infer", *size, "1", "--save-weights", files["weights"], "-o", files["expected"]]
    todo = [words for file, words in work.items() if not os.path.exists(file)]
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(lambda words: opsched(args, *words), todo))


class Baselines:
    """One process per baseline, and some that compile in parallel; each is started when it is needed."""

    def __init__(self, args: argparse.Namespace, folder: pathlib.Path) -> None:
        self.args, self.folder = args, folder
        threads = str(max(1, (os.cpu_count() or 1) // args.compile_jobs))
        shared = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # otherwise JAX would take most of the GPU's memory
        # By software, and whether cuDNN's plans are unlimited.
        self.timing = {(b, limit): Process(self._command(b), shared) for b in args.baselines for limit in (False, True)}
        self.compiling = [Process(self._command("pytorch"), {"TORCHINDUCTOR_COMPILE_THREADS": threads})
                          for _ in range(args.compile_jobs if args.compile_jobs > 1 else 0)]
        self.ready: dict[Task, Process | str] = {}

    def close(self) -> None:
        for process in [*self.timing.values(), *self.compiling]:
            process.end()

    def _command(self, software: str) -> list[str]:
        command = [self.args.python, str(HERE / SCRIPT[software]), "--serve", "--runs", str(self.args.runs),
                   "--max-seconds", str(self.args.max_seconds)]
        more = {"pytorch": ["--device", self.args.device], "tensorrt": ["--trtexec", self.args.trtexec]}
        return command + more.get(software, [])

    def _request(self, do: str, task: Task) -> Entry:
        return {"do": do, "precision": task.case.precision, "modes": task.modes, "protocols": self.args.protocols,
                **files_of(task.case, self.folder)}

    def compile(self, tasks: list[Task]) -> None:
        """Compiles in parallel, without timing; run() then finds the modes compiled."""
        deadline = time.monotonic() + self.args.timeout
        given = list(zip(tasks, self.compiling))
        for task, process in given:
            process.send(self._request("prepare", task))
        for task, process in given:
            try:
                answer = process.receive(deadline)
                self.ready[task] = answer.get("failed", process)
            except Died as died:
                self.ready[task] = str(died)

    def run(self, task: Task) -> Entry:
        """The baseline's answer, or an entry that says how it failed."""
        process = self.ready.pop(task, None) or self.timing[task.software, without_limit(task.modes[0])]
        try:
            if isinstance(process, str):
                raise Died(process)
            entry = process.ask(self._request("measure", task), self.args.timeout)
        except Died as died:
            return {"latency": {mode: {"failed": str(died)} for mode in task.modes}}
        if any("failed" in latency for latency in entry["latency"].values()):
            process.end()  # a GPU error would persist in the process
        return entry


class Measured(NamedTuple):
    """A latency of ours, where it was measured, and its schedule: the fingerprint of the graph, and the text."""

    record: Record
    run: Run
    schedule: tuple[str, str] | None


def ours(args: argparse.Namespace, cases: list[Case], folder: pathlib.Path) -> dict[Case, list[Measured]]:
    """The latencies of our schedules by case, and where they were measured."""
    if not args.ours or args.device == "cpu":
        return {}
    by_image, by_batch = (grouped(cases, lambda case, size=size: (case.network, case.precision, getattr(case, size)))
                          for size in ("image", "batch"))
    found: dict[Case, list[Measured]] = {}
    for number, together in enumerate(min(by_image, by_batch, key=len).values()):
        out = pathlib.Path(tempfile.mkdtemp(prefix=f"ours{number}-", dir=folder))
        precision = together[0].precision
        precisions = [precision, *(p for p, theirs in COMPARED_IN.items() if theirs == precision and args.tf32x3)]
        batches, images = ({getattr(c, key) for c in together} for key in ("batch", "image"))
        words = ["bench", *together[0].given("--network"), "--precision", ",".join(precisions),
                 "--batch", ",".join(map(str, sorted(batches))), "--image", ",".join(map(str, sorted(images, key=pixels))),
                 "--scheduler", ",".join(args.ours), "--max-seconds", str(args.max_seconds), "--out", str(out)]
        words += ["--measure", ",".join(args.protocols)] if args.protocols else []
        if (args.out / f"profile-{precision}.json").exists() or device_name() != "no GPU":
            words += ["--profile", str(args.out)]
        opsched(args, *words)
        records = Records.read(out)
        for r in records.standing():
            case = Case(r.network, r.batch, r.image, COMPARED_IN.get(r.precision, r.precision), r.file)
            if case in together and r.gpus == 1:
                found.setdefault(case, []).append(Measured(r, records.run_of(r), records.schedules.get(r.schedule)))
    return found


def keep_ours(file: RecordFile, found: list[Measured], software: str, when: str, command: str) -> None:
    """Ours next to a baseline: the same record with another label."""
    for r, run, schedule in found:
        if schedule:
            file.keep_schedule(r.schedule, *schedule)
        beside = dataclasses.replace(r, labels={**r.labels, "beside": software, "when": when}, run="")
        file.add(beside, dataclasses.replace(run, id="", begin="", command=command))


def modes_of(args: argparse.Namespace, software: str, case: Case) -> list[str]:
    """Of PyTorch those of --modes, if any; otherwise all of PyTorch's and of JAX's, in both layouts."""
    if software == "jax":
        return in_both_layouts(["xla"], case.precision)
    if software == "tensorrt":
        return ["engine", *(f"aux-{n}" for n in args.aux_streams)]
    if args.modes:
        return args.modes
    return in_both_layouts(MODES[:-1], case.precision)


def tasks_of(case: Case, args: argparse.Namespace, file: RecordFile) -> list[Task]:
    """The remaining measurements. Each mode that PyTorch compiles is a request of its own."""
    tasks = []
    for software in args.baselines:
        modes = [m for m in modes_of(args, software, case) if is_wanted(file, case, software, m, args.protocols, args.retry)]
        for alike in grouped(modes, without_limit).values():
            together = tuple(m for m in alike if base_of(m) in CUDA_GRAPHS)
            tasks += [Task(case, software, together)] if together else []
            tasks += [Task(case, software, (m,)) for m in alike if base_of(m) not in CUDA_GRAPHS]
    return tasks


def compiles_side_by_side(task: Task) -> bool:
    return base_of(task.modes[0]) == SIDE_BY_SIDE


def in_groups(work: list[tuple[Case, list[Task]]], jobs: int) -> list[list[tuple[Case, list[Task]]]]:
    """Cases that are measured together: as many as can be compiled side by side, but at least one, and at most `jobs`."""
    groups: list[list[tuple[Case, list[Task]]]] = []
    room = 0
    for case, tasks in work:
        slow = sum(map(compiles_side_by_side, tasks))
        if not groups or slow > room or len(groups[-1]) == jobs:
            groups.append([])
            room = jobs
        groups[-1].append((case, tasks))
        room -= slow
    return groups


def networks_of(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Names, each with its graph file, if any."""
    listed = [line.split()[0] for line in opsched(args, "list", "networks").splitlines()[2:] if line.strip()]
    unknown = [n for n in args.network if n not in listed]
    if unknown:
        raise Wrong(f"unknown network {', '.join(unknown)}; there are: {', '.join(listed)}")
    files = []
    for pattern in args.graph:  # as read by `opsched bench --graph`
        patterns = [f"{pattern}/*.onnx", f"{pattern}/*.json"] if os.path.isdir(pattern) else [pattern]
        found = sorted(path for p in patterns for path in glob.glob(p))
        if not found:
            raise Wrong(f"--graph {pattern}: there is no such file, and no graph file that matches")
        files += [(pathlib.Path(path).stem, path) for path in found]
    return [(n, "") for n in args.network or ([] if files else listed)] + files


def by_protocol(record: Record) -> str:
    return f", {record.labels['protocol']} {record.labels.get('in_flight', '')}".rstrip() if record.quantity == "protocol" else ""


def show(record: Record) -> str:
    if record.missing:
        return record.missing
    error = record.numbers.get("relative_error")
    return f"{record.value:.4f} {record.unit}" + (f", error {error:.1e}" if error is not None else "")


class Progress:
    def __init__(self, total: int) -> None:
        self.total, self.done, self.begin = total, 0, time.monotonic()

    def line(self, text: str) -> None:
        left = ""
        if self.done > 0:
            seconds = (time.monotonic() - self.begin) / self.done * (self.total - self.done)
            left = f", about {math.ceil(seconds / 60)} min left"
        print(f"[{self.done}/{self.total}{left}] {text}", flush=True)


def keep(file: RecordFile, task: Task, entry: Entry, device: str, command: str) -> None:
    """Stores the answer of a baseline, one record per mode."""
    run = run_of({"device": device, **entry}, command)
    for mode in task.modes:
        for record in [record_of(task, mode, entry), *protocol_records(task, mode, entry)]:
            file.add(record, run)
            print(f"    {task.software} {mode}{by_protocol(record)}: {show(record)}")


def measure_together(args: argparse.Namespace, file: RecordFile, work: list[tuple[Case, list[Task]]], baselines: Baselines,
                     device: str, progress: Progress) -> None:
    """Some cases: compile in parallel, then measure ours, each baseline in turn, and ours again."""
    cases = [case for case, _ in work]
    tasks = [task for _, more in work for task in more]

    def measure_ours(when: str) -> dict[Case, list[Measured]]:
        found = ours(args, cases, baselines.folder)
        for case, software in sorted({(t.case, t.software) for t in tasks}, key=str):
            keep_ours(file, found.get(case, []), software, when, args.command)
        return found

    make_files(args, cases, baselines.folder)
    if slow := [t for t in tasks if compiles_side_by_side(t)][: len(baselines.compiling)]:
        progress.line(f"torch.compile compiles {len(slow)} modes of {len({t.case for t in slow})} cases side by side")
        baselines.compile(slow)
    before = measure_ours("before")
    for task in tasks:
        progress.line(f"{task.case}: {task.software} {', '.join(task.modes)}")
        keep(file, task, baselines.run(task), device, args.command)
        progress.done += 1
    after = measure_ours("after")
    for case in cases:
        for old, new in ((a.record, b.record) for a, b in zip(before.get(case, []), after.get(case, []))):
            print(f"    ours {new.scheduler}{by_protocol(new)}, {case}: {show(old)} before, {show(new)} after")


def measure(args: argparse.Namespace, file: RecordFile, folder: pathlib.Path) -> None:
    absent = missing(args)
    device = device_name() if args.device == "cuda" else "CPU"
    for software, why in absent.items():
        if why:
            print(f"{software}: absent: {why}")
    if all(absent.values()):
        print(f"no baseline is installed in {args.python}; give --python the interpreter that has them")
    cases = [Case(n, b, i, p, file) for n, file in networks_of(args) for p in args.precision for i in args.image for b in args.batch]
    todo = [(case, tasks) for case in cases if (tasks := tasks_of(case, args, file))]
    print(f"{len(cases)} cases, {len(cases) - len(todo)} of them known already, into {file.path}")
    work = []
    for case, tasks in todo:
        for task in tasks:
            if absent[task.software]:
                keep(file, task, {"latency": {m: {"absent": absent[task.software]} for m in task.modes}}, device, args.command)
        if there := [task for task in tasks if not absent[task.software]]:
            work.append((case, there))
    progress = Progress(sum(len(tasks) for _, tasks in work))
    with contextlib.closing(Baselines(args, folder)) as baselines:
        for group in in_groups(work, args.compile_jobs):
            measure_together(args, file, group, baselines, device, progress)
    file.finish()
    print(f"done: {file.path}")


def main() -> int:
    args = parse(__doc__)
    try:
        with (tempfile.TemporaryDirectory(prefix="opsched-baselines-") as folder,
              RecordFile(args.out, Run(command=args.command)) as file):
            measure(args, file, pathlib.Path(folder))
    except (Wrong, BadRecords, OSError) as error:
        print(f"run_baselines: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrun_baselines: stopped; what was finished is kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
