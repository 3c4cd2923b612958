"""The sections on measurement protocols (`--measure`) and on the spread between processes (`opsched repeat`)."""

from statistics import fmean

from opsched.page import Marks, distinct, grouped, name_of, source, table, titled
from opsched.records import Record, Records

ORDER = ["replays", "lone", "cold", "rotating", "in-flight", "energy"]


def protocol_of(record: Record) -> tuple[int, str]:
    """The protocol, in the order of the columns."""
    protocol = record.labels["protocol"]
    return ORDER.index(protocol), f"{protocol} {record.labels.get('in_flight', '')}".strip()


def who(record: Record) -> str:
    """The schedule, or other software; ours next to other software is measured before and after it."""
    return name_of(record) + (f", next to {record.labels['beside']}" if "beside" in record.labels else "")


def cell(found: list[Record], marks: Marks) -> str:
    """The median, or the mean of the medians before and after other software. Of many replays also the tail."""
    known = [r for r in found if r.value is not None]
    if not known:
        return "-"
    signs = "".join(distinct(marks.behind(r) for r in known))
    text = f"{fmean(r.value for r in known):.4g}{signs}"
    return f"{text}, {known[0].spread.p99:.4g}, {known[0].spread.max:.4g}" if known[0].labels["protocol"] == "replays" else text


def protocols(records: Records, marks: Marks) -> str:
    found = records.select(quantity="protocol")
    columns = sorted({protocol_of(r) for r in found})
    rows = []
    for case, there in grouped(found, lambda r: (r.network, r.precision, r.batch, who(r))).items():
        by = grouped(there, protocol_of)
        rows.append([*map(str, case), *(cell(by.get(column, []), marks) for column in columns)])
    names = [f"{name}, mJ" if name == "energy" else f"{name}: p50, p99, maximum" if name == "replays" else name
             for _, name in columns]
    text = "Latencies of a run by other protocols than bursts, in ms, and its energy in mJ (`--measure`, [which to quote](../../docs/"
    text += "measuring.md#which-latency-to-quote)).\nAll are medians. Of several runs in flight, it is the time divided by "
    text += "their number.\n\n"
    return titled("Other measurement protocols", text + source(found, records.runs), table(
        ["network", "precision", "batch", "measured", *names], rows) if rows else "")


def processes(records: Records) -> str:
    found = records.select(quantity="process_latency")
    rows = [[r.network, r.scheduler, r.precision, str(r.batch), f"{r.spread.runs}", f"{r.value:.4f}", f"{r.spread.min:.4f}",
             f"{r.spread.max:.4f}", f"{100 * (r.spread.max / r.spread.min - 1):.2f}%"] for r in found if r.value is not None]
    text = "`opsched repeat`: latencies in ms of the same schedule in several processes, one after another on one GPU.\n\n"
    return titled("Spread between processes", text + source(found, records.runs), table(
        ["network", "scheduler", "precision", "batch", "processes", "median", "least", "largest", "spread"],
        rows) if rows else "")


def sections(records: Records, marks: Marks) -> str:
    return protocols(records, marks) + processes(records)
