"""Results of the papers: paper.json, and the latencies published for comparison with the baselines."""

import json
from pathlib import Path

from opsched.page import distinct
from opsched.plots.figure import Figure, Paper

PACKAGE = Path(__file__).parent.parent
# The paper's greedy schedules one level at a time, like our wavefront. Its RandWire differs from our network of that
# name.
NAMES = {"greedy": "wavefront", "tensorrt": "TensorRT", "tvm-cudnn": "TVM-cuDNN", "taso": "TASO",
         "tensorflow": "TensorFlow", "tensorflow-xla": "TensorFlow XLA"}
NETWORKS = {"randwire": "randwire-paper"}
RANDWIRE = ("The paper's RandWire differs from ours; if its row has no number of ours, it was not measured "
            "yet.")


def load_paper() -> Paper:
    """Results under "ios", "ios_code" (the paper's public code on an H200) and "hios". The first two have "latency_ms"
    by network and name, and "search_seconds" of IOS-Both by network."""
    paper = json.loads((PACKAGE / "paper.json").read_text())
    published = json.loads((PACKAGE / "published.json").read_text())["sources"]
    for key, source in zip(("ios", "ios_code"), published):
        networks = [NETWORKS.get(n, n) for n in source["networks"]]
        paper[key]["latency_ms"] = {
            network: {NAMES.get(name, name): values[i] for name, values in source["latency_ms"].items()
                      if values[i] is not None} for i, network in enumerate(networks)}
        paper[key]["search_seconds"] = {n: s for n, s in zip(networks, source["search_seconds"]["ios-both"]) if s}
    paper["ios"]["search_space"] = {NETWORKS.get(n, n): v for n, v in paper["ios"]["search_space"].items()}
    return paper


def networks_with(paper: Paper, figure: Figure) -> list[str]:
    """The figure's networks, then those for which only the paper has numbers."""
    return distinct([*figure.names("network"), *paper["ios"]["latency_ms"]])
