"""The section on kernels chosen by their effect on whole schedules (`opsched tune`)."""

from collections import Counter

from opsched.page import Marks, grouped, source, table, titled
from opsched.records import Record, Records

STYLES = ["spread0", "spread1", "late"]


def styles(records: Records, record: Record) -> list[str]:
    """How many kernels of a schedule run in each launch style."""
    count = Counter(kernel.rsplit("/", 1)[-1] for kernel in records.kernels.get(record.kernels, {}).values())
    return [str(count[style]) for style in STYLES]


def row(records: Records, marks: Marks, before: Record, after: Record | None) -> list[str]:
    tried = before.labels["tried"].replace("+", ", ")
    cells = [before.network, before.scheduler, str(before.batch), before.precision, tried, marks.cell(before, digits=4)]
    changes = [f"{before.numbers['comparisons']:.0f}", f"{before.numbers['changed']:.0f}"]
    if after is None:
        return [*cells, "-", "-", *changes, *styles(records, before)]
    gain, noise = (100 * ms / before.value for ms in (before.value - after.value, before.numbers["noise_ms"]))
    undone = " (undone)" if "outcome" in after.texts else ""
    return [*cells, marks.cell(after, before, digits=4), f"{gain:.1f}% +-{noise:.1f}{undone}", *changes, *styles(records, after)]


def section(records: Records, marks: Marks) -> str:
    found = records.select(study="tune")
    rows = []
    for pair in grouped(found, lambda r: (r.case(), r.labels["tried"])).values():
        by = {r.labels["kernels"]: r for r in pair}
        before, after = by.get("before"), by.get("after")
        if before is None:
            continue
        # If a later run changed nothing, the record of an earlier change stands, but does not belong to it.
        rows.append(row(records, marks, before, after if after and after.run == before.run else None))
    text = "`opsched tune`: schedules with the kernels at the start and at the end of the command, in ms, measured in "
    text += "alternation.\nThe last columns count the kernels of the final schedule in each launch style.\n\n"
    return titled("Kernels chosen by whole schedules", text + source(found, records.runs), table(
        ["network", "scheduler", "batch", "precision", "tried", "before", "after", "gain", "comparisons", "changed", *STYLES],
        rows) if rows else "")
