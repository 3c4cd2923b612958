"""The sections on measurement protocols (`--measure`) and on the spread between processes (`opsched repeat`)."""

from statistics import fmean

from opsched.page import Marks, distinct, grouped, name_of, source, table, titled
from opsched.records import Record, Records
from opsched.several_gpus import size_of

HEAD = ["network", "precision", "batch", "image", "GPUs"]


def case_of(record: Record) -> list[str]:
    return [record.network, record.precision, str(record.batch), size_of(record), str(record.gpus)]


def column_of(record: Record) -> str:
    """The protocol as the head of its column."""
    name = " ".join([record.labels["protocol"], *([record.labels["in_flight"]] if "in_flight" in record.labels else [])])
    return f"{name}, {record.unit}" + (": p50, p99, maximum" if name == "replays" else "")


def who(record: Record) -> str:
    """The schedule, or other software; ours next to other software is measured before and after it."""
    return name_of(record) + (f", next to {record.labels['beside']}" if "beside" in record.labels else "")


def cell(found: list[Record], marks: Marks) -> str:
    """The median, or the mean of the medians before and after other software. Of many replays also the tail."""
    if not found:
        return "-"
    numbers = [fmean(r.value for r in found)]
    if found[0].labels["protocol"] == "replays":
        numbers += [max(r.spread.p99 for r in found), max(r.spread.max for r in found)]
    return ", ".join(f"{n:.4g}" for n in numbers) + "".join(distinct(marks.behind(r) for r in found))


def protocols(records: Records, marks: Marks) -> str:
    found = records.select(quantity="protocol")
    columns = distinct(map(column_of, found))
    rows = []
    for case, there in grouped(found, lambda r: (*case_of(r), who(r))).items():
        by = grouped(there, column_of)
        rows.append([*case, *(cell(by.get(column, []), marks) for column in columns)])
    text = "Latencies of a run by other protocols than bursts, and its energy (`--measure`, [which to quote](../../docs/measuring.md"
    text += "#which-latency-to-quote)).\nAll are medians. For several runs in flight: the time divided by their number.\n\n"
    return titled("Other measurement protocols", text + source(found, records.runs),
                  table([*HEAD, "measured", *columns], rows) if rows else "")


def processes(records: Records) -> str:
    found = records.select(quantity="process_latency")
    rows = [[*case_of(r), name_of(r), f"{r.spread.runs}", f"{r.value:.4f}", f"{r.spread.min:.4f}",
             f"{r.spread.max:.4f}", f"{100 * (r.spread.max / r.spread.min - 1):.2f}%"] for r in found]
    text = "`opsched repeat`: latencies in ms of the same schedule in several processes, one after another on one GPU.\n\n"
    return titled("Spread between processes", text + source(found, records.runs), table(
        [*HEAD, "scheduler", "processes", "median", "least", "largest", "spread"], rows) if rows else "")


def sections(records: Records, marks: Marks) -> str:
    return protocols(records, marks) + processes(records)
