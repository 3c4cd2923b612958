#!/usr/bin/env python3
"""The program started as Slurm does it. srun is a stand-in (the script in this folder), so Slurm is not needed.

  tests/processes/slurm_test.py build/release/opsched

Exit code 77 if there is no mpirun. Uses no GPU.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import mpi_test

HERE = pathlib.Path(__file__).resolve().parent
PAGE = mpi_test.ROOT / "docs/sweeps.md"


def batch_script() -> str:
    """The Slurm script on the page."""
    return next(block for block in re.findall(r"```bash\n(#!.*?)```", PAGE.read_text(), re.S) if "#SBATCH" in block)


def tasks_of(script: str) -> int:
    """The number of tasks that sbatch derives from the options in the script."""
    options = dict(re.findall(r"--([a-z-]+)=(\d+)", "\n".join(re.findall(r"#SBATCH.*", script))))
    return int(options["nodes"]) * int(options["ntasks-per-node"])


class UnderSlurm(mpi_test.SeveralProcesses):
    def setUp(self):
        super().setUp()
        self.bin = self.path / "bin"
        self.bin.mkdir()
        shutil.copy(HERE / "srun", self.bin)

    def run_batch(self, script: str, **environment: str) -> subprocess.CompletedProcess:
        """Runs the script as sbatch does: its options become environment variables, and a shell runs it."""
        file = self.path / "job"
        file.write_text(script)
        file.chmod(0o755)
        return subprocess.run([file], cwd=self.path, capture_output=True, text=True, timeout=mpi_test.LIMIT_S,
                              stdin=subprocess.DEVNULL,
                              env=mpi_test.ENVIRONMENT | {"PATH": f"{self.bin}:{os.environ['PATH']}"} | environment)

    def test_the_script_of_the_page_shares_cases_out(self):
        # The command on the page, except that opsched replays and the sweep is small.
        replay = ("--device", "sim", "--profile", str(mpi_test.ROOT / "results/h200"), "--no-cache")
        sweep = self.path / "sweep.json"
        sweep.write_text(json.dumps({"networks": ["squeezenet"], "precisions": ["fp32"], "schedulers": ["wavefront"],
                                     "entries": [{"batches": [1, 16, 32, 64, 128]}]}))
        opsched = self.bin / "opsched"
        opsched.write_text(f'#!/bin/sh\nexec {mpi_test.PROGRAM} "$@" {" ".join(replay)}\n')
        opsched.chmod(0o755)
        script = batch_script()
        self.assertEqual(tasks_of(script), 4)
        done = self.run_batch(script, SLURM_NTASKS=str(tasks_of(script)), SLURM_JOB_ID="1",
                              SLURM_SUBMIT_DIR=str(self.path))
        self.assertEqual(done.returncode, 0, done.stderr)
        alone = mpi_test.run(mpi_test.PROGRAM, "bench", "--sweep", str(sweep), *replay)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        # Compares only the cases: lines before them contain the profile's folder, relative to the current folder.
        shown, expected = ([line for line in text.splitlines() if line.startswith("squeezenet/")]
                           for text in (done.stdout, alone.stdout))
        self.assertGreater(len(shown), 2)
        self.assertEqual(shown, expected)
        self.assertTrue((self.path / "results/cluster/records.jsonl").is_file())

    def test_a_schedule_runs_on_the_tasks_of_a_step(self):
        words = [str(word) for word in self.words(2, "--schedule", self.schedule(2))[3:]]
        ran = self.run_batch(f"#!/bin/sh\nsrun --mpi=pmix -n 2 {' '.join(words)}\n", SLURM_NTASKS="4")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("by 2 processes", "\n".join(mpi_test.unwrapped(ran.stdout)))

    def test_errors_of_a_step_are_said_once(self):
        words = [str(word) for word in self.words(3, "--schedule", self.schedule(2))[3:]]
        self.assert_refused(self.run_batch(f"#!/bin/sh\nsrun --mpi=pmix --ntasks=3 {' '.join(words)}\n"),
                            "3 processes for a schedule of 2 devices")

    def test_a_batch_script_without_srun_is_one_process(self):
        alone = self.run_batch(f"#!/bin/sh\n{mpi_test.PROGRAM} list devices\n", SLURM_NTASKS="4", SLURM_JOB_ID="1")
        self.assertEqual(alone.returncode, 0, alone.stderr)
        self.assertEqual([row[0] for row in mpi_test.listed_devices(alone.stdout)], ["0"])


if __name__ == "__main__":
    if shutil.which("mpirun") is None:
        print("skipped: there is no mpirun")
        sys.exit(77)
    mpi_test.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
