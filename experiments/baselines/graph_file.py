"""Reads a graph that `opsched show NET --format json` wrote."""

import dataclasses
import json


@dataclasses.dataclass
class Value:
    """Channels [begin, end) of an operator's output."""

    op: int
    begin: int
    end: int


@dataclasses.dataclass
class Operator:
    id: int
    name: str
    terms: list  # concatenated along channels; each a list of Values that are added
    layers: list  # as in the file
    output: tuple  # channels, height, width
    preds: list
    multiplied: bool = False  # terms are multiplied instead of concatenated

    @property
    def is_input(self):
        return not self.terms

    @property
    def input_channels(self):
        channels = [term[0].end - term[0].begin for term in self.terms]
        return max(channels) if self.multiplied else sum(channels)


@dataclasses.dataclass
class Graph:
    name: str
    batch: int
    operators: list

    @property
    def outputs(self):
        read = {p for op in self.operators for p in op.preds}
        return [op.id for op in self.operators if op.id not in read]

    def levels(self):
        """Units by the length of the longest path to them."""
        depth, levels = {}, []
        for op in self.operators:
            if op.is_input:
                depth[op.id] = -1
                continue
            depth[op.id] = 1 + max(depth[p] for p in op.preds)
            while len(levels) <= depth[op.id]:
                levels.append([])
            levels[depth[op.id]].append(op)
        return levels


def load_graph(path):
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    if data.get("format") != "opsched-graph":
        raise ValueError(f"{path}: not a graph of opsched (write one with `opsched show NET --format json`)")
    ids, operators = {}, []
    for item in data["operators"]:
        terms = [[Value(ids[name], begin, end) for name, begin, end in term] for term in item.get("inputs", [])]
        ids[item["name"]] = len(operators)
        operators.append(
            Operator(
                id=len(operators),
                name=item["name"],
                terms=terms,
                layers=item.get("layers", []),
                output=tuple(item["shape"] if "shape" in item else item["output"]),
                preds=sorted({v.op for term in terms for v in term}),
                multiplied=item.get("combine") == "product",
            )
        )
    return Graph(data["name"], data["batch"], operators)
