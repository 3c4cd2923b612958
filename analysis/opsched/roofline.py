"""The section on what a device allows at best (`opsched roofline`)."""

from opsched.page import Marks, distinct, number, source, table, titled
from opsched.records import Records

LIMITS = {"critical_path_ms": "critical path", "arithmetic_ms": "arithmetic", "memory_ms": "memory"}


def section(records: Records, marks: Marks) -> str:
    found = records.select(quantity="roofline")
    rows = []
    for r in found:
        n = r.numbers
        largest = max(LIMITS, key=lambda key: n[key])
        parts = [n[key] for key in ("idle_ms", "small_ms", "full_ms") if key in n]
        rows.append([r.network, r.precision, str(r.batch), f"{marks.cell(r, digits=3)} ({r.scheduler})",
                     *(f"{n[key]:.3f}" for key in LIMITS), f"{r.value / n[largest]:.2f}x the {LIMITS[largest]}",
                     number(r, "kernels", ".0f"),
                     *([f"{100 * p / sum(parts):.0f}%" for p in parts] or ["-"] * 3)])
    limits = "; ".join(distinct(
        f"{r.precision}: {r.numbers['macs_per_ms'] / 1e9:.1f} T multiply-accumulates and "
        f"{r.numbers['bytes_per_ms'] / 1e9:.2f} TB a second" for r in found))
    text = "`opsched roofline`: no schedule of these kernels is shorter than the longest chain of their solo latencies "
    text += "(critical path);\nno kernels at all make the network shorter than its multiply-accumulates (arithmetic), or its "
    text += "weights, inputs and outputs\nread or written once (memory), at what the device reached on one large convolution "
    text += f"and one large sum ({limits}).\nOf one traced run: the part in which no kernel ran (idle: launches and "
    text += "dependences), in which those that ran had fewer\nblocks than there are multiprocessors (small grids), and the "
    text += "rest (full: kernels share the device, or are slower than the roofline assumes).\n\n" + source(found, records.runs)
    head = ["network", "precision", "batch", "latency, ms", *(f"{name}, ms" for name in LIMITS.values()), "distance",
            "kernels", "idle", "small grids", "full"]
    return titled("How far from the roofline", text, table(head, rows) if rows else "")
