"""The Dockerfile is valid, and follows the README with files that exist."""

import fnmatch
import re
from pathlib import Path

from dockerfile_parse import DockerfileParser

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT / "docs/docker/Dockerfile"
# https://docs.docker.com/reference/dockerfile/
INSTRUCTIONS = {"ADD", "ARG", "CMD", "COMMENT", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL",
                "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}


def instructions() -> list[dict]:
    with FILE.open("rb") as content:
        return DockerfileParser(fileobj=content).structure


def of(name: str) -> list[str]:
    return [one["value"] for one in instructions() if one["instruction"] == name]


def test_it_is_a_dockerfile():
    found = [one["instruction"] for one in instructions()]
    assert set(found) <= INSTRUCTIONS, set(found) - INSTRUCTIONS
    assert [name for name in found if name not in ("COMMENT", "ARG")][0] == "FROM"
    assert of("FROM") == ["${BASE}"] and len(of("ENTRYPOINT")) == 1
    assert re.fullmatch(r"BASE=nvidia/cuda:1[2-9]\.\d+\.\d+-cudnn-devel-ubuntu24\.04", of("ARG")[0]), of("ARG")
    for brackets in of("ENTRYPOINT") + of("CMD"):
        assert re.fullmatch(r'\["[^"]+"(, "[^"]+")*\]', brackets)


def test_what_it_copies_is_there_and_not_ignored():
    ignored = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for value in of("COPY"):
        *sources, _ = value.split()
        for source in sources:
            assert (PROJECT / source).exists(), source
            assert not any(fnmatch.fnmatch(source, pattern) for pattern in ignored), source
    for needed in ("opsched", "CMakeLists.txt", "analysis/opsched/paper.json", "results/h200/records.jsonl", "core/error.hpp"):
        assert (PROJECT / needed).exists() and not any(fnmatch.fnmatch(needed, pattern) for pattern in ignored), needed


def test_it_sets_up_as_the_readme_says():
    """Its commands are those of the README and of docs/, except for Ubuntu's packages."""
    pages = " ".join((PROJECT / page).read_text() for page in ("README.md", "docs/installing.md", "docs/python.md"))
    commands = [command.strip() for value in of("RUN") for command in value.split("&&")]
    assert "./opsched --help" in commands and "cmake --install build/release" in commands
    for command in commands:
        if command.split()[0] in ("apt-get", "rm") or command.startswith("python3 -m venv"):
            continue
        package = re.fullmatch(r'/opt/python/bin/pip install --no-cache-dir "./analysis\[\w+\]"', command)
        assert (("pip install ./analysis" if package else command) in pages), command
    options = dict(re.findall(r"-D(\w+)=(\w+)", " ".join(of("ENV"))))
    launcher, cmake = (PROJECT / "opsched").read_text(), (PROJECT / "CMakeLists.txt").read_text()
    assert options and "OPSCHED_CMAKE_ARGS" in launcher and "OPSCHED_PYTHON" in launcher
    assert all(re.search(rf"set\({name} ", cmake) for name in options)
