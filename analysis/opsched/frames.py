"""Records as pandas data frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opsched.records import Record, Records

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ["network", "software", "scheduler", "batch", "image", "precision", "gpus", "quantity", "value", "unit"]


def _row(record: Record, records: Records | None) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(record, name) for name in FIELDS}
    row |= {"provenance": record.provenance.value, "min": record.spread.min or None, "max": record.spread.max or None,
            "runs": record.spread.runs or None}
    row |= {f"option.{k}": v for k, v in record.options.items()}
    row |= {f"label.{k}": v for k, v in record.labels.items()}
    row |= {k: v for k, v in record.numbers.items() if k not in row}
    row |= {f"text.{k}": v for k, v in record.texts.items()}
    if records is not None:
        run = records.run_of(record)
        row |= {"device": run.device, "kernels": run.kernels}
    return row | {"schedule": record.schedule, "key": record.key()}


def frame(records: Records | Iterable[Record]) -> pd.DataFrame:
    """One row per record; of Records, those that are valid and have a value. Columns are the fields of a record
    (docs/records.md). Options, labels and texts get the prefixes "option.", "label." and "text."; numbers keep their
    names. The device is only known for records of a folder."""
    import pandas as pd

    if isinstance(records, Records):
        return pd.DataFrame([_row(r, records) for r in records.select()])
    return pd.DataFrame([_row(r, None) for r in records])


def speedups(latencies: pd.DataFrame, over: str = "sequential") -> pd.DataFrame:
    """The plain latencies of schedules among these records. The column `speedup` is relative to `over` on one GPU in
    the same case, or NaN if that is not known."""
    case = ["network", "batch", "image", "precision"]
    other = [c for c in latencies.columns if c.startswith(("label.", "option."))]
    plain = latencies[(latencies["quantity"] == "latency") & (latencies["software"] == "opsched")
                      & latencies[other].isna().all(axis=1)].dropna(axis=1, how="all")
    base = plain[(plain["scheduler"] == over) & (plain["gpus"] == 1)].set_index(case)["value"].rename("base")
    joined = plain.join(base, on=case)
    return joined.assign(speedup=joined["base"] / joined["value"]).drop(columns="base")
