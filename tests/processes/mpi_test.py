#!/usr/bin/env python3
"""The program in several processes, started by mpirun: the same results as with one process, and errors that end all of
them.

  tests/processes/mpi_test.py build/release/opsched [TEST...]

Exit code 77 if there is no mpirun. Uses no GPU.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ""
# Lets Open MPI run as root and with more processes than processors; hides GPUs.
ENVIRONMENT = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_rmaps_base_oversubscribe="1",
    CUDA_VISIBLE_DEVICES="",
)
LIMIT_S = 60
SCHEDULES: dict[tuple[str, int], str] = {}  # by network and devices, so that each is searched for once


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(w) for w in words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT | environment,
    )


def said(result: subprocess.CompletedProcess) -> list[str]:
    """Standard error of opsched itself, without mpirun's own lines."""
    return [line for line in result.stderr.splitlines() if line.startswith("opsched: ")]


def unwrapped(text: str) -> list[str]:
    """Lines that `run` printed, with single spaces between words, and wrapped lines rejoined."""
    lines: list[str] = []
    for line in text.splitlines():
        words = " ".join(line.split())
        if line.startswith(" ") and lines:
            lines[-1] += " " + words
        else:
            lines.append(words)
    return lines


def listed_devices(text: str) -> list[list[str]]:
    """Words of the rows of `list devices`, without wrapped lines."""
    return [words for line in text.splitlines() if (words := line.split()) and words[0].isdigit()]


