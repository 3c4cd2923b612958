"""A figure: a selection of records by key, as listed in figures/index.json."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opsched.page import NETWORKS, PRECISIONS, Marks, distinct, join
from opsched.records import Provenance, Record, Records

FORMAT = {"format": "opsched figures", "version": 1}
Paper = dict[str, Any]  # paper.py
Picture = Any  # a matplotlib figure
Table = tuple[list[str], list[list[Any]]]  # head, rows


class BadFigure(Exception):
    """An invalid file; the message names it."""


@dataclass
class Figure:
    """`rows` are the valid records, with the additional labels of the index."""

    name: str
    title: str
    paper: str  # with the number of its figure; empty: our own figure
    rows: list[Record]
    missing: list[tuple[str, str]]  # what, why
    marks: Marks
    records: Records  # of the results folder that contains the figure
    folders: list[str]  # with the records shown; "": the figure's own results folder

    def all(self, **conditions: Any) -> list[Record]:
        return [r for r in self.rows if r.is_like(**conditions)]

    def one(self, **conditions: Any) -> Record | None:
        return next(iter(self.all(**conditions)), None)

    def ours(self, **conditions: Any) -> Record | None:
        """Our plain latency of a schedule."""
        return self.one(**{"software": "opsched", "quantity": "latency", "labels": {}, **conditions})

    def names(self, field: str) -> list[Any]:
        """Distinct values of a field or label, in order of appearance."""
        return distinct(v for r in self.rows if (v := getattr(r, field, r.labels.get(field))) is not None)

    def state(self) -> str:
        counts = Counter(r.provenance.value for r in self.rows)
        words = [f"{n} {word}" for word, n in counts.most_common()] + [f"{len(self.missing)} missing"] * bool(self.missing)
        return ", ".join(words) or "nothing"

    def setting(self) -> str:
        """The conditions of the numbers in the picture: the network if there is one, GPU, precision and batch size, or that costs or counts are not
        from a GPU."""
        kinds = distinct(r.provenance for r in self.rows)
        if kinds == [Provenance.synthetic]:
            counts = sorted({f"{r.numbers['dags']:.0f}" for r in self.rows})
            gpus = sorted({r.gpus for r in self.rows})
            return f"random DAGs, synthetic costs, {join([str(g) for g in gpus])} GPUs, {join(counts)} DAGs per point"
        if kinds == [Provenance.exact]:
            return "exact counts: any GPU, any precision, batch 1"
        gpus = [str(g) for g in sorted({r.gpus for r in self.rows})]
        devices = join(distinct(self.marks.run_of(r).device or "no GPU" for r in self.rows))
        batches = [str(b) for b in sorted({r.batch for r in self.rows})]
        precisions = {r.precision for r in self.rows}
        networks = self.names("network")
        network = f"{NETWORKS[networks[0]]} on " if len(networks) == 1 else ""
        return ", ".join([network + devices + (f" (on {join(gpus)} GPUs)" if gpus != ["1"] else ""),
                          join([p for p in PRECISIONS if p in precisions]),
                          f"batch {batches[0]}" if len(batches) == 1 else f"batches {join(batches)}",
                          join([kind.value for kind in kinds])])

    def table(self) -> Table:
        """One row per record."""
        labels, numbers, texts = (sorted({k for r in self.rows for k in getattr(r, kind)})
                                  for kind in ("labels", "numbers", "texts"))
        plain = ["network", "software", "scheduler", "batch", "image", "precision", "gpus", "quantity"]
        rows = [[*(getattr(r, f) for f in plain), *(r.labels.get(k, "") for k in labels), r.value, r.unit, r.spread.min or "",
                 r.spread.max or "", r.spread.runs or "", *(r.numbers.get(k, "") for k in numbers),
                 *(r.texts.get(k, "") for k in texts), r.provenance.value, self.marks.run_of(r).where(), r.time]
                for r in self.rows]
        return [*plain, *labels, "value", "unit", "min", "max", "runs", *numbers, *texts, "provenance", "from", "time"], rows


@dataclass
class Comparison:
    """Our numbers next to the paper's, and sentences on the difference, which are made from the records."""

    head: list[str]
    rows: list[list[str]]
    agrees: str
    differs: str
    note: str = ""


def load_index(folder: Path) -> list[Figure]:
    """Reads every figure of FOLDER/index.json, with the records of the results folders that it names."""
    file = folder / "index.json"
    try:
        index = json.loads(file.read_text())
        if {k: index.get(k) for k in FORMAT} != FORMAT:
            raise BadFigure(f"'{file}' is not an index of figures of this version; opsched reproduce makes it anew")
        results = folder.resolve().parent
        loaded = {"": Records.read(results)}
        figures = []
        for entry in index["figures"]:
            rows, missing, runs = [], [(m.get("what") or m["key"], m["why"]) for m in entry.get("missing", [])], {}
            for chosen in entry["records"]:
                other = chosen.get("folder", "")
                records = loaded.setdefault(other, Records.read(results.parent / other) if other not in loaded else loaded[other])
                record = records.find(chosen["key"])
                if record is None or record.missing:
                    missing.append((chosen["key"], record.missing if record else f"no record of it in {other or results.name}"))
                else:
                    rows.append(replace(record, labels={**record.labels, **chosen.get("labels", {})}))
                    runs[record.run] = records.run_of(record)
            figures.append(Figure(entry["name"], entry["title"], entry["paper"], rows, missing, Marks(runs), loaded[""],
                                  distinct(c.get("folder", "") for c in entry["records"])))
        return figures
    except (OSError, ValueError, KeyError) as error:
        raise BadFigure(f"'{file}' is not an index of figures: {error!r}") from error
