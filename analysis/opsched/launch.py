"""The section on choices of a CUDA graph one at a time (`opsched launch`)."""

from opsched.page import Marks, distinct, grouped, source, table, titled
from opsched.records import Record, Records


def variant_of(record: Record) -> tuple[str, str]:
    return record.labels["choice"], record.labels["variant"]


def section(records: Records, marks: Marks) -> str:
    found = records.select(study="launch")
    graphs = {case: {variant_of(r): r for r in there}
              for case, there in grouped(found, lambda r: (r.network, r.precision, r.batch)).items()}
    rows = []
    for variant in distinct(map(variant_of, found)):
        cells = list(variant)
        for variants in graphs.values():
            base, row = next(iter(variants.values())), variants.get(variant)
            cells.append("-" if row is None else marks.cell(row, digits=4) if row is base else
                         f"{100 * (row.value / base.value - 1):+.1f}%{marks.behind(row, base)}")
        rows.append(cells)
    text = "`opsched launch`: plain dataflow (its latency in ms), and what it takes with one choice made otherwise; all "
    text += "variants in turn,\nthe median of the rounds.\n\n" + source(found, records.runs)
    head = ["choice", "variant", *(f"{network}, {precision}, batch {batch}" for network, precision, batch in graphs)]
    return titled("Choices of the graph, one at a time", text, table(head, rows) if rows else "")
