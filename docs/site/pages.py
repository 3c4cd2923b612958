"""Pages of the documentation and the links between them."""

from __future__ import annotations

import re
from pathlib import Path

FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2`*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)  # code, in which nothing is a link
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def links(page: Path) -> list[tuple[Path, str]]:
    """File and anchor (or "") of each link of a page to a file of this project."""
    found = []
    for groups in LINK.findall(FENCE.sub("", page.read_text())):
        target = next(filter(None, groups))
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        found.append(((page.parent / path).resolve() if path else page.resolve(), anchor))
    return found


def reached(*pages: Path) -> list[Path]:
    """These pages and every file to which links lead from them, page by page."""
    found, todo = {}, [page.resolve() for page in pages]
    while todo:
        file = todo.pop(0)
        if file in found:
            continue
        found[file] = True
        if file.suffix == ".md" and file.is_file():
            todo += [target for target, _ in links(file)]
    return list(found)


def anchors(page: Path) -> set[str]:
    """What links to a part of the page may name, as GitHub makes it of its headings."""
    text = re.sub(r"^( *)(`{3,}).*?^\1\2`*$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line) for line in re.findall(r"^#+ +(.*)$", text, re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sections(index: Path) -> dict[str, list[tuple[str, Path]]]:
    """Of an index page: the title and page of every link to a page, by the section in which it stands."""
    parts: dict[str, list[tuple[str, Path]]] = {}
    for part in re.split(r"^## ", index.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, rest = part.partition("\n")
        pairs = re.findall(r"\[([^\]]+)\]\(([^)\s#]+\.md)\)", rest)
        if pairs:
            parts[heading.strip()] = [(title, (index.parent / path).resolve()) for title, path in pairs]
    return parts


def purpose(header: Path) -> str:
    """The comment at its top; without one, the first that documents something in it."""
    text = header.read_text()
    found = re.match(r"(?://.*\n)+", text) or re.search(r"(?:^ *///.*\n)+", text, re.MULTILINE)
    return " ".join(re.sub(r"^ */+ ?", "", line) for line in found[0].splitlines()) if found else ""


def public_headers(root: Path) -> dict[str, list[tuple[Path, str]]]:
    """Installed headers by folder, each with what it is for."""
    folders: dict[str, list[tuple[Path, str]]] = {}
    for room in ("core", "schedulers", "networks"):
        for header in sorted((root / room).rglob("*.hpp")):
            path = header.relative_to(root)
            folders.setdefault(str(path.parent), []).append((path, purpose(header)))
    return folders
