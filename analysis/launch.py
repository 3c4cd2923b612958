"""The section on choices of a CUDA graph one at a time (`opsched launch`)."""

from page import Marks, distinct, source, table
from records import Record, Records


def section(records: Records, marks: Marks) -> str:
    found = records.select(study="launch")
    if not found:
        return ""
    graphs: dict[tuple, dict[tuple[str, str], Record]] = {}
    for r in found:
        graphs.setdefault((r.network, r.precision, r.batch), {})[r.labels["choice"], r.labels["variant"]] = r
    rows = []
    for variant in distinct((r.labels["choice"], r.labels["variant"]) for r in found):
        cells = list(variant)
        for variants in graphs.values():
            base, row = next(iter(variants.values())), variants.get(variant)
            cells.append("-" if row is None else marks.cell(row, digits=4) if row is base else
                         f"{100 * (row.value / base.value - 1):+.1f}%{marks.behind(row, base)}")
        rows.append(cells)
    text = "\n## Choices of the graph, one at a time\n\n"
    text += "`opsched launch`: plain dataflow (its latency in ms), and what it takes with one choice made otherwise; all "
    text += "variants in turn,\nthe median of the rounds.\n\n" + source(found, records.runs)
    head = ["choice", "variant", *(f"{network}, {precision}, batch {batch}" for network, precision, batch in graphs)]
    return text + table(head, rows)
