#!/usr/bin/env python3
"""Measures baselines (PyTorch in several ways, JAX/XLA, TensorRT) on our networks, beside our own schedules.

  python3 experiments/baselines/run_baselines.py --opsched build/release/opsched --out results/mygpu
  python3 experiments/baselines/run_baselines.py --out results/mygpu --network squeezenet --precision fp16 --batch 1,32
  python3 experiments/baselines/run_baselines.py --out results/mygpu --image 512,1024 --modes eager,graph,opara --ours dataflow
  python3 experiments/baselines/run_baselines.py --out results/mygpu --modes compile --compile-jobs 16 --max-seconds 0.3
  python3 experiments/baselines/run_baselines.py --out results/mygpu --modes compile-max-autotune --timeout 3600
  python3 experiments/baselines/run_baselines.py --out results/mygpu --baselines tensorrt --aux-streams all --timeout 3600

Every baseline gets our graph, weights and input, and its output is compared with ours. For each case (a network,
batch, image size and precision) our schedules are measured first, then the baselines, then ours again, all on the
same GPU. What is finished goes to OUT/records.jsonl at once; a run that was stopped goes on where it stopped. A
baseline that is not installed is recorded as absent, one that crashes or takes too long as failed, and the rest
goes on. Baselines run under --python, the interpreter that has them.
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
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import gpu
import trtexec
from cases import (LAYOUTS, OPTIONS, USUAL_LAYOUT, Case, Entry, Record, RecordFile, Run, Task, Wrong, base_of, is_wanted,
                   known_mode, record_of, run_of, without_limit)
from processes import Died, Process, last_words
from opsched.page import grouped
from opsched.records import BadRecords, Records, pixels

HERE = pathlib.Path(__file__).resolve().parent
PRECISIONS = ["fp32", "tf32", "fp16"]
CUDA_GRAPHS = ["eager", "sequential", "wavefront", "dataflow"]  # one request
MODES = [*CUDA_GRAPHS, "compile", "compile-max-autotune"]
SIDE_BY_SIDE = "compile"  # may be compiled while others are: nothing is tuned by measurement before it runs
SCRIPT = {"pytorch": "torch_baseline.py", "jax": "jax_baseline.py", "tensorrt": "tensorrt_baseline.py"}
MODULE = {"pytorch": "torch", "jax": "jax"}  # TensorRT is a program


def opsched(args: argparse.Namespace, *words: str) -> str:
    """Output of our program; its own message where it refuses."""
    try:
        done = subprocess.run([args.opsched, *words], capture_output=True, text=True)
    except OSError as error:
        raise Wrong(f"--opsched '{args.opsched}': cannot be run: {error}") from error
    if done.returncode != 0:
        raise Wrong(f"opsched {' '.join(words)}: {last_words(done.stderr)}")
    return done.stdout


device_name = functools.cache(gpu.name)


def missing(args: argparse.Namespace) -> dict[str, str]:
    """Why baselines cannot run; empty for those that can."""
    modules = {b: MODULE[b] for b in args.baselines if b in MODULE}
    why = missing_modules(args, modules) if modules else {}
    if "tensorrt" in args.baselines:
        there = shutil.which(args.trtexec)
        why["tensorrt"] = "" if there else f"there is no program '{args.trtexec}'; give --trtexec TensorRT's bin/trtexec"
    return why


def missing_modules(args: argparse.Namespace, modules: dict[str, str]) -> dict[str, str]:
    """The same of baselines that are modules of --python."""
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
    """What baselines read: weights are the same for every batch, scaled for the image size."""
    plain = f"{folder}/{case.network}-{case.image}"
    return {"graph": f"{folder}/{case.network}-{case.batch}-{case.image}.json", "weights": f"{plain}.weights",
            "expected": f"{plain}.output"}


def make_files(args: argparse.Namespace, cases: list[Case], folder: pathlib.Path) -> None:
    """Once each, side by side, for the reference of a large image takes the CPU some seconds."""
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
    """A process a baseline, and some that compile side by side; each is started when it is needed."""

    def __init__(self, args: argparse.Namespace, folder: pathlib.Path) -> None:
        self.args, self.folder = args, folder
        threads = str(max(1, (os.cpu_count() or 1) // args.compile_jobs))
        shared = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # JAX would take most of the GPU's memory from the others
        # By software, and whether cuDNN's plans are without limit.
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
        return {"do": do, "precision": task.case.precision, "modes": task.modes, **files_of(task.case, self.folder)}

    def compile(self, tasks: list[Task]) -> None:
        """Side by side, untimed; run() then finds them compiled."""
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
        """The baseline's own entry, or one that says how it failed."""
        process = self.ready.pop(task, None) or self.timing[task.software, without_limit(task.modes[0])]
        try:
            if isinstance(process, str):
                raise Died(process)
            entry = process.ask(self._request("measure", task), self.args.timeout)
        except Died as died:
            return {"latency": {mode: {"failed": str(died)} for mode in task.modes}}
        if any("failed" in latency for latency in entry["latency"].values()):
            process.end()  # an error of the GPU would stay with the process
        return entry


