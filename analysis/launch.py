"""The section on choices of a CUDA graph one at a time, from launch-*.json (`opsched launch`)."""

import json
from pathlib import Path

from results import table


def section(folder: Path) -> str:
    files = [json.loads(file.read_text()) for file in sorted(folder.glob("launch-*.json"))]
    if not files:
        return ""
    variants = dict.fromkeys((row["choice"], row["variant"]) for data in files for row in data["rows"])
    rows = []
    for variant in variants:
        cells = list(variant)
        for data in files:
            found = {(r["choice"], r["variant"]): r for r in data["rows"]}
            base, row = data["rows"][0], found.get(variant)
            cells.append("-" if row is None else f"{row['ms']:.4f}" if row is base else
                         f"{100 * (row['ms'] / base['ms'] - 1):+.1f}%")
        rows.append(cells)
    text = "\n## Choices of the graph, one at a time\n\n"
    text += "`opsched launch`: plain dataflow (its latency in ms), and what it takes with one choice made otherwise; all "
    text += "variants in turn,\nthe median of the rounds.\n\n"
    text += f"Source: {', '.join(dict.fromkeys(data['origin'] for data in files))}.\n\n"
    head = ["choice", "variant", *(f"{data['graph']}, {data['precision']}, batch {data['batch']}" for data in files)]
    return text + table(head, rows)
