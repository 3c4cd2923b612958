#!/usr/bin/env python3
"""Measures the peers (PyTorch in several ways, JAX/XLA, TensorRT) on our networks, beside our own schedules.

  python3 experiments/peers/run_peers.py --opsched build/release/opsched --out results/mygpu
  python3 experiments/peers/run_peers.py --out results/mygpu --network squeezenet --precision fp16 --batch 1,32
  python3 experiments/peers/run_peers.py --out results/mygpu --modes compile-max-autotune --timeout 3600

Every peer gets our graph, weights and input, and its output is compared with ours. For each network, batch
and precision our schedules are measured first, then the peers, then ours again, all on the same GPU. What is
finished goes to OUT/peers.jsonl at once (one line a peer, network, batch and precision); a run that was
stopped goes on where it stopped. A peer that is not installed is recorded as absent, one that crashes or
takes too long as failed, and the rest goes on. Peers run under --python, the interpreter that has them.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
PRECISIONS = ["fp32", "tf32", "fp16"]
CUDA_GRAPHS = ["eager", "sequential", "wavefront", "dataflow"]  # one process
MODES = [*CUDA_GRAPHS, "compile", "compile-max-autotune"]
ALIASES = {"graph": "sequential", "opara": "dataflow"}
MODULE = {"pytorch": "torch", "jax": "jax", "tensorrt": "tensorrt"}
ONLY_MODE = {"jax": "xla", "tensorrt": "engine"}


class Wrong(Exception):
    """Something that the user can put right."""


@dataclasses.dataclass(frozen=True)
class Case:
    network: str
    batch: int
    precision: str

    def __str__(self) -> str:
        return f"{self.network}, batch {self.batch}, {self.precision}"


@dataclasses.dataclass(frozen=True)
class Task:
    case: Case
    peer: str
    modes: tuple[str, ...]


class Store:
    """OUT/peers.jsonl: an entry a peer and case, its `latency` an object by mode."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        if path.exists():
            for number, line in enumerate(path.read_text().splitlines(), 1):
                try:
                    entry = json.loads(line)
                    self._key(entry), entry["latency"].items()
                except (ValueError, KeyError, AttributeError, TypeError) as error:
                    raise Wrong(f"{path}:{number}: not a line of this program ({error}); move the file away") from error
                self.entries.append(entry)

    @staticmethod
    def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
        return entry["peer"], entry["graph"], entry["batch"], entry["precision"]

    def find(self, peer: str, case: Case) -> dict[str, Any] | None:
        key = (peer, case.network, case.batch, case.precision)
        return next((e for e in self.entries if self._key(e) == key), None)

    def add(self, entry: dict[str, Any]) -> None:
        """Merges by mode with what the same device and versions gave earlier; else replaces it."""
        old = next((e for e in self.entries if self._key(e) == self._key(entry)), None)
        if old is None:
            self.entries.append(entry)
        else:
            same = all(old.get(k) == entry[k] for k in ("device", "versions"))
            merged = {**entry, "latency": {**(old["latency"] if same else {}), **entry["latency"]}}
            if same and "ours" in old and "ours" not in entry:
                merged["ours"] = old["ours"]
            self.entries[self.entries.index(old)] = merged
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".jsonl.new")
        beside.write_text("".join(json.dumps(e) + "\n" for e in self.entries))
        os.replace(beside, self.path)


def last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


def opsched(args: argparse.Namespace, *words: str) -> str:
    """Output of our program; its own message where it refuses."""
    try:
        done = subprocess.run([args.opsched, *words], capture_output=True, text=True)
    except OSError as error:
        raise Wrong(f"--opsched '{args.opsched}': cannot be run: {error}") from error
    if done.returncode != 0:
        raise Wrong(f"opsched {' '.join(words)}: {last_words(done.stderr)}")
    return done.stdout


def device_name() -> str:
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", "-i", "0"]
        return subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "no GPU"