def ours(args: argparse.Namespace, cases: list[Case], folder: pathlib.Path) -> dict[Case, list[tuple[Record, Run]]]:
    """Our schedules' latencies by case, and where they were measured."""
    if not args.ours or args.device == "cpu":
        return {}
    by_image, by_batch = (grouped(cases, lambda case, size=size: (case.network, case.precision, getattr(case, size)))
                          for size in ("image", "batch"))
    found: dict[Case, list[tuple[Record, Run]]] = {}
    for number, together in enumerate(min(by_image, by_batch, key=len).values()):
        out = pathlib.Path(tempfile.mkdtemp(prefix=f"ours{number}-", dir=folder))
        precision = together[0].precision
        batches, images = ({getattr(c, key) for c in together} for key in ("batch", "image"))
        words = ["bench", *together[0].given("--network"), "--precision", precision,
                 "--batch", ",".join(map(str, sorted(batches))), "--image", ",".join(map(str, sorted(images, key=pixels))),
                 "--scheduler", ",".join(args.ours), "--max-seconds", str(args.max_seconds), "--out", str(out)]
        if (args.out / f"profile-{precision}.json").exists() or device_name() != "no GPU":
            words += ["--profile", str(args.out)]
        opsched(args, *words)
        records = Records.read(out)
        for r in records.standing():
            case = Case(r.network, r.batch, r.image, r.precision, r.file)
            if case in together and r.gpus == 1:
                found.setdefault(case, []).append((r, records.run_of(r)))
    return found


def keep_ours(file: RecordFile, found: list[tuple[Record, Run]], software: str, when: str, command: str) -> None:
    """Ours beside a baseline: the same record under another label."""
    for r, run in found:
        beside = dataclasses.replace(r, labels={"beside": software, "when": when}, run="")
        file.add(beside, dataclasses.replace(run, id="", begin="", command=command))


def modes_of(args: argparse.Namespace, software: str, case: Case) -> list[str]:
    """PyTorch's modes: those asked for, or each in both layouts."""
    if software == "jax":
        return ["xla"]
    if software == "tensorrt":
        return ["engine", *(f"aux-{n}" for n in args.aux_streams)]
    if args.modes:
        return args.modes
    other = next(layout for layout in LAYOUTS if layout != USUAL_LAYOUT[case.precision])
    return [mode + layout for layout in ("", other) for mode in MODES[:-1]]


def tasks_of(case: Case, args: argparse.Namespace, file: RecordFile) -> list[Task]:
    """What is still to be measured; what PyTorch compiles are requests of their own."""
    tasks = []
    for software in args.baselines:
        modes = [m for m in modes_of(args, software, case) if is_wanted(file, case, software, m, args.retry)]
        for alike in grouped(modes, without_limit).values():
            for ways in (CUDA_GRAPHS, [SIDE_BY_SIDE]):
                together = tuple(m for m in alike if base_of(m) in ways)
                tasks += [Task(case, software, together)] if together else []
            tasks += [Task(case, software, (m,)) for m in alike if base_of(m) not in [*CUDA_GRAPHS, SIDE_BY_SIDE]]
    return tasks


