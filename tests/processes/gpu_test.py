#!/usr/bin/env python3
"""Two processes with a GPU each, started by mpirun: tensors travel over NCCL, and outputs are correct.

  tests/processes/gpu_test.py build/cuda/opsched

Exit code 77, with the reason, without mpirun or two GPUs, or if the program was built without NCCL.
"""
import json
import os
import re
import shutil
import sys
import tempfile
import unittest

import mpi_test

GPUS = dict(mpi_test.ENVIRONMENT)
GPUS.pop("CUDA_VISIBLE_DEVICES")  # mpi_test hides them


class OnTwoGpus(mpi_test.SeveralProcesses):
    def setUp(self):
        super().setUp()
        mpi_test.ENVIRONMENT = GPUS

    def errors(self, output: str) -> tuple[float, int]:
        """Relative error of a run's outputs, and the number of operators that were compared."""
        output = "\n".join(mpi_test.unwrapped(output))
        error = re.search(r"relative error ([0-9.e+-]+) compared with the reference, computed on the GPU", output)
        operators = re.search(r"largest relative error of (\d+) operators", output)
        self.assertTrue(error and operators, output)
        return float(error[1]), int(operators[1])

    def test_outputs_are_those_of_one_process(self):
        for network, image in (("squeezenet", 64), ("inception_v3", 96)):
            file = self.schedule(2, network)
            for precision in ("fp32", "fp16"):
                words = [mpi_test.PROGRAM, "run", network, "--image", image, "--device", "gpu", "--precision", precision,
                         "--schedule", file]
                alone = mpi_test.run(*words, "--profile", self.path / f"{precision}-alone")
                self.assertEqual(alone.returncode, 0, alone.stderr)
                together = mpi_test.run("mpirun", "-n", 2, *words, "--profile", self.path / f"{precision}-two")
                self.assertEqual(together.returncode, 0, together.stderr)
                self.assertIn("by 2 processes", "\n".join(mpi_test.unwrapped(together.stdout)))
                one, two = self.errors(alone.stdout), self.errors(together.stdout)
                self.assertEqual(two[1], one[1])  # the same operators were compared
                # Each process chooses its own kernels, so rounding may differ, but not by more than a factor of two.
                self.assertLessEqual(two[0], 2 * one[0] + 1e-6)

    def test_links_go_into_the_profile(self):
        shown = mpi_test.run("mpirun", "-n", 2, mpi_test.PROGRAM, "links", "--device", "gpu", "--out", self.path / "two")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        profile = json.loads((self.path / "two/profile-fp32.json").read_text())
        self.assertEqual(profile["topology"]["process_devices"], 1)
        self.assertEqual({link[6] for link in profile["transfers"]}, {"nccl"})
        self.assertTrue(all(link[3] > 0 for link in profile["transfers"]))

    def test_no_gpu_on_one_rank(self):
        for without in (0, 1):
            words = [mpi_test.PROGRAM, "bench", "--network", "squeezenet", "--image", 64, "--gpus", 2, "--device", "gpu",
                     "--out", self.path / "none"]
            parts = [["-n", 1, *(("-x", "CUDA_VISIBLE_DEVICES=") if rank == without else ()), *words] for rank in (0, 1)]
            self.assert_refused(mpi_test.run("mpirun", *parts[0], ":", *parts[1]), f"rank {without} has no GPU")
        self.assertFalse((self.path / "none").exists())


def why_not() -> str:
    """The reason why this machine cannot run the tests; empty if it can."""
    if shutil.which("mpirun") is None:
        return "there is no mpirun"
    mpi_test.ENVIRONMENT = GPUS
    listed = mpi_test.run(mpi_test.PROGRAM, "list", "devices")
    gpus = " ".join(line.strip() for line in listed.stdout.splitlines()[2:])
    if "none: " in gpus or "," not in gpus:
        return "two GPUs are needed: " + gpus
    with tempfile.TemporaryDirectory(prefix="opsched-links-") as folder:
        asked = mpi_test.run("mpirun", "-n", 2, mpi_test.PROGRAM, "links", "--device", "gpu", "--out", folder)
    return "this build has no NCCL" if "need NCCL" in asked.stderr else ""


if __name__ == "__main__":
    mpi_test.PROGRAM = os.path.abspath(sys.argv.pop(1))
    if reason := why_not():
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
