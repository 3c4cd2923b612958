"""The section that sets our schedules beside other software on the same GPU, from peers.jsonl."""

from typing import Any

from results import table

# What is shown: peer, mode, and the schedule of ours that does the same.
COLUMNS = [("pytorch", "eager", None), ("pytorch", "compile", None), ("pytorch", "sequential", "sequential"),
           ("pytorch", "wavefront", "wavefront"), ("pytorch", "dataflow", "dataflow"), ("jax", "xla", None)]
TITLES = {"eager": "PyTorch eager", "compile": "torch.compile", "sequential": "sequential: PyTorch graph / ours",
          "wavefront": "wavefront: PyTorch graph / ours", "dataflow": "dataflow: PyTorch graph / ours", "xla": "JAX"}


def latencies(peers: list[dict[str, Any]], network: str, precision: str, batch: int) -> dict[tuple[str, str], float]:
    """By peer and mode; what is absent or failed is left out."""
    return {(p["peer"], mode): value["median_ms"] for p in peers for mode, value in p["latency"].items()
            if (p["graph"], p["precision"], p["batch"]) == (network, precision, batch) and "median_ms" in value}


def section(results: list[dict[str, Any]], peers: list[dict[str, Any]]) -> str:
    torch = next((p for p in peers if p["peer"] == "pytorch" and "versions" in p), None)
    if not torch:
        return ""
    rows = []
    for network, precision, batch in dict.fromkeys((p["graph"], p["precision"], p["batch"]) for p in peers):
        theirs = latencies(peers, network, precision, batch)
        ours = {r["scheduler"]: r["ms"] for r in results if (r["network"], r["precision"], r["batch"], r["gpus"],
                                                             r["image"]) == (network, precision, batch, 1, 0)}
        if not theirs or not ours:
            continue
        cells = []
        for peer, mode, same in COLUMNS:
            text = f"{theirs[peer, mode]:.3f}" if (peer, mode) in theirs else "-"
            cells.append(f"{text} / {ours[same]:.3f}" if same in ours else text)
        best = min(ours, key=ours.get)
        fastest = min(theirs, key=theirs.get)
        rows.append([network, precision, str(batch), *cells, f"{ours[best]:.3f} ({best})",
                     f"{theirs[fastest] / ours[best]:.2f}x ({TITLES[fastest[1]].split(':')[0]})"])
    text = "\n## Beside other software\n\n"
    text += f"PyTorch {torch['versions']['torch']} with cuDNN {torch['versions']['cudnn']} on the same GPU in the same run, "
    text += "our weights and input, outputs compared\nwith ours (`experiments/peers/run_peers.py`, [docs/peers.md]"
    text += "(../../docs/peers.md)). sequential, wavefront and dataflow (Opara's\nallocation on 16 streams): one CUDA graph "
    text += "with fused convolution + bias + ReLU. `-`: not measured here.\n\n"
    head = ["network", "precision", "batch", *(TITLES[mode] for _, mode, _ in COLUMNS), "our best", "fastest peer / our best"]
    return text + table(head, rows)
