"""What every command prints fits a terminal of 100 columns: help, and tables made from what an H200 recorded."""

import os
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
H200 = PROJECT / "results/h200"
SIM = f"--device sim --profile {H200}"
KEY = "squeezenet/ios-both/batch:1/fp32/gpus:1"
WIDTH = 100
# Of each command, what it is called with. Those that only a GPU runs, or that print a line or files, have their help alone.
CALLS = {
    "list": [""],
    "show": ["squeezenet", "nasnet"],
    "schedule": [f"squeezenet --scheduler ios-both {SIM}", f"inception_v3 --scheduler hios-lp --gpus 2 --device sim --profile "
                 f"{PROJECT / 'results/h200-x2'}"],
    "optimize": [f"squeezenet --budget 1 {SIM}"],
    "run": [f"squeezenet --scheduler dataflow {SIM}"],
    "trace": [f"squeezenet --scheduler wavefront {SIM} -o t.json --gantt t.svg"],
    "warps": [],
    "bench": [f"--network squeezenet,inception_v3 --gpus 1,2 {SIM}"],
    "tune": [],
    "profile": ["--plan"],
    "compare": [f"{H200} {PROJECT / 'results/h200-x2'}"],
    "arena": [f"--network squeezenet,nasnet --batch 1 {H200}"],
    "repeat": [f"--processes 2 -- --network squeezenet --precision fp32 {SIM}"],
    "records": [f"{H200}", f"{H200} {KEY} --schedule --kernels --history"],
    "infer": ["squeezenet"],
    "count": ["squeezenet"],
    "growth": ["--nodes 8 12"],
    "ablation": [f"squeezenet {SIM}"],
    "launch": [f"squeezenet {SIM}"],
    "replay": [f"{H200} --network squeezenet --scheduler wavefront"],
    "fit": [f"--profile {H200} --precision fp32"],
    "simulate": ["optimum gpus --dags 1 --out studies"],
    "roofline": [SIM],
    "reproduce": [f"--list --profile {H200}"],
    "report": [],
}


def opsched(arguments: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([os.environ["OPSCHED"], *arguments.split()], capture_output=True, text=True, cwd=folder)


def commands() -> list[str]:
    done = opsched("--help", PROJECT)
    return re.findall(r"^  ([a-z]+) ", done.stdout.split("Subcommands:")[1].split("\n\n")[0], re.MULTILINE)


def too_wide(text: str) -> list[str]:
    """Lines of more than a word that do not fit."""
    return [line for line in text.splitlines() if len(line) > WIDTH and " " in line.strip()]


def test_every_command_is_here():
    assert sorted(commands()) == sorted(CALLS)


def test_help_fits():
    assert not too_wide(opsched("--help", PROJECT).stdout)
    for command in CALLS:
        done = opsched(f"{command} --help", PROJECT)
        assert done.returncode == 0 and not too_wide(done.stdout), command


@pytest.mark.parametrize("command, arguments", [(c, a) for c, calls in CALLS.items() for a in calls])
def test_output_fits(command, arguments, tmp_path):
    done = opsched(f"{command} {arguments}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1 and not too_wide(done.stdout)


def test_what_is_recorded_is_shown_without_a_gpu(tmp_path):
    done = opsched(f"roofline {SIM}", tmp_path)
    rows = re.findall(r"^(\w+) +(fp32|tf32|fp16) +1 .* measured ", done.stdout, re.MULTILINE)
    assert ("squeezenet", "fp16") in rows and len(rows) == len(set(rows)) > 4
    assert opsched(f"roofline --batch 7 {SIM}", tmp_path).returncode == 2


@pytest.mark.parametrize("arguments", ["replay nowhere", "compare nowhere nowhere", "arena nowhere", "records nowhere",
                                       "fit --profile nowhere", "roofline --device sim --profile nowhere",
                                       "bench --device sim --profile nowhere"])
def test_a_folder_that_is_not_there_is_named(arguments, tmp_path):
    done = opsched(arguments, tmp_path)
    assert done.returncode == 2 and not done.stdout and "nowhere" in done.stderr, done.stderr


def test_infeasible_combinations_are_no_benchmarks(tmp_path):
    done = opsched(f"bench --network squeezenet --precision fp32 --gpus 1,3 --scheduler sequential,hios-lp {SIM} "
                   "--benchmark_out=b.json --benchmark_format=console", tmp_path)
    assert done.returncode == 0 and "ERROR" not in done.stdout and "skipped" not in done.stdout, done.stdout
    assert "error" not in (tmp_path / "b.json").read_text()


def test_google_benchmarks_table_is_printed_on_request_only(tmp_path):
    bench = f"bench --network squeezenet --precision fp32 {SIM}"
    assert "CPU" not in opsched(bench, tmp_path).stdout
    assert re.search(r"Benchmark +Time +CPU", opsched(f"{bench} --benchmark_format=console", tmp_path).stdout)
    opsched(f"{bench} --benchmark_out=b.json", tmp_path)
    times = re.findall(r'"real_time": ([\d.e+-]+)', (tmp_path / "b.json").read_text())
    assert times and all(float(time) > 10 for time in times)  # compare.py prints whole numbers
