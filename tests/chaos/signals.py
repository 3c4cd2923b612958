#!/usr/bin/env python3
"""Every command ends within 2 s of SIGINT and of SIGTERM, with exit code 130, whether it computes or waits for a file.

  tests/chaos/signals.py build/release/opsched [--only infer,fit]

Needs no GPU. Every command that `opsched --help` lists must be listed below.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIM = "--device sim --profile {recorded}"
# Long computations, and reads of files that nobody writes: {graph}, and {folder}, whose records and profiles are such
# files.
BUSY = {
    "infer": "infer nasnet --batch 8",
    "run": "run nasnet --device cpu --batch 8 --schedule {schedule}",
    "growth": "growth",
    "fit": f"fit --profile {{recorded}} --out {{out}}",
    "simulate": "simulate --out {out}",
    "ablation": f"ablation nasnet {SIM} --out {{out}}",
    "bench": f"bench {SIM} --out {{out}}",
    "profile": f"profile --graph {ROOT}/networks/public {SIM} --out {{out}}",
    "reproduce": "reproduce --device sim --profile {copy} --no-pictures",
    "optimize": f"optimize nasnet {SIM}",
    "report": "report {recorded} -o {out}",
    "repeat": f"repeat --processes 9 -- {SIM}",
}
WAITING = {
    "show": "show --graph {graph}",
    "schedule": "schedule --graph {graph} --scheduler dataflow",
    "optimize": "optimize --graph {graph}",
    "run": "run --graph {graph} --schedule {schedule}",
    "trace": "trace --graph {graph} --scheduler dataflow -o {out}",
    "infer": "infer --graph {graph}",
    "count": "count --graph {graph}",
    "launch": "launch --graph {graph}",
    "records": "records {folder}",
    "compare": "compare {folder} {recorded}",
    "replay": "replay {folder}",
    "arena": "arena {folder}",
    "roofline": "roofline --device sim --profile {folder}",
    "report": "report {folder} -o {out}",
}
# These need a GPU first, or have nothing to wait for. If they do continue, they must stop like the others.
MAY_END = {"list": "list", "links": "links", "warps": "warps --graph {graph}", "tune": "tune squeezenet"}

LIMIT_S = 2.0
START_S = 0.7  # by then the command is working


class Process:
    def __init__(self, program, line, which, scratch):
        self.line, self.which = line, which
        self.errors = tempfile.TemporaryFile(mode="w+", dir=scratch)
        environment = dict(os.environ, XDG_CACHE_HOME=str(scratch))
        self.process = subprocess.Popen([program, *line.split()], cwd=scratch, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.errors)

    def send(self):
        self.ended_early = self.process.poll() is not None
        self.sent = time.monotonic()
        if not self.ended_early:
            self.process.send_signal(self.which)

    def fault(self, may_end):
        """What is wrong with the way it ended, or None."""
        try:
            code = self.process.wait(max(0.0, self.sent + LIMIT_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"still ran {LIMIT_S} s after {self.which.name}"
        if self.ended_early:
            return None if may_end and code in (0, 2) else f"ended by itself with {code}: {self.said()}"
        return None if code == 130 else f"exit code {code} after {self.which.name}: {self.said()}"

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[-200:].strip()


def fill(line, scratch, name):
    """The command line with its files, which are made here; every process gets an output folder of its own."""
    folder = scratch / "folder"
    if not folder.exists():
        folder.mkdir()
        os.mkfifo(scratch / "graph.json")
        for file in ("records.jsonl", "profile-fp32.json"):
            os.mkfifo(folder / file)
    copy = scratch / ("copy-" + name)
    if "{copy}" in line:
        copy.mkdir()
        for file in (ROOT / "results/h200").glob("profile-*.json"):
            (copy / file.name).symlink_to(file)
    return line.format(recorded=ROOT / "results/h200", copy=copy, graph=scratch / "graph.json", folder=folder,
                       schedule=scratch / "schedule.json", out=scratch / ("out-" + name))


def check(program, lines, scratch, label, may_end=False):
    """Runs the command lines in parallel, one process per signal, and returns what was wrong."""
    processes = [Process(program, fill(line, scratch, f"{label}-{command}-{which.name}"), which, scratch)
                 for command, line in lines.items() for which in (signal.SIGINT, signal.SIGTERM)]
    time.sleep(START_S)
    for process in processes:
        process.send()
    faults = [(process.line, process.fault(may_end)) for process in processes]
    return [f"opsched {line}: {fault}" for line, fault in faults if fault]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--only", help="comma-separated commands")
    arguments = parser.parse_args()
    program = str(arguments.program.resolve())
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  ([a-z]+) {2,}", text.split("Subcommands:")[1].split("Examples:")[0], re.M)
    unknown = set(listed) ^ (set(BUSY) | set(WAITING) | set(MAY_END))
    if not listed or unknown:
        sys.exit(f"commands of --help and of this test differ: {', '.join(sorted(unknown)) or 'none are listed'}")
    only = arguments.only.split(",") if arguments.only else listed

    with tempfile.TemporaryDirectory(prefix="opsched-signals-") as name:
        scratch = pathlib.Path(name)
        subprocess.run([program, "schedule", "nasnet", "--scheduler", "sequential", "--batch", "8", "-o",
                        str(scratch / "schedule.json")], check=True, stdout=subprocess.DEVNULL)
        chosen = lambda lines: {k: v for k, v in lines.items() if k in only}  # noqa: E731
        faults = check(program, chosen(WAITING), scratch, "waiting")
        faults += check(program, chosen(MAY_END), scratch, "may-end", may_end=True)
        for command, line in chosen(BUSY).items():  # one at a time, because there are few processors
            faults += check(program, {command: line}, scratch, "busy")
    for fault in faults:
        print("FAULT: " + fault)
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
