#!/usr/bin/env python3
"""Each class name occurs only once per namespace: two definitions in one program are undefined behaviour that no
compiler reports.

Relies on clang-format: whatever begins at the start of a line is at namespace scope. Classes in anonymous namespaces
are local to their file. Usage: one_definition_test.py ROOT
"""

import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOMS = ("core", "schedulers", "networks", "experiments")
OPENS = re.compile(r"^namespace\s*([\w:]*)\s*\{")
CLOSES = re.compile(r"^\}\s*// namespace")
DEFINES = re.compile(r"^(?:class|struct|union|enum class|enum) (\w+)(?!\w|::| ?<)[^;(]*(?:\{|$)")


def definitions(file: Path) -> set[str]:
    found, spaces = set(), []
    for line in file.read_text(errors="replace").splitlines():
        if match := OPENS.match(line):
            spaces.append(match[1])
        elif CLOSES.match(line):
            spaces.pop()
        elif (match := DEFINES.match(line)) and "" not in spaces:
            found.add("::".join([*spaces, match[1]]))
    return found


def clashes(root: Path) -> dict[str, list[str]]:
    places = defaultdict(list)
    for room in ROOMS:
        for file in sorted((root / room).rglob("*")):
            if file.suffix in (".hpp", ".cpp", ".cuh", ".cu"):
                for name in definitions(file):
                    places[name].append(str(file.relative_to(root)))
    return {name: files for name, files in places.items() if len(files) > 1}


def finds_a_planted_clash() -> bool:
    text = "namespace opsched {\n%s\nstruct Twice {\n  int a;\n};\n%s\n}  // namespace opsched\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "core").mkdir()
        (Path(folder) / "core/a.hpp").write_text(text % ("", ""))
        (Path(folder) / "core/b.cpp").write_text(text % ("", ""))
        (Path(folder) / "core/c.cpp").write_text(text % ("namespace {", "}  // namespace"))
        return clashes(Path(folder)) == {"opsched::Twice": ["core/a.hpp", "core/b.cpp"]}


def main() -> int:
    if not finds_a_planted_clash():
        sys.exit("a planted clash is not found")
    found = clashes(Path(sys.argv[1]))
    for name, files in sorted(found.items()):
        print(f"{name} is defined in {', '.join(files)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
