"""The section on what a device allows at best, from floors.json (`opsched floors`)."""

import json
from pathlib import Path

from results import table

LIMITS = {"critical_path_ms": "critical path", "arithmetic_ms": "arithmetic", "memory_ms": "memory"}


def section(folder: Path) -> str:
    file = folder / "floors.json"
    if not file.exists():
        return ""
    data = json.loads(file.read_text())
    rows = []
    for r in data["rows"]:
        largest = max(LIMITS, key=lambda key: r[key])
        cells = [r["network"], r["precision"], str(r["batch"]), f"{r['ms']:.3f} ({r['scheduler']})"]
        cells += [f"{r[key]:.3f}" for key in LIMITS]
        cells.append(f"{r['ms'] / r[largest]:.2f}x the {LIMITS[largest]}")
        parts = [r.get(key) for key in ("idle_ms", "small_ms", "full_ms")]
        cells.append(str(r.get("kernels", "-")))
        cells += [f"{100 * p / sum(parts):.0f}%" if p is not None else "-" for p in parts]
        rows.append(cells)
    limits = "; ".join(f"{p}: {l['macs_per_ms'] / 1e9:.1f} T multiply-accumulates and {l['bytes_per_ms'] / 1e9:.2f} TB a second"
                       for p, l in data["limits"].items())
    text = "\n## How far from the floor\n\n"
    text += "`opsched floors`: no schedule of these kernels is shorter than the longest chain of their solo latencies "
    text += "(critical path);\nno kernels at all make the network shorter than its multiply-accumulates (arithmetic), or its "
    text += "weights, inputs and outputs\nread or written once (memory), at what the device reached on one large convolution "
    text += f"and one large sum ({limits}).\nOf one traced run: the part in which no kernel ran (idle: launches and "
    text += "dependences), in which those that ran had fewer\nblocks than there are multiprocessors (small grids), and the "
    text += f"rest (full: kernels share the device, or are slower than the floor assumes).\n\nSource: {data['origin']}.\n\n"
    head = ["network", "precision", "batch", "latency, ms", *LIMITS.values(), "distance", "kernels", "idle", "small grids",
            "full"]
    return text + table(head, rows)