def missing(args: argparse.Namespace, peer: str) -> str:
    """Why a peer cannot run; empty if it can."""
    module = MODULE[peer]
    try:
        tried = subprocess.run([args.python, "-c", f"import {module}; print({module}.__version__)"],
                               capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{args.python} cannot be asked for {module}: {error}"
    if tried.returncode != 0:
        return last_words(tried.stderr)
    if peer == "tensorrt":
        return f"TensorRT {tried.stdout.strip()} is installed, but networks are not handed to it yet"
    return ""


class Files:
    """What peers read, made once for each network."""

    def __init__(self, args: argparse.Namespace, folder: pathlib.Path) -> None:
        self.args, self.folder = args, folder

    def graph(self, case: Case) -> pathlib.Path:
        path = self.folder / f"{case.network}-{case.batch}.json"
        if not path.exists():
            opsched(self.args, "show", case.network, "--batch", str(case.batch), "--format", "json", "-o", str(path))
        return path

    def reference(self, network: str) -> tuple[pathlib.Path, pathlib.Path]:
        weights, output = self.folder / f"{network}.weights", self.folder / f"{network}.output"
        if not output.exists():
            opsched(self.args, "infer", network, "--batch", "1", "--save-weights", str(weights), "-o", str(output))
        return weights, output


def run_peer(args: argparse.Namespace, files: Files, task: Task) -> dict[str, Any]:
    """The peer's own entry, or one that says how it failed."""
    weights, output = files.reference(task.case.network)
    script = "torch_peer.py" if task.peer == "pytorch" else f"{task.peer}_peer.py"
    command = [args.python, str(HERE / script), str(files.graph(task.case)), "--precision", task.case.precision,
               "--runs", str(args.runs), "--weights", str(weights), "--expected", str(output)]
    if task.peer == "pytorch":
        command += ["--modes", ",".join(task.modes), "--device", args.device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.timeout)
        if done.returncode == 0:
            return json.loads(done.stdout.splitlines()[-1])
        why = f"exit code {done.returncode}: {last_words(done.stderr)}"
        if done.returncode < 0:
            why = f"ended by signal {-done.returncode}: {last_words(done.stderr)}"
    except subprocess.TimeoutExpired:
        why = f"took longer than {args.timeout} s"
    except (ValueError, IndexError) as error:
        why = f"printed no result: {error}"
    return {"latency": {mode: {"failed": why} for mode in task.modes}}


def ours(args: argparse.Namespace, case: Case, folder: pathlib.Path) -> dict[str, Any]:
    """Our schedules' latencies by scheduler, with how they were found."""
    if not args.ours or args.device == "cpu":
        return {}
    out = folder / "ours"
    words = ["bench", "--network", case.network, "--batch", str(case.batch), "--precision", case.precision,
             "--scheduler", ",".join(args.ours), "--max-seconds", "0.5", "--out", str(out), "--fresh"]
    if (args.out / f"profile-{case.precision}.json").exists() or device_name() != "no GPU":
        words += ["--profile", str(args.out)]
    opsched(args, *words)
    results = json.loads((out / "bench.json").read_text())["results"]
    mine = [r for r in results if (r["network"], r["batch"], r["precision"], r["gpus"]) ==
            (case.network, case.batch, case.precision, 1)]
    return {r["scheduler"]: {"skipped": r["skipped"]} if "skipped" in r else
            {"median_ms": r["ms"], "noise": r["noise"], "how": r["how"]} for r in mine}


def tasks_of(case: Case, args: argparse.Namespace, store: Store) -> list[Task]:
    """What is still to be measured; PyTorch's compiled modes have processes of their own."""
    def wanted(peer: str, mode: str) -> bool:
        entry = store.find(peer, case)
        known = entry["latency"].get(mode, {}) if entry else {}
        if "failed" in known:
            return args.retry
        return "relative_error" not in known  # absent, or its output was never compared with ours

    tasks = []
    for peer in args.peers:
        modes = [m for m in (args.modes if peer == "pytorch" else [ONLY_MODE[peer]]) if wanted(peer, m)]
        together = tuple(m for m in modes if m in CUDA_GRAPHS)
        tasks += [Task(case, peer, together)] if together else []
        tasks += [Task(case, peer, (m,)) for m in modes if m not in CUDA_GRAPHS]
    return tasks


def networks_of(args: argparse.Namespace) -> list[str]:
    listed = [line.split()[0] for line in opsched(args, "list", "networks").splitlines()[2:] if line.strip()]
    unknown = [n for n in args.network if n not in listed]
    if unknown:
        raise Wrong(f"unknown network {', '.join(unknown)}; there are: {', '.join(listed)}")
    return args.network or listed


def show(entry: dict[str, Any]) -> str:
    if "median_ms" in entry:
        error = entry.get("relative_error")
        return f"{entry['median_ms']:.4f} ms" + (f", error {error:.1e}" if error is not None else "")
    return next((f"{word}: {entry[word]}" for word in ("absent", "failed", "skipped") if word in entry), "?")


class Progress:
    def __init__(self, total: int) -> None:
        self.total, self.done, self.begin = total, 0, time.monotonic()

    def line(self, text: str) -> None:
        left = ""
        if self.done > 0:
            seconds = (time.monotonic() - self.begin) / self.done * (self.total - self.done)
            left = f", about {math.ceil(seconds / 60)} min left"
        print(f"[{self.done}/{self.total}{left}] {text}", flush=True)


def measure(args: argparse.Namespace, store: Store, folder: pathlib.Path) -> None:
    absent = {peer: missing(args, peer) for peer in args.peers}
    device = device_name() if args.device == "cuda" else "CPU"
    for peer, why in absent.items():
        if why:
            print(f"{peer}: absent: {why}")
    if all(absent.values()):
        print(f"no peer is installed in {args.python}; give --python the interpreter that has them")
    files = Files(args, folder)
    cases = [Case(n, b, p) for n in networks_of(args) for b in args.batch for p in args.precision]
    work = [(case, tasks) for case in cases if (tasks := tasks_of(case, args, store))]
    kept = len(cases) - len(work)
    print(f"{len(cases)} cases, {kept} of them known already, into {store.path}")
    progress = Progress(sum(len(tasks) for _, tasks in work))
    for case, tasks in work:
        facts = {"graph": case.network, "batch": case.batch, "precision": case.precision}
        running = [t for t in tasks if not absent[t.peer]]
        before = ours(args, case, folder) if running else {}
        for task in tasks:
            blank = {"peer": task.peer, **facts, "device": device, "versions": {}, "clocks": {}}
            if absent[task.peer]:
                entry = {**blank, "latency": {m: {"absent": absent[task.peer]} for m in task.modes}}
            else:
                progress.line(f"{case}: {task.peer} {', '.join(task.modes)}")
                entry = run_peer(args, files, task)
                if "peer" not in entry:  # a failure leaves the facts of an earlier success as they are
                    known = store.find(task.peer, case) or {}
                    entry = {**blank, **{k: known[k] for k in ("device", "versions", "clocks") if k in known}, **entry}
                entry = {**entry, **facts}
            store.add(entry)
            progress.done += 1
            if not absent[task.peer]:
                for mode in task.modes:
                    print(f"    {task.peer} {mode}: {show(entry['latency'][mode])}")
        if running:
            after = ours(args, case, folder)
            both = {name: {"before": before.get(name, {}), "after": entry} for name, entry in after.items()}
            for peer in {t.peer for t in running}:
                if both and (entry := store.find(peer, case)):
                    store.add({**entry, "ours": both})
            for name, pair in both.items():
                print(f"    ours {name}: {show(pair['before'])} before, {show(pair['after'])} after")
    print(f"done: {store.path}")


def words_of(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsched", default=str(HERE.parent.parent / "opsched"), help="our program")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="results folder; peers.jsonl goes there")
    parser.add_argument("--network", type=words_of, default=[], help="as in a,b (default: all)")
    parser.add_argument("--precision", type=words_of, default=PRECISIONS, help="as in fp32,fp16 (default: all)")
    parser.add_argument("--batch", type=words_of, default=["1"], help="as in 1,16 (default: 1)")
    parser.add_argument("--peers", type=words_of, default=list(MODULE), help=f"of {', '.join(MODULE)} (default: all)")
    parser.add_argument("--modes", type=words_of, default=MODES[:-1],
                        help=f"of PyTorch: {', '.join(MODES)}, graph (sequential), opara (dataflow); "
                             "default: all but the last")
    parser.add_argument("--ours", type=words_of, default=["sequential", "dataflow"],
                        help="our schedulers measured before and after, as in sequential,ios-both; '' for none")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: to try it out")
    parser.add_argument("--runs", type=int, default=60, help="timed runs of a peer")
    parser.add_argument("--timeout", type=float, default=900, help="seconds that a peer's process may take")
    parser.add_argument("--retry", action="store_true", help="measure again what failed earlier")
    args = parser.parse_args()
    args.modes = [ALIASES.get(m, m) for m in args.modes]
    for given, known, what in ((args.precision, PRECISIONS, "precision"), (args.peers, list(MODULE), "peer"),
                               (args.modes, MODES, "mode")):
        unknown = [word for word in given if word not in known]
        if unknown:
            parser.error(f"unknown {what} {', '.join(unknown)}; there are: {', '.join(known)}")
    if not all(b.isdigit() and int(b) > 0 for b in args.batch):
        parser.error(f"--batch {','.join(args.batch)}: write numbers of at least 1, as in 1,16")
    args.batch = [int(b) for b in args.batch]
    return args


def main() -> int:
    args = parse()
    try:
        with tempfile.TemporaryDirectory(prefix="opsched-peers-") as folder:
            measure(args, Store(args.out / "peers.jsonl"), pathlib.Path(folder))
    except Wrong as error:
        print(f"run_peers: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"run_peers: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrun_peers: stopped; what was finished is kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
