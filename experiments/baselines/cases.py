"""What is measured, and the file that remembers what was."""

import dataclasses
import json
import os
import pathlib
from typing import Any

Entry = dict[str, Any]


class Wrong(Exception):
    """Something that the user can put right."""


@dataclasses.dataclass(frozen=True)
class Case:
    network: str
    batch: int
    image: int  # height and width; 0: the network's own
    precision: str

    def __str__(self) -> str:
        size = f", image {self.image}" if self.image else ""
        return f"{self.network}, batch {self.batch}{size}, {self.precision}"

    def facts(self) -> Entry:
        """As they stand in the file: lines without an image are older than images."""
        facts: Entry = {"graph": self.network, "batch": self.batch}
        return {**facts, **({"image": self.image} if self.image else {}), "precision": self.precision}


@dataclasses.dataclass(frozen=True)
class Task:
    """Modes of one peer that are measured by one process."""

    case: Case
    peer: str
    modes: tuple[str, ...]


class Store:
    """OUT/peers.jsonl: an entry a peer and case, its `latency` an object by mode."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        if path.exists():
            for number, line in enumerate(path.read_text().splitlines(), 1):
                try:
                    entry = json.loads(line)
                    self._key(entry), entry["latency"].items()
                except (ValueError, KeyError, AttributeError, TypeError) as error:
                    raise Wrong(f"{path}:{number}: not a line of this program ({error}); move the file away") from error
                self.entries.append(entry)

    @staticmethod
    def _key(entry: Entry) -> tuple[Any, ...]:
        return entry["peer"], entry["graph"], entry["batch"], entry.get("image", 0), entry["precision"]

    def find(self, peer: str, case: Case) -> Entry | None:
        key = self._key({"peer": peer, **case.facts()})
        return next((e for e in self.entries if self._key(e) == key), None)

    def add(self, entry: Entry) -> None:
        """Merges by mode with what the same device and versions gave earlier; else replaces it."""
        old = next((e for e in self.entries if self._key(e) == self._key(entry)), None)
        if old is None:
            self.entries.append(entry)
        else:
            same = all(old.get(k) == entry[k] for k in ("device", "versions"))
            merged = {**entry, "latency": {**(old["latency"] if same else {}), **entry["latency"]}}
            if same and "ours" in old and "ours" not in entry:
                merged["ours"] = old["ours"]
            self.entries[self.entries.index(old)] = merged
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".jsonl.new")
        beside.write_text("".join(json.dumps(e) + "\n" for e in self.entries))
        os.replace(beside, self.path)
