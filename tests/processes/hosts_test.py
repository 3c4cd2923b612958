#!/usr/bin/env python3
"""Two hosts on one machine: each rank runs in its own network namespace, joined by a veth pair, so that all traffic
uses TCP.

  tests/processes/hosts_test.py build/release/opsched HostsJoined|HostsDelayed

Exit code 77, with the reason, if namespaces are not permitted (root is needed), or for HostsDelayed if the kernel
cannot delay packets (tc netem). Uses no GPU.
"""
import contextlib
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

import mpi_test

NETWORK = f"10.{os.getpid() // 250 % 250}.{os.getpid() % 250}"  # because tests may run in parallel
DELAY_MS = 5


class NotHere(Exception):
    """The reason why the test cannot run on this machine."""


def must(*words: str) -> None:
    result = subprocess.run(words, capture_output=True, text=True, timeout=20)
    if result.returncode != 0:
        raise NotHere(f"'{' '.join(words)}' failed: {result.stderr.strip()}")


class Hosts:
    """Two namespaces, and a stand-in for ssh by which mpirun starts its daemon in the other one."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.names = [f"opsched-{os.getpid()}-{i}" for i in range(2)]
        self.addresses = [f"{NETWORK}.{i + 1}" for i in range(2)]
        self.agent = folder / "agent"

    def __enter__(self) -> "Hosts":
        for program in ("ip", "unshare", "mpirun"):
            if shutil.which(program) is None:
                raise NotHere(f"there is no {program}")
        links = [f"ops{os.getpid()}{end}" for end in "ab"]
        try:
            for name in self.names:
                must("ip", "netns", "add", name)
            must("ip", "link", "add", links[0], "netns", self.names[0], "type", "veth", "peer", "name", links[1], "netns",
                 self.names[1])
            for name, address, link in zip(self.names, self.addresses, links):
                must("ip", "-n", name, "addr", "add", f"{address}/24", "dev", link)
                must("ip", "-n", name, "link", "set", link, "up")
                must("ip", "-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        self.links = links
        self.agent.write_text("#!/bin/sh\nshift\n"
                              f'exec ip netns exec {self.names[1]} unshare --uts sh -c "hostname {self.names[1]}; $*"\n')
        self.agent.chmod(0o755)
        return self

    def pids(self, host: int) -> list[int]:
        there = subprocess.run(["ip", "netns", "pids", self.names[host]], capture_output=True, text=True)
        return [int(pid) for pid in there.stdout.split()]

    def stop(self) -> None:
        """Ends what is left: mpirun and its daemon on the other host wait for each other if they cannot communicate."""
        for host in range(2):
            for pid in self.pids(host):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def __exit__(self, *_) -> None:
        self.stop()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def delay(self, ms: int) -> None:
        if shutil.which("tc") is None:
            raise NotHere("there is no tc")
        for name, link in zip(self.names, self.links):
            must("tc", "-n", name, "qdisc", "add", "dev", link, "root", "netem", "delay", f"{ms}ms")

    def cut(self) -> None:
        must("ip", "-n", self.names[0], "link", "set", self.links[0], "down")

    def start(self, *words, **environment: str) -> subprocess.Popen:
        command = ["ip", "netns", "exec", self.names[0], "unshare", "--uts", "sh", "-c",
                   f'hostname {self.names[0]}; exec "$@"', "sh", "mpirun", "-n", "2", "--host",
                   ",".join(f"{address}:1" for address in self.addresses), "--mca", "plm", "rsh", "--mca", "plm_rsh_agent",
                   self.agent, "--mca", "pml", "ob1", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include",
                   f"{NETWORK}.0/24", "--mca", "oob_tcp_if_include", f"{NETWORK}.0/24"]
        for name, value in environment.items():
            command += ["-x", f"{name}={value}"]
        return subprocess.Popen([str(w) for w in [*command, *words]], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True, env=mpi_test.ENVIRONMENT)

    def rank(self, host: int) -> int:
        """The process that computes there."""
        for pid in self.pids(host):
            with contextlib.suppress(OSError):
                if b"OMPI_COMM_WORLD_RANK=" in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                    return pid
        return 0


class OnTwoHosts(mpi_test.SeveralProcesses):
    def setUp(self):
        super().setUp()
        self.hosts = Hosts(self.path)
        self.hosts.__enter__()
        self.addCleanup(self.hosts.__exit__)

    def end(self, run_: subprocess.Popen) -> tuple[str, str]:
        try:
            return run_.communicate(timeout=mpi_test.LIMIT_S)
        finally:
            run_.kill()

    def both(self) -> str:
        """Computes a schedule of two devices with one process per host and with a single process. Returns the former's
        output."""
        words = self.words(2, "--schedule", self.schedule(2))[3:]
        alone = mpi_test.run(*words)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        run_ = self.hosts.start(*words)
        out, err = self.end(run_)
        self.assertEqual(run_.returncode, 0, err)
        shown = [line.replace(" by 2 processes", "") for line in mpi_test.unwrapped(out)]
        self.assertEqual([line for line in shown if not line.startswith("round ")], mpi_test.unwrapped(alone.stdout))
        return "\n".join(shown)

    def begin(self, **environment: str) -> tuple[subprocess.Popen, list[int]]:
        """A long run in progress, and its ranks."""
        words = self.words(2, "--schedule", self.schedule(2), "--batch", "16", image=224)[3:]
        run_ = self.hosts.start(*words, **environment)
        deadline = time.monotonic() + mpi_test.LIMIT_S
        while 0 in (ranks := [self.hosts.rank(0), self.hosts.rank(1)]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        time.sleep(0.7)
        self.assertIsNone(run_.poll(), "it ended too soon for this test")
        return run_, ranks

    def assert_gone(self, ranks: list[int]):
        deadline = time.monotonic() + 40  # ranks other than 0 wait to be ended before they end themselves
        while left := [rank for rank in ranks if mpi_test.runs(rank)]:
            self.assertLess(time.monotonic(), deadline, f"left: {left}")
            time.sleep(0.05)


class HostsJoined(OnTwoHosts):
    def test_results_are_those_of_one_process(self):
        self.both()

    def test_devices_are_listed_with_their_hosts(self):
        run_ = self.hosts.start(mpi_test.PROGRAM, "list", "devices")
        out, err = self.end(run_)
        self.assertEqual(run_.returncode, 0, err)
        self.assertEqual([row[1] for row in mpi_test.listed_devices(out)], self.hosts.names)

    def test_a_killed_rank_ends_all(self):
        run_, ranks = self.begin()
        os.kill(ranks[1], signal.SIGKILL)
        out, _ = self.end(run_)
        self.assertNotEqual(run_.returncode, 0)
        self.assertEqual(out, "")
        self.assert_gone(ranks)

    def test_a_host_that_is_cut_off_is_named_after_a_limit(self):
        run_, ranks = self.begin(OPSCHED_SILENCE_SECONDS="2")
        self.hosts.cut()
        self.assert_gone(ranks)
        self.hosts.stop()
        out, err = self.end(run_)
        self.assertIn("opsched: rank 1 has given no sign of life for 2.0 s", err)
        self.assertEqual(out, "")


class HostsDelayed(OnTwoHosts):
    def test_links_are_of_the_network_and_take_the_delay(self):
        self.hosts.delay(DELAY_MS)
        run_ = self.hosts.start(mpi_test.PROGRAM, "links", "--device", "cpu", "--largest", 4096)
        out, err = self.end(run_)
        self.assertEqual(run_.returncode, 0, err)
        rows = [line.split() for line in out.splitlines()[2:]]
        self.assertEqual([row[:3] for row in rows], [["network", "0", "1"], ["network", "1", "0"]])
        for row in rows:
            self.assertGreaterEqual(float(row[5]), 0.9 * DELAY_MS)
            self.assertLess(float(row[5]), 10 * DELAY_MS)

    def test_results_are_the_same_and_the_exchange_takes_the_delay(self):
        self.hosts.delay(DELAY_MS)
        out = self.both()
        exchange = re.search(r"of it ([0-9.]+) ms", out)
        self.assertIsNotNone(exchange, out)
        self.assertGreaterEqual(float(exchange[1]), DELAY_MS)


def why_not(delayed: bool) -> str:
    """The reason why this machine cannot run the tests; empty if it can."""
    try:
        with tempfile.TemporaryDirectory(prefix="opsched-hosts-") as folder, Hosts(pathlib.Path(folder)) as hosts:
            if delayed:
                hosts.delay(DELAY_MS)
    except (NotHere, OSError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    mpi_test.PROGRAM = os.path.abspath(sys.argv.pop(1))
    if reason := why_not("HostsDelayed" in sys.argv):
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
