"""Assembles the page: records, figures and timelines as data, the plotting library, and the page's scripts."""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from opsched import figures
from opsched.modules import need
from opsched.page import Marks, baseline_name, commands, places, write_whole
from opsched.plots import charts
from opsched.plots.figure import BadFigure, Figure, load_index
from opsched.records import BadRecords, Record, Records
from opsched.timeline import BadTimeline, Timeline, kind_of

FIELDS = ["name", "category", "row", "start", "ms", "stage", "kind", "colour_kind", "layers", "shape", "solo_ms", "waited_for",
          "why", "gap_ms", "critical", "estimated"]
SCRIPTS = ["records.js", "timeline.js"]


def packed(timeline: Timeline) -> str:
    """The form that the page unpacks: JSON, gzip, base64. Times are rounded to 1 ns."""
    rows = {row: i for i, row in enumerate(timeline.rows)}
    events = [[e.name, e.category, rows[e.device, e.row], round(e.start, 6), round(e.ms, 6), e.stage, e.kind, kind_of(e),
               e.layers, e.shape, round(e.solo_ms, 6), e.waited_for, e.why, round(e.gap_ms, 6), e.critical, e.estimated]
              for e in timeline.events]
    data = {"mode": timeline.mode, "source": timeline.source, "makespan_ms": timeline.makespan_ms, "rows": timeline.rows,
            "fields": FIELDS, "events": events}
    return base64.b64encode(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), mtime=0)).decode()


def timeline_id(record: Record) -> str:
    return f"{record.graph}-{record.schedule}-{record.precision}"


def read_timelines(folder: Path | None) -> dict[str, str]:
    return {file.stem: packed(Timeline.read(file)) for file in sorted(folder.glob("*.json"))} if folder else {}


def sequential_of(record: Record, records: Records) -> Record | None:
    """The baseline of a record: sequential on one GPU in the same case."""
    if record.quantity != "latency" or record.labels or record.software != "opsched":
        return None
    return records.find(replace(record, scheduler="sequential", options={}, gpus=1).key())


def row_of(record: Record, records: Records, marks: Marks, timelines: Iterable[str]) -> dict[str, Any]:
    ours, base, id = record.software == "opsched", sequential_of(record, records), timeline_id(record)
    more = [f"{k} {v:g}" for k, v in sorted(record.numbers.items())] + [f"{k}: {v}" for k, v in sorted(record.texts.items())]
    return {
        "key": record.key(), "network": record.network, "software": "" if ours else record.software,
        "scheduler": record.scheduler_with_options() if ours else baseline_name(record.software, record.scheduler),
        "batch": record.batch, "image": record.image or "", "precision": record.precision, "gpus": record.gpus,
        "quantity": record.quantity, "labels": ", ".join(f"{k} {v}" for k, v in sorted(record.labels.items())),
        "value": record.value, "unit": record.unit, "provenance": record.provenance.value, "numbers": ", ".join(more),
        "gain": base.value / record.value if base and base.value and record.value else None,
        "mark": marks.before(record) + marks.behind(record, base), "from": records.run_of(record).where() or "-",
        "timeline": id if record.value and record.schedule and id in timelines else None,
    }


def picture_of(figure: Figure, folder: Path) -> str:
    """A picture as data URL: the one stored with the figure's page, or drawn now."""
    file = folder / f"{figure.name}.svg"
    if file.exists():
        svg = file.read_bytes()
    else:
        out = io.BytesIO()
        picture = figures.picture_of(figure)
        picture.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        charts.pyplot().close(picture)
        svg = out.getvalue()
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def figures_of(folder: Path) -> list[dict[str, str]]:
    """Every figure of the folder that has content."""
    if not (folder / "figures" / "index.json").exists():
        return []
    found = []
    for figure in load_index(folder / "figures"):
        _, comparison = figures.page_of(figure)
        if comparison is not None:
            found.append({"name": figure.name, "title": figure.title, "state": figure.state(),
                          "picture": picture_of(figure, folder / "figures"), "agrees": comparison.agrees,
                          "differs": comparison.differs})
    return found


def part(name: str) -> str:
    """Reads a file of this package, or the library from its own package."""
    return files("opsched.report").joinpath(name).read_text()


def in_script(text: str) -> str:
    """Escapes text so that it cannot end its script element."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def page(folder: Path, timelines: dict[str, str]) -> str:
    """The whole page. Raises BadRecords or BadFigure."""
    records = Records.read(folder)
    marks, found = Marks(records.runs), records.select()
    data = {"records": [row_of(r, records, marks, timelines) for r in found], "figures": figures_of(folder),
            "places": places(found, records.runs), "commands": "\n".join(commands(found, records.runs).splitlines()[1:-1]),
            "timelines": timelines}
    parts = {"TITLE": f"opsched: {folder.resolve().name}", "STYLE": part("page.css"),
             "DATA": in_script(json.dumps(data, separators=(",", ":"), allow_nan=False)),
             "PLOTLY": files("plotly").joinpath("package_data", "plotly.min.js").read_text(),
             "SCRIPT": "\n".join(map(part, SCRIPTS))}
    return re.sub("@([A-Z]+)@", lambda match: parts[match[1]], part("page.html"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes a results folder as an HTML page, for `opsched report`.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"))
    parser.add_argument("--timelines", type=Path, help="folder of traces, GRAPH-SCHEDULE-PRECISION.json")
    args = parser.parse_args()
    need("plotly", "matplotlib")
    try:
        text = page(args.folder, read_timelines(args.timelines))
        write_whole(args.output, lambda path: path.write_text(text))
    except (BadFigure, BadRecords, BadTimeline, OSError) as error:
        sys.exit(f"report: {error}")
    return 0
