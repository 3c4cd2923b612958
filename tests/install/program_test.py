"""The installed program finds its data next to itself: it runs from a moved prefix, in an empty folder, with source and
build hidden, and leaves the prefix unchanged."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["OPSCHED"]).parent
CASE = ("bench", "--network", "squeezenet", "--precision", "fp16", "--scheduler", "dataflow", "--no-cache")


def hidden(*words: object) -> list[str]:
    """The command with the folders of source and build hidden (except Python's, which the tests may run in); unchanged
    if the system does not let us hide them."""
    folders = [folder for folder in (*PROJECT.iterdir(), *BUILD.iterdir())
               if folder.is_dir() and not BUILD.is_relative_to(folder) and folder != BUILD / "python"]
    mounts = "".join(f"mount -t tmpfs none '{folder}' && " for folder in folders)
    hide = ["unshare", "--map-root-user", "--mount", "sh", "-c", mounts + 'exec "$@"', "sh"]
    works = subprocess.run([*hide, "true"], capture_output=True).returncode == 0
    return [*(hide if works else []), *map(str, words)]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Path:
    first = tmp_path_factory.mktemp("install") / "first"
    subprocess.run(["cmake", "--install", BUILD, "--prefix", first], check=True, capture_output=True)
    return Path(shutil.move(first, first.with_name("moved")))


@pytest.fixture
def run(prefix, tmp_path):
    def call(*words: object) -> subprocess.CompletedProcess:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "OPSCHED_PYTHON": sys.executable}
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        done = subprocess.run(hidden(prefix / "bin/opsched", *words), capture_output=True, text=True, cwd=work, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done
    call.work = tmp_path / "work"
    return call


@pytest.fixture(autouse=True)
def unchanged(prefix):
    def files() -> dict[Path, float]:
        return {file: file.stat().st_mtime for file in prefix.rglob("*")}
    before = files()
    yield
    assert files() == before


def test_a_replay(run, prefix):
    assert f"replayed from {prefix}/share/opsched/results/h200 " in run(*CASE).stdout


def test_a_replay_of_what_the_working_directory_holds(run):
    shutil.copytree(PROJECT / "results/h200", run.work / "results/mine", ignore=shutil.ignore_patterns("figures"))
    assert "replayed from results/mine " in run(*CASE).stdout


def test_the_arena(run):
    out = run("arena", "--network", "squeezenet", "--precision", "fp16", "--batch", "1", "--gpus", "1").stdout
    assert "h200: squeezenet, fp16, batch 1, 1 GPU" in out


def test_a_figure_goes_into_the_working_directory(run):
    run("reproduce", "blocks", "--no-pictures")
    assert "\n| " in (run.work / "results/h200/figures/blocks.md").read_text()
    assert run("reproduce", "--list").stdout.startswith("figures in results/h200/figures\n")


def test_a_report(run, prefix):
    if importlib.util.find_spec("plotly") is None or importlib.util.find_spec("matplotlib") is None:
        pytest.skip("no plotly and matplotlib")
    run("report", prefix / "share/opsched/results/h200-x4-split", "-o", "page.html")
    assert (run.work / "page.html").stat().st_size > 100_000


def test_every_command_that_needs_no_data(run):
    for words in (("--help",), ("list",), ("show", "squeezenet"), ("profile", "--plan")):
        run(*words)


def test_the_program_of_the_build_reads_the_source(tmp_path):
    done = subprocess.run([os.environ["OPSCHED"], *CASE], capture_output=True, text=True, cwd=tmp_path)
    assert f"replayed from {PROJECT}/results/h200 " in done.stdout, done.stdout + done.stderr
