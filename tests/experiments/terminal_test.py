"""Output of every command fits a terminal of 100 columns: help, and tables made from H200 records."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
H200 = PROJECT / "results/h200"
SIM = f"--device sim --profile {H200}"
ROOFLINE = '"roofline"' in (H200 / "records.jsonl").read_text()  # only a GPU measures one
KEY = "squeezenet/ios-both/batch:1/fp32/gpus:1"
WIDTH = 100
# Arguments to test each command with. Only the help is tested of commands that need a GPU (warps, tune) or several
# processes (links), print one line (infer, report), or take minutes on this profile (fit).
CALLS = {
    "list": [""],
    "show": ["squeezenet", "nasnet"],
    "schedule": [f"squeezenet --scheduler ios-both {SIM} -o s.json", f"inception_v3 --scheduler hios-lp --gpus 2 --device sim --profile "
                 f"{PROJECT / 'results/h200-x2'}"],
    "optimize": [f"squeezenet --budget 1 {SIM}"],
    "run": [f"squeezenet --schedule s.json {SIM}"],
    "trace": [f"squeezenet --scheduler wavefront {SIM} -o t.json --gantt t.svg"],
    "warps": [],
    "bench": [f"--network squeezenet,inception_v3 --gpus 1,2 {SIM}"],
    "tune": [],
    "profile": ["--plan"],
    "compare": [f"{H200} {PROJECT / 'results/h200-x2'}"],
    "arena": [f"{H200} --network squeezenet,nasnet --precision fp16"],
    "repeat": [f"--processes 2 -- --network squeezenet --precision fp32 {SIM}"],
    "records": [f"{H200}", f"{H200} {KEY} --schedule --kernels --history"],
    "infer": [],
    "count": ["squeezenet"],
    "growth": ["--nodes 8 12"],
    "ablation": [f"squeezenet {SIM}"],
    "launch": [f"squeezenet {SIM}"],
    "links": [],
    "replay": [f"{PROJECT / 'results/h200-x4-split'} --scheduler sequential"],
    "fit": [],
    "simulate": ["optimum gpus --dags 1 --out studies"],
    "roofline": [f"--network squeezenet --batch 1,7 --precision fp16 {SIM}"] * ROOFLINE,
    "reproduce": [f"--list --profile {H200}"],
    "report": [],
}


def opsched(arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([os.environ["OPSCHED"], *arguments.split()], capture_output=True, text=True, cwd=folder)


def commands() -> list[str]:
    done = opsched("--help", PROJECT)
    return re.findall(r"^  ([a-z]+) ", done.stdout.split("Subcommands:")[1].split("\n\n")[0], re.MULTILINE)


def too_wide(text: str) -> list[str]:
    """Lines that are too wide and have more than one word."""
    return [line for line in text.splitlines() if len(line) > WIDTH and " " in line.removesuffix(" \\").strip()]


def test_every_command_is_here():
    assert sorted(commands()) == sorted(CALLS)


def test_help_fits():
    assert too_wide(opsched("--help", PROJECT).stdout) == []
    for command in CALLS:
        done = opsched(f"{command} --help", PROJECT)
        assert done.returncode == 0 and too_wide(done.stdout) == [], command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shared by all calls, because some read what others wrote."""
    return tmp_path_factory.mktemp("terminal")


@pytest.mark.parametrize("command, arguments", [(c, a) for c, calls in CALLS.items() for a in calls])
def test_output_fits(command, arguments, folder):
    done = opsched(f"{command} {arguments}", folder)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1 and too_wide(done.stdout) == []


@pytest.mark.skipif(not ROOFLINE, reason="no roofline is recorded")
def test_what_is_recorded_is_shown_without_a_gpu(tmp_path):
    folder = tmp_path / "recorded"  # its profile knows neither the network nor the GPU's rates
    folder.mkdir()
    shutil.copy(H200 / "records.jsonl", folder)
    shutil.copy(H200.parent / "public-networks/profile-fp16.json", folder)
    here = f"--network squeezenet --precision fp16 --device sim --profile {folder}"
    done = opsched(f"roofline --batch 1,7 {here}", tmp_path)
    assert re.search(r"^squeezenet +fp16 +1 .* measured ", done.stdout, re.MULTILINE) and "1 case left out" in done.stdout
    refused = opsched(f"roofline --batch 7 {here}", tmp_path)
    assert refused.returncode == 2 and "opsched roofline" in refused.stderr


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


def test_reproduce_leaves_a_clean_clone_clean(tmp_path):
    """Recorded results are neither made again nor written differently; for pictures see
    tests/python/figures_test.py."""
    results = tmp_path / "results"
    shutil.copytree(PROJECT / "results", results, ignore=shutil.ignore_patterns("*.png", "*.svg", "*.pdf", "profile-*"))
    for profile in (PROJECT / "results").glob("*/profile-*"):
        (results / profile.parent.name / profile.name).symlink_to(profile)

    def texts() -> dict[str, bytes]:
        return {str(file.relative_to(results)): file.read_bytes() for file in sorted(results.rglob("*"))
                if file.is_file() and not file.name.startswith("profile-")}

    before = texts()
    done = opsched("reproduce --device sim --profile results/h200 --no-pictures", tmp_path)
    assert done.returncode == 0, done.stderr
    after = texts()
    assert [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)] == []
