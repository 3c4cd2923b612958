"""Draws the figures of a folder made by `opsched reproduce`, and writes their pages.

  python3 analysis/figures.py results/h200/figures             all: FIGURE.png, .svg, .pdf, .csv, .md, README.md
  python3 analysis/figures.py results/h200/figures batches     one, and README.md
  python3 analysis/figures.py --redraw results/h200/figures    also pictures of unchanged numbers
  python3 analysis/figures.py --check results/h200/figures     exits with 1 if the pages do not match the records
"""

import argparse
import csv
import importlib
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from opsched.modules import need
from opsched.page import put
from opsched.plots import charts
from opsched.plots.figure import BadFigure, Comparison, Figure, Picture, load_index
from opsched.plots.page import index, page
from opsched.plots.paper import load_paper
from opsched.records import BadRecords

PAPER = load_paper()


def module_of(figure: str) -> ModuleType:
    """The functions that draw and compare a figure, from plots/FIGURE.py. All simulation studies share one module."""
    return importlib.import_module("opsched.plots." + ("simulations" if figure.startswith("sim_") else figure))


def picture_of(figure: Figure) -> Picture:
    picture = module_of(figure.name).draw(figure, PAPER)
    charts.caption(picture, figure.setting())
    return picture


def draw(folder: Path | str, name: str) -> Any:
    """Draws a figure of a results folder as a matplotlib picture. Raises BadFigure for an unknown name and lists the
    known ones."""
    found = {figure.name: figure for figure in load_index(Path(folder) / "figures") if figure.rows}
    if name not in found:
        raise BadFigure(f"there is no figure '{name}'; known: {', '.join(found)}")
    return picture_of(found[name])


def csv_text(head: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def page_of(figure: Figure) -> tuple[str, Comparison | None]:
    comparison = module_of(figure.name).compare(figure, PAPER) if figure.rows else None
    paper = PAPER["hios" if figure.paper.startswith("HIOS") else "ios"]
    return page(figure, comparison, f"{paper['citation']} ({paper['setting']})" if figure.paper else ""), comparison


def write_figure(figure: Figure, folder: Path, formats: list[str], redraw: bool) -> None:
    """Writes page, numbers and pictures. A picture whose numbers have not changed is kept unless `redraw`, because
    another version of matplotlib would draw other bytes."""
    text, comparison = page_of(figure)
    same = put(folder / f"{figure.name}.md", text, False)
    if comparison is None:
        return
    export = getattr(module_of(figure.name), "export", Figure.table)
    same &= put(folder / f"{figure.name}.csv", csv_text(*export(figure)), False)
    wanted = [f for f in formats if redraw or not same or not (folder / f"{figure.name}.{f}").exists()]
    if wanted:
        charts.save(picture_of(figure), folder, figure.name, wanted)


def formats_of(text: str) -> list[str]:
    chosen = [word for word in text.split(",") if word]
    if unknown := [word for word in chosen if word not in charts.FORMATS]:
        raise argparse.ArgumentTypeError(f"there is no format '{unknown[0]}'; there are: {', '.join(charts.FORMATS)}")
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("figures", nargs="*", help="names (default: all in the folder)")
    parser.add_argument("--formats", type=formats_of, default=list(charts.FORMATS), metavar="A,B",
                        help=f"formats of the pictures (default: {','.join(charts.FORMATS)})")
    parser.add_argument("--redraw", action="store_true", help="also draw pictures of unchanged numbers")
    parser.add_argument("--no-pictures", action="store_true", help="only write pages and CSV, without matplotlib")
    parser.add_argument("--check", action="store_true", help="compare pages instead of writing")
    args = parser.parse_args()
    formats = [] if args.no_pictures else args.formats
    same = True
    try:
        figures = load_index(args.folder)
        if formats and not args.check:
            need("matplotlib", otherwise="; or leave the pictures out with --no-pictures")
        for figure in figures:
            if args.figures and figure.name not in args.figures:
                continue
            if args.check:
                same &= put(args.folder / f"{figure.name}.md", page_of(figure)[0], True)
            else:
                write_figure(figure, args.folder, formats, args.redraw)
        same &= put(args.folder / "README.md", index(args.folder.resolve().parent.name, figures), args.check)
    except (BadFigure, BadRecords, OSError, ValueError) as error:
        sys.exit(f"figures: {error}")
    return 1 if args.check and not same else 0
