#!/usr/bin/env python3
"""Builds the documentation as a site: docs/site/build.py [FOLDER], by default build/site. Needs mkdocs-material.

The pages are those that links reach from docs/README.md, which is also the navigation, and one of the public headers. They
are copied with all that they link to, for MkDocs wants them in one folder.
"""

import logging
import shutil
import sys
from pathlib import Path

from pages import public_headers, reached, sections

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"
HEADERS = "docs/public_headers.md"


def headers_page() -> str:
    """All of them, by folder."""
    lines = ["# Public headers", "", "What `cmake --install` installs and `find_package(opsched)` finds. "
             "[Serving](serving.md) shows a program that uses them: `#include \"core/graph/graph.hpp\"`."]
    for folder, headers in public_headers(ROOT).items():
        lines += ["", f"## {folder}", "", "| header | what is in it |", "| --- | --- |"]
        lines += [f"| `{path.name}` | {text.replace('|', chr(92) + '|').replace('<', '&lt;')} |" for path, text in headers]
    return "\n".join(lines) + "\n"


def gather(pages: Path) -> None:
    """Copies them to a folder of their own, in place of what is there."""
    shutil.rmtree(pages, ignore_errors=True)
    for file in reached(ROOT / "README.md", INDEX):
        to = pages / file.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    (pages / HEADERS).write_text(headers_page())


def navigation() -> list[dict]:
    parts = [{heading: [{title: str(page.relative_to(ROOT))} for title, page in entries]}
             for heading, entries in sections(INDEX).items()]
    return [{"opsched": "README.md"}, {"All pages": "docs/README.md"}, *parts, {"Public headers": HEADERS}]


def main() -> None:
    try:
        from mkdocs.commands.build import build
        from mkdocs.config import load_config
        from mkdocs.exceptions import Abort
    except ModuleNotFoundError:
        sys.exit("no MkDocs in this Python; pip install mkdocs-material")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site").resolve()
    gather(out / "pages")
    config = load_config(str(Path(__file__).parent / "mkdocs.yml"), docs_dir=str(out / "pages"), site_dir=str(out / "html"),
                         nav=navigation(), strict=True)
    try:
        build(config)
    except Abort as stopped:  # a link that leads nowhere: the lines above say which
        sys.exit(str(stopped))
    print(f"{out / 'html' / 'index.html'}")


main()
