"""The data of one figure, as `opsched reproduce` wrote them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "opsched figure"
VERSION = 1

Row = dict[str, Any]

NETWORKS = {
    "inception_v3": "Inception V3",
    "randwire": "RandWire",
    "nasnet": "NasNet-A",
    "squeezenet": "SqueezeNet",
}


class BadData(Exception):
    """A file that is not what it should be; the message names it."""


@dataclass
class Data:
    """Rows are flat: what the file keeps in "labels" and "numbers" stands beside the rest."""

    figure: str
    title: str
    paper: str
    state: str
    why: str
    command: str
    sources: list[str]
    rows: list[Row]
    missing: list[Row]  # rows without numbers, with the reason under "skipped"

    def all(self, **conditions: Any) -> list[Row]:
        return [r for r in self.rows if all(r.get(k) == v for k, v in conditions.items())]

    def one(self, **conditions: Any) -> Row | None:
        return next(iter(self.all(**conditions)), None)

    def ms(self, **conditions: Any) -> float | None:
        row = self.one(**conditions)
        return row["ms"] if row else None

    def names(self, key: str) -> list[Any]:
        """Distinct values, in the order in which they come."""
        return list(dict.fromkeys(r[key] for r in self.rows if key in r))


def load(file: Path) -> Data:
    try:
        json_data = json.loads(file.read_text())
        if json_data["format"] != FORMAT or json_data["version"] != VERSION:
            raise BadData(f"'{file}' is not a figure that this version reads; opsched reproduce --fresh makes it anew")
        rows = [{**r, **r.pop("labels", {}), **r.pop("numbers", {})} for r in json_data["rows"]]
        return Data(
            **{key: json_data[key] for key in ("figure", "title", "paper", "state", "why", "command", "sources")},
            rows=[r for r in rows if "skipped" not in r],
            missing=[r for r in rows if "skipped" in r],
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadData(f"'{file}' is not a figure of this program: {error!r}") from error


def ms_text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 10 else f"{value:.2f}"


def cell(row: Row | None) -> str:
    """A latency in a table; ~: simulated."""
    return "-" if row is None else ("~" if row["how"] == "simulated" else "") + ms_text(row["ms"])


def ratio_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a and b else None


def join(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else "none"
