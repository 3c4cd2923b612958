"""Splits a long page of a results folder into an index and one page per subject."""

import re

LONG = 3000  # words: a longer page is split
SHORT = 600  # words: a section up to this size stays in the index


def words(text: str) -> int:
    return len(text.split())


def file_of(title: str) -> str:
    """"Search time, batch 1" becomes search_time_batch_1.md."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") + ".md"


def first_sentence(text: str) -> str:
    """Without what is in brackets, and without links."""
    line = " ".join(text.strip().split("\n\n")[0].splitlines())
    plain = re.sub(r" \([^)]*\)", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line))
    return re.split(r"(?<=[.:]) ", plain)[0].rstrip(":.").replace("|", "/")


def page_of(folder: str, title: str, legend: str, body: str) -> str:
    """Makes a page of a section; the section's parts become sections of the page."""
    return f"# {folder}: {title[0].lower() + title[1:]}\n\n[All pages of {folder}](README.md)\n{legend}\n" + \
        re.sub(r"(?m)^###", "##", body).lstrip("\n")


def by_subject(folder: str, head: str, legend: str, sections: str, end: str) -> dict[str, str]:
    """Files by name. `head`, `legend` and `end` are the text before and after the sections, each of which begins with
    "## ". If a section has parts, the text before them stays in the index if it has a table."""
    whole = head + legend + sections + end
    if words(whole) <= LONG:
        return {"README.md": whole}
    kept = ""
    pages: dict[str, str] = {}
    rows: list[str] = []
    for section in re.split(r"(?m)^(?=## )", sections.lstrip("\n")):
        if not section:
            continue
        title, body = section.removeprefix("## ").split("\n", 1)
        intro, parts, rest = body.partition("\n### ")
        if words(section) <= SHORT:
            kept += "\n" + section.rstrip("\n") + "\n"
            continue
        name = file_of(title)
        if parts and "\n| " in intro:
            kept += f"\n## {title}\n{intro.rstrip()}\n\nIn detail: [{title[0].lower() + title[1:]}]({name}).\n"
            body = parts + rest
        pages[name] = page_of(folder, title, legend, body)
        rows.append(f"| [{title}]({name}) | {first_sentence(intro)} |")
    index = "\n## Pages\n\n| page | contents |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    return {"README.md": head + (legend if kept else "") + index + kept + end, **pages}
