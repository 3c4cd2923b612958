"""Draws the figures of a folder that `opsched reproduce` filled, and writes their pages.

  python3 analysis/figures.py results/h200/figures             all: FIGURE.png, .svg, .csv, .md, README.md
  python3 analysis/figures.py results/h200/figures batches     one, and README.md
  python3 analysis/figures.py --check results/h200/figures     exits with 1 if the pages are not what the records say
"""

import argparse
import csv
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from opsched.page import put, write_whole
from opsched.plots import charts
from opsched.plots.figure import BadFigure, Comparison, Figure, load_index
from opsched.plots.page import index, page
from opsched.plots.paper import load_paper
from opsched.records import BadRecords

PAPER = load_paper()


def module_of(figure: str) -> ModuleType:
    """What draws and compares a figure: plots/FIGURE.py; all simulation studies share one."""
    return importlib.import_module("opsched.plots." + ("simulations" if figure.startswith("sim_") else figure))


def draw(folder: Path | str, name: str) -> Any:
    """A figure of a results folder, as a picture of matplotlib. Raises BadFigure for an unknown one, listing the known."""
    found = {figure.name: figure for figure in load_index(Path(folder) / "figures") if figure.rows}
    if name not in found:
        raise BadFigure(f"there is no figure '{name}'; known: {', '.join(found)}")
    return module_of(name).draw(found[name], PAPER)


def write_csv(file: Path, head: list[str], rows: list[list[Any]]) -> None:
    def write(path: Path) -> None:
        with path.open("w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows([head, *rows])

    write_whole(file, write)


def page_of(figure: Figure) -> tuple[str, Comparison | None]:
    comparison = module_of(figure.name).compare(figure, PAPER) if figure.rows else None
    paper = PAPER["hios" if figure.paper.startswith("HIOS") else "ios"]
    return page(figure, comparison, f"{paper['citation']} ({paper['setting']})"), comparison


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("figures", nargs="*", help="names (default: all that the folder holds)")
    parser.add_argument("--no-pictures", action="store_true", help="only pages and CSV: needs no matplotlib")
    parser.add_argument("--check", action="store_true", help="compare pages instead of writing")
    args = parser.parse_args()
    pictures = not (args.no_pictures or args.check)
    same = True
    try:
        figures = load_index(args.folder)
        if pictures and importlib.util.find_spec("matplotlib") is None:
            sys.exit("figures: matplotlib is missing; install it (Debian, Ubuntu: apt-get install python3-matplotlib), "
                     "or leave the pictures out with --no-pictures")
        for figure in figures:
            if args.figures and figure.name not in args.figures:
                continue
            text, comparison = page_of(figure)
            same &= put(args.folder / f"{figure.name}.md", text, args.check)
            if comparison is not None and not args.check:
                export = getattr(module_of(figure.name), "export", Figure.table)
                write_csv(args.folder / f"{figure.name}.csv", *export(figure))
            if comparison is not None and pictures:
                charts.save(module_of(figure.name).draw(figure, PAPER), args.folder, figure.name)
        same &= put(args.folder / "README.md", index(args.folder.resolve().parent.name, figures), args.check)
    except (BadFigure, BadRecords, OSError, ValueError) as error:
        sys.exit(f"figures: {error}")
    return 1 if args.check and not same else 0