def children_of(pid: int) -> list[int]:
    """The processes that mpirun started, by rank."""
    ranks = {}
    for task in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parent = int((task / "stat").read_text().rsplit(")", 1)[1].split()[1])
            variables = (task / "environ").read_bytes().split(b"\0")
            rank = [v for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
            if parent == pid and rank:
                ranks[int(rank[0].split(b"=")[1])] = int(task.name)
    return [ranks[rank] for rank in sorted(ranks)]


def runs(pid: int) -> bool:
    """Whether the process still runs. A zombie does not."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


class SeveralProcesses(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="opsched-mpi-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def schedule(self, devices: int, network: str = "squeezenet") -> pathlib.Path:
        """A schedule for large images, which benefit from all devices; it works for any image size."""
        file = self.path / f"{network}-{devices}.json"
        if (network, devices) not in SCHEDULES:
            made = run(PROGRAM, "schedule", network, "--image", 2048, "--scheduler", "heft", "--gpus", devices,
                       "--device", "sim", "--profile", ROOT / "results/h200-x4", "-o", file)
            self.assertEqual(made.returncode, 0, made.stderr)
            SCHEDULES[network, devices] = file.read_text()
            used = json.loads(SCHEDULES[network, devices])["devices"]
            self.assertEqual((len(used), all(used)), (devices, True))
        file.write_text(SCHEDULES[network, devices])
        return file

    def words(self, ranks: int, *more: str, network: str = "squeezenet", image: int = 64) -> list:
        return ["mpirun", "-n", ranks, PROGRAM, "run", network, "--image", image, "--device", "cpu", *more]

    def assert_refused(self, result: subprocess.CompletedProcess, text: str):
        self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
        self.assertEqual(len(said(result)), 1, result.stderr)
        self.assertIn(text, said(result)[0])
        self.assertEqual(result.stdout, "")


class Results(SeveralProcesses):
    def test_are_those_of_one_process(self):
        for devices, network in ((2, "squeezenet"), (3, "inception_v3")):
            image = 64 if network == "squeezenet" else 96
            file = self.schedule(devices, network)
            alone = run(PROGRAM, "run", network, "--image", image, "--device", "cpu", "--schedule", file)
            self.assertEqual(alone.returncode, 0, alone.stderr)
            for ranks in range(2, devices + 1):
                together = run(*self.words(ranks, "--schedule", file, network=network, image=image))
                self.assertEqual(together.returncode, 0, together.stderr)
                lines = [line.replace(f" by {ranks} processes", "") for line in unwrapped(together.stdout)]
                rounds = [line for line in lines if line.startswith("round ")]
                self.assertEqual(len(rounds), 1)
                self.assertIn(f"{ranks} processes; of it ", rounds[0])
                self.assertEqual([line for line in lines if line not in rounds], unwrapped(alone.stdout))


class Devices(SeveralProcesses):
    def test_are_listed_by_rank(self):
        listed = run("mpirun", "-n", 3, PROGRAM, "list", "devices")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        rows = listed_devices(listed.stdout)
        self.assertEqual([row[0] for row in rows], ["0", "1", "2"])
        self.assertEqual({row[1] for row in rows}, {os.uname().nodename})


class Links(SeveralProcesses):
    LARGEST = 1 << 18

    def links(self, ranks: int, *more) -> list[list[str]]:
        """Rows of the table: kind, from, to, size, its unit, ms, GB/s."""
        shown = run("mpirun", "-n", ranks, PROGRAM, "links", "--device", "cpu", "--largest", self.LARGEST, *more)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return [line.split() for line in shown.stdout.splitlines()[2:]]

    def test_are_timed_between_neighbours(self):
        rows = self.links(3, "--gpus", 6)  # two per process
        self.assertEqual({row[0] for row in rows}, {"nccl"})
        self.assertEqual({(row[1], row[2]) for row in rows}, {("0", "2"), ("2", "0"), ("2", "4"), ("4", "2")})
        self.assertEqual(len(rows), 4 * 4)
        self.assertTrue(all(float(row[5]) > 0 for row in rows))

    def test_price_schedules_from_a_profile(self):
        recorded, out = ROOT / "results/h200-x4", self.path / "rehearsal"
        self.links(2, "--profile", recorded, "--out", out)
        profile = json.loads((out / "profile-fp32.json").read_text())
        self.assertEqual(profile["topology"], {"host_devices": 0, "process_devices": 1, "links": {}})
        self.assertIn("links by MPI between CPUs", profile["device"]["driver"])
        kept = [link for link in profile["transfers"] if link[6:] == ["nccl"]]
        self.assertEqual(len(kept), 2 * 4)
        self.assertEqual([s for s in profile["schedules"] if s[5]["gpus"] > 1], [])
        # The time of a slow message counts: the same schedule takes longer than if one process has both GPUs.
        for link in kept:
            link[3] = 5.0
        (out / "profile-fp32.json").write_text(json.dumps(profile))
        file = self.schedule(2)
        ms = [float(re.search(r"^latency +([0-9.]+) ms", run(
            PROGRAM, "run", "squeezenet", "--image", 64, "--device", "sim", "--schedule", file, "--profile",
            folder).stdout, re.M)[1]) for folder in (recorded, out)]
        self.assertGreater(ms[1], ms[0] + 4)

    def test_are_refused_where_they_cannot_be_kept(self):
        self.assert_refused(run(PROGRAM, "links"), "mpirun -n 2 opsched links")
        words = ("mpirun", "-n", 2, PROGRAM, "links", "--device", "cpu", "--largest", 4096)
        self.assert_refused(run(*words, "--out", self.path / "x"), "give both --profile FOLDER")
        self.assert_refused(run(*words, "--gpus", 3, "--profile", ROOT / "results/h200", "--out", ROOT / "results/h200"),
                            "already: give another folder")
        self.assert_refused(run("mpirun", "-n", 3, *words[3:], "--gpus", 2), "3 processes for a schedule of 2 devices")
        self.assertFalse((self.path / "x").exists())


class SharedCases(SeveralProcesses):
    WORDS = ("bench", "--network", "squeezenet", "--image", 64, "--batch", "1,2,4,8", "--precision", "fp32",
             "--scheduler", "wavefront,greedy", "--device", "sim", "--profile", ROOT / "results/h200", "--no-cache")

    def values(self, folder: pathlib.Path) -> dict[str, tuple]:
        records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()[1:]]
        return {
            json.dumps([r["record"].get(key) for key in ("network", "scheduler", "batch")]): (
                r["record"]["value"], r["record"]["schedule"], r["record"].get("provenance"))
            for r in records if "record" in r
        }

    def test_give_what_one_process_gives(self):
        alone = run(PROGRAM, *self.WORDS, "--out", self.path / "alone")
        self.assertEqual(alone.returncode, 0, alone.stderr)
        # Two rounds; in the second, two ranks have nothing to do.
        together = run("mpirun", "-n", 3, PROGRAM, *self.WORDS, "--share-cases", "--out", self.path / "shared")
        self.assertEqual(together.returncode, 0, together.stderr)
        self.assertEqual(together.stdout, alone.stdout)
        self.assertEqual(len(self.values(self.path / "alone")), 12)
        self.assertEqual(self.values(self.path / "shared"), self.values(self.path / "alone"))

    def test_of_a_sweep_are_those_of_one_process(self):
        sweep = self.path / "sweep.json"
        sweep.write_text(json.dumps({"entries": [{"networks": ["squeezenet"], "images": [64], "precisions": ["fp32"],
                                                  "batches": batches, "schedulers": ["wavefront"]} for batches in ([1], [2, 4])]}))
        words = ("bench", "--sweep", sweep, *self.WORDS[self.WORDS.index("--device"):])
        alone = run(PROGRAM, *words, "--out", self.path / "alone")
        together = run("mpirun", "-n", 2, PROGRAM, *words, "--share-cases", "--out", self.path / "together")
        self.assertEqual((together.returncode, together.stdout), (0, alone.stdout), together.stderr)
        self.assertEqual(len(self.values(self.path / "alone")), 6)
        self.assertEqual(self.values(self.path / "together"), self.values(self.path / "alone"))

    def test_alone_or_unshared_they_are_refused(self):
        self.assert_refused(run(PROGRAM, *self.WORDS, "--share-cases"), "there is only one process")
        self.assert_refused(run("mpirun", "-n", 2, PROGRAM, *self.WORDS, "--out", self.path / "none"),
                            "a replay runs in one process")
        self.assertFalse((self.path / "none").exists())


class Errors(SeveralProcesses):
    def test_more_ranks_than_devices(self):
        self.assert_refused(run(*self.words(3, "--schedule", self.schedule(2))),
                            "3 processes for a schedule of 2 devices")

    def test_another_command_line_on_a_rank(self):
        file = self.schedule(2)
        first = self.words(1, "--schedule", file)
        other = self.words(1, "--schedule", file, "--data-seed", "7")
        self.assert_refused(run(*first, ":", *other[1:]), "rank 1 was started with different arguments")

    def test_another_graph_on_a_rank(self):
        file = self.schedule(2)
        other = self.words(1, "--schedule", file, image=96)
        self.assert_refused(run(*self.words(1, "--schedule", file), ":", *other[1:]),
                            "rank 1 was started with different arguments")

    def test_another_build_on_a_rank(self):
        file = self.schedule(2)
        build = self.path / "opsched"
        shutil.copy(PROGRAM, build)
        with build.open("ab") as bytes_:
            bytes_.write(b"\0")
        words = self.words(1, "--schedule", file)
        other = [build if w == PROGRAM else w for w in words]
        self.assert_refused(run(*words, ":", *other[1:]), "rank 1 runs another build of opsched")

    def test_no_gpu_on_a_rank(self):
        for command in (("run", "squeezenet", "--schedule", self.schedule(2)),
                        ("bench", "--network", "squeezenet", "--gpus", 2, "--out", self.path / "none")):
            result = run("mpirun", "-n", 2, PROGRAM, *command, "--image", 64, "--device", "gpu")
            self.assert_refused(result, "GPU")
        self.assertFalse((self.path / "none").exists())

    def test_a_schedule_for_one_device(self):
        self.assert_refused(run(*self.words(2, "--schedule", self.schedule(1))), "2 processes for a schedule of 1 device")

    def test_a_command_for_one_process(self):
        self.assert_refused(run("mpirun", "-n", 2, PROGRAM, "count", "squeezenet"), "opsched count runs in one process")

    def test_wrong_options_are_said_once(self):
        self.assert_refused(run(*self.words(2, "--schedule", self.path / "none.json")), "none.json")
        self.assert_refused(run("mpirun", "-n", 2, PROGRAM, "dance"), "unknown command 'dance'")


class LostRanks(SeveralProcesses):
    """A rank dies or stops while a large network runs."""

    def begin(self, **environment: str) -> subprocess.Popen:
        file = self.schedule(2)
        run_ = subprocess.Popen(
            [str(w) for w in self.words(2, "--schedule", file, "--batch", "16", image=224)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT | environment)
        deadline = time.monotonic() + LIMIT_S
        while len(children_of(run_.pid)) < 2:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        time.sleep(0.7)  # during the run
        self.assertIsNone(run_.poll(), "it ended too soon for this test")
        return run_

    def end(self, run_: subprocess.Popen) -> tuple[str, str]:
        try:
            return run_.communicate(timeout=LIMIT_S)
        finally:
            run_.kill()

    def assert_gone(self, ranks: list[int]):
        deadline = time.monotonic() + 5  # until everything that mpirun killed has ended
        while left := [rank for rank in ranks if runs(rank)]:
            self.assertLess(time.monotonic(), deadline, f"left: {left}")
            time.sleep(0.05)

    def test_a_killed_rank_ends_all(self):
        for killed in (1, 0):
            run_ = self.begin()
            ranks = children_of(run_.pid)
            begin = time.monotonic()
            os.kill(ranks[killed], signal.SIGKILL)
            out, _ = self.end(run_)
            self.assertLess(time.monotonic() - begin, 15)
            self.assertNotEqual(run_.returncode, 0)
            self.assertEqual(out, "")
            self.assert_gone(ranks)

    def test_a_silent_rank_is_named_after_a_limit(self):
        run_ = self.begin(OPSCHED_SILENCE_SECONDS="2")
        ranks = children_of(run_.pid)
        os.kill(ranks[1], signal.SIGSTOP)
        out, err = self.end(run_)
        self.assertIn("opsched: rank 1 has given no sign of life for 2.0 s", err)
        self.assertEqual(run_.returncode, 2, err)
        self.assertEqual(out, "")
        self.assert_gone(ranks)


if __name__ == "__main__":
    if shutil.which("mpirun") is None:
        print("skipped: there is no mpirun")
        sys.exit(77)
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
