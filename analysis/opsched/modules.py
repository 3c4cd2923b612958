"""Python modules from outside the project: what to do if one is missing."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

WRONG_INPUT = 2  # exit code
SOURCE = Path(__file__).resolve().parents[2]
FOUND = "import sys, importlib.util as u; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))"


def pythons() -> list[str]:
    """The interpreters that may have the modules: $OPSCHED_PYTHON, Debian's, and those that `./opsched` made."""
    built = sorted(map(str, SOURCE.glob("build/*/python/bin/python3")))
    return [python for python in [os.environ.get("OPSCHED_PYTHON", ""), "/usr/bin/python3", *built] if python]


def has(python: str, modules: Sequence[str]) -> bool:
    try:
        return subprocess.run([python, "-c", FOUND, *modules], capture_output=True).returncode == 0
    except OSError:  # no such interpreter
        return False


def stop_without(modules: Sequence[str], missing: str, otherwise: str = "") -> NoReturn:
    """Says in one line which module is missing and what to do, and exits."""
    program = Path(sys.argv[0])
    python = next((python for python in pythons() if has(python, modules)), None)
    todo = (f"run {program} with {python}, which has {'it' if len(modules) == 1 else 'all that is needed'}" if python
            else f"install it: {sys.executable} -m pip install '{SOURCE / 'analysis'}[report]'")
    print(f"{program.stem}: {sys.executable} has no module {missing}; {todo}{otherwise}", file=sys.stderr)
    sys.exit(WRONG_INPUT)


def need(*modules: str, otherwise: str = "") -> None:
    """Exits unless this Python has these modules, before anything is written. `otherwise`: how to do without."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            stop_without(modules, module, otherwise)
