"""A graph of operators, as `opsched show --format json` writes it (docs/graph_files.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "opsched-graph"
Shape = tuple[int, int, int]  # channels, height and width of one image


@dataclass(frozen=True)
class Operator:
    """A unit of scheduling, or an input of the graph, which reads nothing."""

    name: str
    reads: tuple[str, ...]
    layers: tuple[dict[str, Any], ...]
    output: Shape

    @property
    def kind(self) -> str:
        """The types of its layers, such as "conv2d"; "join" if it has none; "input" for inputs."""
        return " ".join(layer["type"] for layer in self.layers) if self.layers else "join" if self.reads else "input"


@dataclass(frozen=True)
class Graph:
    """Operators in topological order."""

    name: str
    batch: int
    operators: tuple[Operator, ...]
    text: str  # the file, which load_graph and the program can read again

    @staticmethod
    def parse(text: str) -> Graph:
        """Raises ValueError if the text is not an opsched graph file."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError("this is no graph file of opsched")
        operators = []
        for op in data["operators"]:
            reads = dict.fromkeys(value[0] for term in op.get("inputs", []) for value in term)
            output = op.get("output") or op["shape"]
            operators.append(Operator(op["name"], tuple(reads), tuple(op.get("layers", [])), tuple(output)))
        return Graph(data["name"], data["batch"], tuple(operators), text)

    @staticmethod
    def read(file: str | Path) -> Graph:
        try:
            return Graph.parse(Path(file).read_text())
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"'{file}': {error}") from error

    def save(self, file: str | Path) -> None:
        Path(file).write_text(self.text)

    @cached_property
    def by_name(self) -> dict[str, Operator]:
        return {op.name: op for op in self.operators}

    def readers(self, name: str) -> list[str]:
        return [op.name for op in self.operators if name in op.reads]

    def outputs(self) -> list[str]:
        """Operators without readers."""
        read = {name for op in self.operators for name in op.reads}
        return [op.name for op in self.operators if op.name not in read]

    def frame(self) -> pd.DataFrame:
        """One row per operator."""
        import pandas as pd

        return pd.DataFrame([{"name": op.name, "kind": op.kind, "reads": list(op.reads), "channels": op.output[0],
                              "height": op.output[1], "width": op.output[2]} for op in self.operators])
