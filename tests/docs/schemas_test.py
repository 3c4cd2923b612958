"""The schemas in docs/: files of this project and of the program satisfy them, and files that the program refuses for
their form do not."""

import copy
import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PROFILES = sorted(PROJECT.glob("results/*/profile-*.json"))


def schema(name: str) -> jsonschema.Draft202012Validator:
    content = json.loads((DOCS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


def opsched(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([os.environ["OPSCHED"], *map(str, words)], capture_output=True, text=True, cwd=cwd)


def changed(document: dict, place: list, value: object) -> dict:
    """A copy with another value at this place, or without the value if it is None."""
    document = copy.deepcopy(document)
    at = document
    for key in place[:-1]:
        at = at[key]
    if value is None:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    return document


# Profiles

@pytest.fixture(scope="module")
def profile() -> dict:
    """A few entries of a real profile."""
    whole = json.loads((PROJECT / "results/h200-x4-split/profile-fp16.json").read_text())
    return whole | {"stages": whole["stages"][::10], "schedules": whole["schedules"][:2]}


def test_profiles_fit_their_schema():
    """Only every hundredth stage, because all of them take half a minute."""
    assert len(PROFILES) > 10
    for file in PROFILES:
        profile = json.loads(file.read_text())
        profile["stages"] = profile["stages"][::100]
        schema("profile").validate(profile)


@pytest.mark.parametrize("place, value", [
    (["format"], "opsched-records"), (["version"], 3), (["precision"], "fp8"), (["device"], None), (["device", "name"], ""),
    (["device", "sm_clock_mhz"], [1]), (["device", "multiprocessors"], 1.5), (["operators"], None), (["stages"], None),
    (["stages", 0], ["b1 0", 1.0]), (["stages", 0, 0], "0 b1"), (["stages", 0, 1], "fast"), (["transfers", 0, 2], "much"),
    (["schedules", 0, 5, "network"], None), (["schedules", 0, 5, "batch"], "1"), (["calibration", 0], ["law"]),
], ids=str)
def test_a_profile_that_the_program_refuses_does_not_fit(tmp_path, profile, place, value):
    schema("profile").validate(profile)
    wrong = changed(profile, place, value)
    assert not schema("profile").is_valid(wrong)
    (tmp_path / "profile-fp16.json").write_text(json.dumps(wrong))
    done = opsched("schedule", "squeezenet", "--scheduler", "sequential", "--device", "sim", "--precision", "fp16", "--profile",
                   tmp_path, "-o", tmp_path / "s.json")
    assert done.returncode == 2 and "profile" in done.stderr, done.stderr


def test_a_profile_that_the_program_writes_fits(tmp_path, profile):
    (tmp_path / "profile-fp16.json").write_text(json.dumps(profile))
    done = opsched("fit", "--profile", tmp_path, "--save")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "profile-fp16.json").read_text())
    schema("profile").validate(written)
    assert written["calibration"] and written["transfers"]


# Schedules

def schedule(folder: Path, network: str, *words: object) -> dict:
    file = folder / "schedule.json"
    done = opsched("schedule", network, "--device", "sim", "--profile", PROJECT / "results/h200-x4-split", *words, "-o", file)
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def wavefront(tmp_path_factory) -> dict:
    return schedule(tmp_path_factory.mktemp("right"), "squeezenet", "--scheduler", "wavefront")


@pytest.mark.parametrize("words", [
    ("sequential",), ("ios-both",), ("ios-merge",), ("dataflow",), ("dataflow-search",), ("hios-lp", "--gpus", 2),
    ("split", "--gpus", 2), ("split", "--gpus", 2, "--batch", 4),
], ids=str)
def test_schedules_fit_their_schema(tmp_path, words):
    schema("schedule").validate(schedule(tmp_path, "squeezenet", "--scheduler", *words))


@pytest.mark.parametrize("place, value", [
    (["format"], "opsched-profile"), (["version"], 2), (["graph"], None), (["graph", "name"], None), (["scheduler"], 1),
    (["mode"], "eager"), (["devices"], {}), (["devices", 0, "stages"], None), (["devices", 0, "stages", 0, "strategy"], "split"),
    (["devices", 0, "stages", 0, "groups"], "conv1"), (["devices", 0, "stages", 0, "groups", 0, 0], 1), (["launch_order"], None),
    (["priority"], {"conv1": -1}), (["priority"], {"conv1": 6}), (["splits"], {"conv1": [0]}), (["splits"], {"conv1": {"rows": [3]}}),
    (["operators"], []), (["operators"], None),
], ids=str)
def test_a_schedule_that_the_program_refuses_does_not_fit(tmp_path, wavefront, place, value):
    wrong = changed(wavefront, place, value)
    assert not schema("schedule").is_valid(wrong)
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    done = opsched("run", "squeezenet", "--device", "sim", "--profile", PROJECT / "results/h200-x4-split", "--schedule",
                   tmp_path / "wrong.json")
    assert done.returncode == 2 and "wrong.json" in done.stderr, done.stderr


# Sweeps

def blocks(page: str, *languages: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [text for language, text in fences if language in languages]


@pytest.fixture
def sweep(tmp_path) -> Path:
    """The example of the page, in a separate folder."""
    file = tmp_path / "sweep.json"
    file.write_text(blocks("sweeps.md", "json")[0])
    return file


def test_the_example_of_the_page_fits_and_every_command_there_takes_it(sweep):
    schema("sweep").validate(json.loads(sweep.read_text()))
    lines = [line.split("  #")[0] for block in blocks("sweeps.md", "", "bash") for line in block.splitlines()]
    commands = [line[line.index("opsched bench"):].split() for line in lines if "opsched bench --sweep" in line]
    assert len(commands) >= 5
    for command in commands:
        done = opsched(*command[1:], "--list", cwd=sweep.parent)
        assert done.returncode == 0, done.stderr
        assert "inception_v3/hios-lp/batch:1/image:1024/fp32/gpus:2\n" in done.stdout


@pytest.mark.parametrize("file", sorted(PROJECT.glob("experiments/sweeps/*")), ids=lambda file: file.name)
def test_the_sweeps_of_this_project_fit_and_have_cases(file):
    schema("sweep").validate(json.loads(file.read_text()))
    done = opsched("bench", "--sweep", file, "--list")
    assert done.returncode == 0, done.stderr
    assert "nasnet/split/batch:1/image:2048/fp16/gpus:4\n" in done.stdout


@pytest.mark.parametrize("place, value", [
    (["entries"], None), (["entries"], []), (["entries"], [[]]), (["network"], ["nasnet"]), (["entries", 0, "batch"], [1]),
    (["entries", 0, "networks"], "nasnet"), (["entries", 0, "networks"], []), (["entries", 0, "batches"], [0]),
    (["entries", 0, "batches"], ["all"]), (["entries", 0, "images"], [-1]), (["entries", 0, "images"], ["big"]),
    (["entries", 0, "precisions"], ["fp8"]), (["gpus"], [0]), (["entries", 0, "gpus"], [1.5]),
    (["entries", 0, "schedulers"], ["greedy,wavefront"]), (["entries", 0, "schedulers"], ["r=2"]), (["batches"], 1),
], ids=str)
def test_a_sweep_that_the_program_refuses_does_not_fit(sweep, place, value):
    wrong = changed(json.loads(sweep.read_text()), place, value)
    assert not schema("sweep").is_valid(wrong)
    sweep.write_text(json.dumps(wrong))
    done = opsched("bench", "--list", "--sweep", sweep)
    assert done.returncode == 2 and str(sweep) in done.stderr, done.stderr
