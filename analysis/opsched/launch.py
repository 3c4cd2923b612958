"""The section on the separate effect of each choice in a CUDA graph (`opsched launch`)."""

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
    text = "`opsched launch`: the latency of plain dataflow in ms, and the change when one choice is made differently. Variants "
    text += "are measured\nin alternation; numbers are medians over rounds.\n\n" + source(found, records.runs)
    head = ["choice", "variant", *(f"{network}, {precision}, batch {batch}" for network, precision, batch in graphs)]
    return titled("Effect of single choices in the graph", text, table(head, rows) if rows else "")
