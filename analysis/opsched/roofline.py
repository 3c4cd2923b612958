"""The section on roofline limits of a device (`opsched roofline`)."""

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
    text = "`opsched roofline` computes three lower limits:\n\n"
    text += "* critical path: the longest chain of solo latencies. No schedule of these kernels can be faster.\n"
    text += "* arithmetic and memory: the multiply-accumulates of the network, and reading its weights and inputs and writing its "
    text += f"outputs once,\n  at the rates measured on one large convolution and one large sum ({limits}). No kernels can be "
    text += "faster.\n\n"
    text += "The last columns divide one traced run: no kernel running (idle: launches and dependences), only kernels with fewer "
    text += "blocks than there are\nmultiprocessors (small grids), and the rest (full: kernels share the device, or are slower than "
    text += "the roofline assumes).\n\n" + source(found, records.runs)
    head = ["network", "precision", "batch", "latency, ms", *(f"{name}, ms" for name in LIMITS.values()), "above the limit",
            "kernels", "idle", "small grids", "full"]
    return titled("Distance to the roofline", text, table(head, rows) if rows else "")