def networks_of(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Names, each with its graph file if it has one."""
    listed = [line.split()[0] for line in opsched(args, "list", "networks").splitlines()[2:] if line.strip()]
    unknown = [n for n in args.network if n not in listed]
    if unknown:
        raise Wrong(f"unknown network {', '.join(unknown)}; there are: {', '.join(listed)}")
    files = []
    for pattern in args.graph:  # as `opsched bench --graph` reads it
        patterns = [f"{pattern}/*.onnx", f"{pattern}/*.json"] if os.path.isdir(pattern) else [pattern]
        found = sorted(path for p in patterns for path in glob.glob(p))
        if not found:
            raise Wrong(f"--graph {pattern}: there is no such file, and no graph file that matches")
        files += [(pathlib.Path(path).stem, path) for path in found]
    return [(n, "") for n in args.network or ([] if files else listed)] + files


def show(record: Record) -> str:
    if record.missing:
        return record.missing
    error = record.numbers.get("relative_error")
    return f"{record.value:.4f} ms" + (f", error {error:.1e}" if error is not None else "")


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
    """Keeps what a baseline answered, a record a mode."""
    run = run_of({"device": device, **entry}, command)
    for mode in task.modes:
        record = record_of(task, mode, entry)
        file.add(record, run)
        print(f"    {task.software} {mode}: {show(record)}")


def measure_together(args: argparse.Namespace, file: RecordFile, work: list[tuple[Case, list[Task]]], baselines: Baselines,
                     device: str, progress: Progress) -> None:
    """Some cases: compiled side by side, then ours, each baseline in turn, and ours again."""
    cases = [case for case, _ in work]
    tasks = [task for _, more in work for task in more]

    def measure_ours(when: str) -> dict[Case, list[tuple[Record, Run]]]:
        found = ours(args, cases, baselines.folder)
        for case, software in sorted({(t.case, t.software) for t in tasks}, key=str):
            keep_ours(file, found.get(case, []), software, when, args.command)
        return found

    make_files(args, cases, baselines.folder)
    if slow := [t for t in tasks if base_of(t.modes[0]) == SIDE_BY_SIDE][: len(baselines.compiling)]:
        progress.line(f"compiling {len(slow)} networks side by side")
        baselines.compile(slow)
    before = measure_ours("before")
    for task in tasks:
        progress.line(f"{task.case}: {task.software} {', '.join(task.modes)}")
        keep(file, task, baselines.run(task), device, args.command)
        progress.done += 1
    after = measure_ours("after")
    for case in cases:
        for (old, _), (new, _) in zip(before.get(case, []), after.get(case, [])):
            print(f"    ours {new.scheduler}, {case}: {show(old)} before, {show(new)} after")


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
        for begin in range(0, len(work), args.compile_jobs):
            measure_together(args, file, work[begin : begin + args.compile_jobs], baselines, device, progress)
    file.finish()
    print(f"done: {file.path}")


def words_of(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsched", default=str(HERE.parent.parent / "opsched"), help="our program")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the baselines")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="results folder; records go there")
    parser.add_argument("--network", type=words_of, default=[], help="as in a,b (default: all, or only those of --graph)")
    parser.add_argument("--graph", type=words_of, default=[],
                        help="graph files, folders of them, or patterns such as 'models/*.onnx', as in a,b")
    parser.add_argument("--precision", type=words_of, default=PRECISIONS, help="as in fp32,fp16 (default: all)")
    parser.add_argument("--batch", type=words_of, default=["1"], help="as in 1,16 (default: 1)")
    parser.add_argument("--image", type=words_of, default=["0"],
                        help="as in 512,480x640 (height first); 0: the network's own (default: 0)")
    parser.add_argument("--baselines", type=words_of, default=list(SCRIPT), help=f"of {', '.join(SCRIPT)} (default: all)")
    parser.add_argument("--modes", type=words_of, default=[],
                        help=f"of PyTorch: {', '.join(MODES)}, graph (sequential), opara (dataflow), each with options "
                             f"behind it, as in compile+mm ({', '.join(OPTIONS)}), and -nchw or -nhwc for a layout; default: all but the last in both layouts")
    parser.add_argument("--trtexec", default="trtexec", help="TensorRT's program (default: trtexec, in the path)")
    parser.add_argument("--aux-streams", default="",
                        help=f"engines of TensorRT with these numbers of auxiliary streams, too, as in 0,2, or all (0 to "
                             f"{trtexec.MOST_AUX_STREAMS}); each takes minutes to build")
    parser.add_argument("--ours", type=words_of, default=["sequential", "dataflow"],
                        help="our schedulers measured before and after, as in sequential,ios-both; '' for none")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: to try it out")
    parser.add_argument("--runs", type=int, default=60, help="timed runs of a baseline at most (default: 60)")
    parser.add_argument("--max-seconds", type=float, default=0.5,
                        help="of timed runs, a mode or schedule (default: 0.5); at least 5 runs are timed")
    parser.add_argument("--compile-jobs", type=int, default=1,
                        help="cases that are taken together: torch.compile compiles them side by side before anything "
                             "is timed, and ours is measured once before and once after all of them (default: 1)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds that a baseline may take for a case (default: 900)")
    parser.add_argument("--retry", action="store_true", help="measure again what failed earlier")
    args = parser.parse_args()
    try:
        args.modes = [known_mode(m) for m in args.modes]
    except ValueError as error:
        parser.error(str(error))
    for given, known, what in ((args.precision, PRECISIONS, "precision"), (args.baselines, list(SCRIPT), "baseline"),
                               ([base_of(m) for m in args.modes], MODES, "mode")):
        unknown = [word for word in given if word not in known]
        if unknown:
            parser.error(f"unknown {what} {', '.join(unknown)}; there are: {', '.join(known)}")
    if not all(b.isdigit() and int(b) > 0 for b in args.batch):
        parser.error(f"--batch {','.join(args.batch)}: write numbers of at least 1, as in 1,16")
    if not all(re.fullmatch(r"[0-9]+(x[0-9]+)?", i) for i in args.image):
        parser.error(f"--image {','.join(args.image)}: write sizes, as in 512,480x640; 0 is the network's own")
    for option in ("runs", "max_seconds", "compile_jobs"):
        if getattr(args, option) <= 0:
            parser.error(f"--{option.replace('_', '-')} {getattr(args, option)}: write a number above 0")
    numbers = [str(n) for n in range(trtexec.MOST_AUX_STREAMS + 1)]
    args.aux_streams = numbers if args.aux_streams == "all" else words_of(args.aux_streams)
    if unknown := [n for n in args.aux_streams if n not in numbers]:
        parser.error(f"--aux-streams {','.join(unknown)}: write numbers from 0 to {trtexec.MOST_AUX_STREAMS}, or all")
    args.command = shlex.join(["python3", "experiments/baselines/run_baselines.py", *sys.argv[1:]])
    args.batch, args.image = [int(b) for b in args.batch], [int(i) if i.isdigit() else i for i in args.image]
    return args


def main() -> int:
    args = parse()
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
