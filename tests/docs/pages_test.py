"""The pages: every link leads somewhere, every page can be reached from the index, and the site's page of headers lists
all."""

import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "docs/site"), str(PROJECT / "analysis")]

from opsched.records import Records  # noqa: E402
from opsched.simulator import of_last_fit  # noqa: E402
from pages import anchors, links, public_headers, reached, sections  # noqa: E402

INDEX = PROJECT / "docs/README.md"
REACHED = reached(PROJECT / "README.md", INDEX)


def test_every_page_is_reached_from_the_index():
    pages = {*(PROJECT / "docs").rglob("*.md"), *(PROJECT / "results").rglob("*.md"), *PROJECT.glob("*.md")}
    pages -= {page for page in pages if page.name == "NOTES.md"}  # quoted on the page next to it
    assert len(pages) > 60
    assert not {str(page.relative_to(PROJECT)) for page in pages - set(REACHED)}


def test_the_index_has_a_line_for_every_page_of_docs_and_every_folder_of_results():
    named = {page for entries in sections(INDEX).values() for _, page in entries}
    assert not {*(PROJECT / "docs").glob("*.md"), *(PROJECT / "results").glob("*/README.md")} - named - {INDEX}


def test_every_schema_is_described():
    assert {*(PROJECT / "docs").glob("*.schema.json")} <= {file for file, _ in links(PROJECT / "docs/file_formats.md")}


@pytest.mark.parametrize("page", [file for file in REACHED if file.suffix == ".md"], ids=lambda p: str(p.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    for file, anchor in links(page):
        assert file.is_file(), f"{file} is not there"
        assert not anchor or anchor in anchors(file), f"{file} has no heading #{anchor}"


def test_links_are_found_where_markdown_has_some(tmp_path):
    """Links in code do not count."""
    page = tmp_path / "page.md"
    page.write_text("[a](a.md#b-c) ![p](p.png) `[no](no.md)`\n<img src=\"i.svg\">\n```\n[no](no.md)\n```\n"
                    "# B [c](x.md): `d_e`!\n[w](https://w.org) [here](#b-c-d_e)\n")
    assert [(file.name, anchor) for file, anchor in links(page)] == [
        ("a.md", "b-c"), ("p.png", ""), ("i.svg", ""), ("x.md", ""), ("page.md", "b-c-d_e")]
    assert anchors(page) == {"b-c-d_e"}


def simulator_errors(folder: str, group: str, key: str = "", **what: object) -> dict[str, list[float]]:
    """Errors of the last fit in percent by precision: the number `key`, or medians."""
    found: dict[str, list[float]] = {}
    for r in of_last_fit(Records.read(PROJECT / "results" / folder)):
        if r.is_like(group=group, **what):
            found.setdefault(r.precision, []).append(100 * (r.numbers[key] if key else r.value))
    return found


@pytest.mark.parametrize(("page", "text", "errors"), [
    ("hios", "within {fp32:.1f}% of the measurement in fp32 and {tf32:.1f}% in tf32", ("h200-x4", "whole", "p90", 4)),
    ("simulator", "it is {fp32:.1f}% in fp32, {tf32:.1f}% in tf32 and {fp16:.1f}% in fp16", ("h200-x4-split", "split", "", 4)),
    ("simulator", "a median of at most {all:.1f}% for each network", ("public-networks", "other_networks", "", 1)),
    ("split", "error of {fp32:.1f}% in fp32, {tf32:.1f}% in tf32 and {fp16:.1f}% in fp16", ("h200-x2-split-randwire", "split", "", 2)),
])
def test_accuracies_of_the_simulator_are_those_of_the_records(page, text, errors):
    *where, gpus = errors
    worst = {precision: max(values) for precision, values in simulator_errors(*where, gpus=gpus).items()}
    assert text.format(**worst, all=max(worst.values())) in (PROJECT / f"docs/{page}.md").read_text()


def test_every_installed_header_says_what_it_is_for():
    headers = [entry for entries in public_headers(PROJECT).values() for entry in entries]
    assert len(headers) > 100
    assert not [str(path) for path, text in headers if len(text) < 15]


def test_the_pages_name_the_current_version_of_the_kernels():
    header = (PROJECT / "core/runtime/cuda/library/tuning_cache.hpp").read_text()
    version = re.search(r"kKernelsVersion = (\d+)", header)[1]
    assert f"The current version is {version}." in (PROJECT / "docs/records.md").read_text()
