"""The page of a figure, and the list of all: written from the data alone."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from plots.data import BadData, Data
from results import table


@dataclass
class Comparison:
    """Ours beside the paper's, and what to make of it. The sentences are made from the data."""

    head: list[str]
    rows: list[list[str]]
    agrees: str
    differs: str
    note: str = ""


def page(data: Data, comparison: Comparison | None, citation: str) -> str:
    """`comparison`: None where the figure has no rows."""
    text = f"# {data.title}\n\nReproduces: {data.paper}. State: {data.state}{': ' + data.why if data.why else ''}.\n"
    text += "Made by `analysis/figures.py` from the data beside it; do not edit.\n\n"
    if comparison is not None:
        simulated = any(r["how"] == "simulated" for r in data.rows)
        text += f"![{data.title}]({data.figure}.png)\n\n"
        text += f"[SVG]({data.figure}.svg), [data as JSON]({data.figure}.json), [as CSV]({data.figure}.csv)\n\n"
        text += f"## Beside the paper\n\n{table(comparison.head, comparison.rows)}\n"
        text += f"The paper's numbers: {citation}.\n"
        if comparison.note:
            text += comparison.note + "\n"
        text += f"\n**What agrees.** {comparison.agrees}\n\n**What does not, and why.** {comparison.differs}"
        if simulated:
            text += f" Numbers with `~` are predictions; `opsched reproduce {data.figure}` on the GPU measures them."
        text += "\n"
    return text + "\n" + provenance(data)


def provenance(data: Data) -> str:
    lines = []
    for number, source in enumerate(data.sources):
        rows = [r for r in data.rows if r.get("source") == number]
        how = ", ".join(f"{count} {word}" for word, count in sorted(Counter(r["how"] for r in rows).items()))
        if rows:
            lines.append(f"* {how}: {source}{clocks(rows)}")
    text = "## Where the numbers come from\n\n"
    text += "\n".join(lines) + "\n" if lines else "There are none.\n"
    throttled = sum(1 for r in data.rows if r.get("throttled"))
    if throttled:
        text += f"* The GPU lowered its clocks during {throttled} rows (`throttled` in the data).\n"
    reasons = Counter(r["skipped"] for r in data.missing)
    for reason, count in reasons.items():
        text += f"* missing{f' ({count} rows)' if count > 1 else ''}: {reason}\n"
    return text + f"\nMade with `{data.command}`; networks and weights from seed 1.\n"


def clocks(rows: list[dict]) -> str:
    seen = sorted({r["sm_clock_mhz"] for r in rows if r.get("sm_clock_mhz")})
    if not seen:
        return ""
    return f", at {seen[0]} MHz" if len(seen) == 1 else f", at {seen[0]} to {seen[-1]} MHz"


def index(folder: Path) -> str:
    file = folder / "index.json"
    try:
        entries = json.loads(file.read_text())["figures"]
        rows = []
        for e in entries:
            made = (folder / f"{e['name']}.json").exists()
            name = f"[{e['name']}]({e['name']}.md)" if made else e["name"]
            rows.append([name, e["title"], e["paper"], e["state"] + (f": {e['why']}" if e["why"] else "")])
    except (OSError, ValueError, KeyError) as error:
        raise BadData(f"'{file}' is not an index of figures: {error!r}") from error
    text = f"# Figures of {folder.resolve().parent.name}\n\n"
    text += "Written by `opsched reproduce`; every picture and number is made from the data beside it. *measured*: on the\n"
    text += "GPU, by that command; *recorded*: measured earlier, read from the results; *replayed*: some rows are simulated\n"
    text += "from a recorded profile; *synthetic*: made-up costs; *exact*: counted.\n\n"
    return text + table(["figure", "shows", "of", "state"], rows)
