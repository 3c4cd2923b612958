#!/usr/bin/env python3
"""Commands that are killed, run out of disk or meet a second writer. The files that they leave are complete, and
running the commands again gives the same as an undisturbed run, except for times and run ids.

  tests/chaos/chaos.py build/release/opsched [--kills 30] [--seed 1] [--only bench]

Needs no GPU: everything is replayed from results/h200. The full disk needs root (for a small tmpfs); otherwise it is
skipped.
"""
import argparse
import csv
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Fields that may differ between two runs of the same work.
TIMES = ("search_seconds", "begin", "time", "run", "id")


def commands(profile):
    """Arguments by command, with {out} for the results folder. `fit --save` writes into the profile that it reads."""
    sim = ["--device", "sim", "--profile", str(profile)]
    small = ["--network", "squeezenet,randwire", "--precision", "fp16"]  # quickly fitted
    return {
        "bench": ["bench", *small, "--scheduler", "sequential,greedy,dataflow", *sim, "--out", "{out}", "--replace"],
        "profile": ["profile", "--quick", *sim, "--out", "{out}"],
        "fit": ["fit", "--profile", "{out}", "--precision", "fp32", "--save", "--out", "{out}"],
        "reproduce": ["reproduce", "schedules", "--device", "sim", "--profile", "{out}", "--no-pictures"],
        "ablation": ["ablation", "squeezenet", *sim, "--out", "{out}"],
    }


class Place:
    """A results folder and a folder for the program's cache."""

    def __init__(self, base, name, profile, holds_profile):
        self.folder = base / name
        self.out, self.cache = self.folder / "out", self.folder / "cache"
        self.folder.mkdir(exist_ok=True)
        self.out.mkdir()
        self.cache.mkdir()
        if holds_profile:
            part = json.loads((profile / "profile-fp32.json").read_text())
            part["stages"] = part["stages"][::20]  # enough to continue from, and fitted in seconds
            part["schedules"] = [s for s in part["schedules"] if s[5]["network"] == "squeezenet"][:10]
            (self.out / "profile-fp32.json").write_text(json.dumps(part))

    def start(self, program, arguments):
        line = [program] + [a.replace("{out}", str(self.out)) for a in arguments]
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.cache))
        return subprocess.Popen(line, env=environment, cwd=self.folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)

    def run(self, program, arguments):
        process = self.start(program, arguments)
        errors = process.communicate()[1]
        return process.returncode, errors

    def result(self):
        """The contents of the records and of the other files, without times, run ids and the names of this place."""
        standing = {}
        for path in sorted(self.out.rglob("*")):
            if path.is_file() and path.name != "records.jsonl" and not path.name.endswith(".md"):
                text = path.read_text()
                if path.suffix == ".csv":
                    text = json.dumps(without_times(list(csv.DictReader(text.splitlines()))))
                standing[str(path.relative_to(self.out))] = self._plain(text)
        records = self.out / "records.jsonl"
        for line in records.read_text().splitlines()[1:] if records.exists() else []:
            for kind, value in json.loads(line).items():
                if kind == "record":
                    key = json.dumps([value.get(k) for k in ("network", "scheduler", "options", "batch", "image",
                                                             "precision", "gpus", "quantity", "labels", "software")])
                    standing[key] = self._plain(json.dumps(without_times(value), sort_keys=True))
        return standing

    def _plain(self, text):
        return text.replace(str(self.folder), "PLACE").replace(self.folder.name, "PLACE")

    def half_files(self):
        return [p for p in self.folder.rglob("*.tmp.*")]


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    if isinstance(value, list):
        return [without_times(v) for v in value]
    return value


def differences(wanted, got):
    return [k for k in sorted(set(wanted) | set(got)) if wanted.get(k) != got.get(k)]


class Chaos:
    def __init__(self, program, base, profile, seed):
        self.program, self.base, self.profile = program, base, profile
        self.random = random.Random(seed)
        self.faults = []

    def place(self, name, command):
        return Place(self.base, name, self.profile, holds_profile=command in ("fit", "reproduce"))

    def fault(self, text):
        self.faults.append(text)
        print("FAULT: " + text, flush=True)

    def undisturbed(self, command, arguments):
        place = self.place(command + "-calm", command)
        begin = time.monotonic()
        code, errors = place.run(self.program, arguments)
        seconds = time.monotonic() - begin
        if code != 0:
            self.fault(f"{command}: exit code {code} of an undisturbed run: {errors[-300:]}")
        return place.result(), seconds

    def expect(self, command, what, arguments, place, wanted):
        code, errors = place.run(self.program, arguments)
        if code != 0:
            return self.fault(f"{command}, {what}: the rerun ended with {code}: {errors[-300:]}")
        different = differences(wanted, place.result())
        if different:
            self.fault(f"{command}, {what}: {len(different)} results differ, such as {different[0]}")
        return None

    def kills(self, command, arguments, wanted, seconds, count):
        """Killed `count` times in a row, each time continuing what was left, and then run to the end."""
        place = self.place(command + "-killed", command)
        for _ in range(count):
            process = place.start(self.program, arguments)
            try:
                process.wait(self.random.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if process.returncode not in (0, -signal.SIGKILL):
                self.fault(f"{command}, killed: exit code {process.returncode}")
        self.expect(command, f"killed {count} times", arguments, place, wanted)

    def two_writers(self, command, arguments, wanted):
        """The second writer is refused or does the same; nothing is lost."""
        place = self.place(command + "-twice", command)
        processes = [place.start(self.program, arguments) for _ in range(2)]
        for process in processes:
            errors = process.communicate()[1]
            if process.returncode not in (0, 2) or (process.returncode == 2 and "in use" not in errors):
                self.fault(f"{command}, two writers: exit code {process.returncode}: {errors[-300:]}")
        self.expect(command, "two writers", arguments, place, wanted)

    def full_disk(self, command, arguments, wanted):
        mount = self.base / (command + "-full")
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", mount], capture_output=True).returncode:
            print(f"{command}: no full disk, which takes root")
            return
        try:
            place = self.place(command + "-full", command)
            ballast = mount / "ballast"
            free = shutil.disk_usage(mount).free
            ballast.write_bytes(bytes(max(0, free - self.random.choice([0, 4096, 16384]))))
            code, errors = place.run(self.program, arguments)
            if code not in (0, 2) or (code == 2 and "No space left" not in errors):
                self.fault(f"{command}, full disk: exit code {code}: {errors[-300:]}")
            ballast.unlink()
            if place.half_files():
                self.fault(f"{command}, full disk: left {place.half_files()[0]}")
            self.expect(command, "full disk", arguments, place, wanted)
        finally:
            subprocess.run(["umount", "-l", mount], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=30, help="of each command (default: 30)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one of the commands, or several, as in bench,fit")
    options = parser.parse_args()
    profile = ROOT / "results" / "h200"
    with tempfile.TemporaryDirectory(prefix="opsched-chaos-") as base:
        chaos = Chaos(os.path.abspath(options.program), pathlib.Path(base), profile, options.seed)
        for command, arguments in commands(profile).items():
            if options.only and command not in options.only.split(","):
                continue
            wanted, seconds = chaos.undisturbed(command, arguments)
            print(f"{command}: {len(wanted)} results in {seconds:.1f} s", flush=True)
            chaos.kills(command, arguments, wanted, seconds, options.kills)
            chaos.two_writers(command, arguments, wanted)
            chaos.full_disk(command, arguments, wanted)
        print("faults: " + str(len(chaos.faults)))
        return 1 if chaos.faults else 0


if __name__ == "__main__":
    sys.exit(main())
