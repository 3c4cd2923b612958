#!/usr/bin/env python3
"""Draws the figures of a folder that `opsched reproduce` filled, and writes their pages.

  python3 analysis/figures.py results/h200/figures             all: FIGURE.png, FIGURE.svg, FIGURE.md, README.md
  python3 analysis/figures.py results/h200/figures batches     one, and README.md
  python3 analysis/figures.py --check results/h200/figures     exits with 1 if the pages are not what the data say
"""

import argparse
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

from plots.data import BadData, Data, load
from plots.page import Comparison, index, page
from plots.paper import load_paper
from results import STOPPED, write_whole

PAPER = load_paper()


def module_of(figure: str) -> ModuleType:
    """What draws and compares a figure: plots/FIGURE.py; all simulation studies share one."""
    return importlib.import_module("plots.sim" if figure.startswith("sim_") else f"plots.{figure}")


def page_of(data: Data) -> tuple[str, Comparison | None]:
    module = module_of(data.figure)
    comparison = module.compare(data, PAPER) if data.rows else None
    paper = PAPER["hios" if data.paper.startswith("HIOS") else "ios"]
    return page(data, comparison, f"{paper['citation']} ({paper['setting']})"), comparison


def draw(data: Data, folder: Path) -> None:
    from plots import style  # imports matplotlib

    style.save(module_of(data.figure).draw(data, PAPER), folder, data.figure)


def write(file: Path, text: str, check: bool) -> bool:
    """Writes the page, or checks it; was it what the data say?"""
    same = file.exists() and file.read_text() == text
    if not same and not check:
        write_whole(file, lambda path: path.write_text(text))
    if not same and check:
        print(f"{file} is not what the data say; run analysis/figures.py {file.parent}")
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("figures", nargs="*", help="names (default: all that the folder holds)")
    parser.add_argument("--no-pictures", action="store_true", help="only pages: needs no matplotlib")
    parser.add_argument("--check", action="store_true", help="compare pages instead of writing")
    args = parser.parse_args()
    pictures = not (args.no_pictures or args.check)
    same = True
    try:
        known = [e["name"] for e in json.loads((args.folder / "index.json").read_text())["figures"]]
        if pictures and importlib.util.find_spec("matplotlib") is None:
            sys.exit("figures: matplotlib is missing; install it (Debian, Ubuntu: apt-get install python3-matplotlib), "
                     "or leave the pictures out with --no-pictures")
        for name in args.figures or [n for n in known if (args.folder / f"{n}.json").exists()]:
            data = load(args.folder / f"{name}.json")
            text, comparison = page_of(data)
            same &= write(args.folder / f"{name}.md", text, args.check)
            if pictures and comparison is not None:
                draw(data, args.folder)
        same &= write(args.folder / "README.md", index(args.folder), args.check)
    except (BadData, OSError, ValueError) as error:
        sys.exit(f"figures: {error}")
    return 1 if args.check and not same else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(STOPPED)
