"""Every program of analysis/ without the Python modules that it needs: one line says what is missing and what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
H200 = PROJECT / "results/h200"
sys.path.insert(0, str(PROJECT / "analysis"))

from opsched import modules  # noqa: E402
from opsched.page import run  # noqa: E402

# Arguments and the module that is missing; "" if the standard library is enough.
CALLS = {
    "figures.py": [([H200 / "figures"], "matplotlib"), (["--redraw", H200 / "figures", "batches"], "matplotlib"),
                   (["--check", H200 / "figures"], "")],
    "readme.py": [([], "matplotlib"), (["--check"], "")],
    "report.py": [([H200], "plotly")],
    "tables.py": [(["--check", H200], "")],
}


def without_modules(program: str, arguments: list, helper: Path) -> subprocess.CompletedProcess[str]:
    """-S: no module from outside the standard library. `helper` stands for a Python that has them all."""
    return subprocess.run([sys.executable, "-S", "-B", PROJECT / "analysis" / program, *arguments], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "OPSCHED_PYTHON": str(helper)})


@pytest.fixture
def helper(tmp_path) -> Path:
    script = tmp_path / "python-with-all"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    return script


def test_every_program_is_here():
    assert sorted(file.name for file in (PROJECT / "analysis").glob("*.py")) == sorted(CALLS)


@pytest.mark.parametrize(("program", "arguments", "module"), [(p, *call) for p, calls in CALLS.items() for call in calls])
def test_says_what_is_missing_and_what_to_do(program, arguments, module, helper, tmp_path):
    done = without_modules(program, arguments + ["-o", tmp_path / "page.html"] * (program == "report.py"), helper)
    if not module:
        assert done.returncode == 0, done.stdout + done.stderr
        return
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(f"{Path(program).stem}: {sys.executable} has no module {module}; run "), done.stderr
    assert f"{program} with {helper}" in done.stderr


def test_help_needs_no_module(helper):
    for program in CALLS:
        done = without_modules(program, ["--help"], helper)
        assert done.returncode == 0 and done.stdout.startswith("usage: "), done.stderr


def test_says_how_to_install_if_no_python_has_it(monkeypatch, capsys):
    monkeypatch.setattr(modules, "pythons", lambda: ["/nowhere/python3", "/bin/false"])
    with pytest.raises(SystemExit) as exit:
        modules.need("json", "no_such_module", otherwise="; or do without")
    said = capsys.readouterr().err
    assert exit.value.code == 2 and said.count("\n") == 1
    assert "no module no_such_module; install it: " in said
    assert f"-m pip install '{PROJECT / 'analysis'}[report]'; or do without" in said


def test_a_module_that_is_missed_later_is_said_too_unless_it_is_ours(monkeypatch, capsys):
    def missing(name: str):
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    with pytest.raises(SystemExit) as exit:
        run(lambda: missing("numpy.linalg"))
    assert exit.value.code == 2 and "no module numpy.linalg; " in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        run(lambda: missing("opsched.plots.none"))
