"""The section that sets our schedules beside other software on the same GPU, from peers.jsonl."""

from dataclasses import dataclass
from typing import Any

from results import table

# What is shown at batch 1: peer, mode, and the schedule of ours that does the same.
COLUMNS = [("pytorch", "eager", None), ("pytorch", "compile", None), ("pytorch", "sequential", "sequential"),
           ("pytorch", "wavefront", "wavefront"), ("pytorch", "dataflow", "dataflow"), ("jax", "xla", None)]
TITLES = {"eager": "PyTorch eager", "compile": "torch.compile", "compile-max-autotune": "torch.compile max-autotune",
          "sequential": "sequential: PyTorch graph / ours", "wavefront": "wavefront: PyTorch graph / ours",
          "dataflow": "dataflow: PyTorch graph / ours", "xla": "JAX", "engine": "TensorRT"}
# How many times faster than the fastest peer the project means to be at batch 1.
GOALS = {"inception_v3": 1.3, "squeezenet": 1.3, "randwire": 1.6, "nasnet": 1.6}

Peers = list[dict[str, Any]]
Results = list[dict[str, Any]]


@dataclass(frozen=True, order=True)
class Case:
    network: str
    precision: str
    batch: int
    image: int  # 0: the network's own

    def __str__(self) -> str:
        return (f"{self.network} {self.precision}" + (f" batch {self.batch}" if self.batch > 1 or not self.image else "")
                + (f" image {self.image}" if self.image else ""))

    def goal(self) -> float:
        if self.batch == 1 and not self.image:
            return GOALS.get(self.network, 1.1)
        return 1.1 if self.batch <= 16 else 1.0


def case_of(entry: dict[str, Any]) -> Case:
    return Case(entry["graph"], entry["precision"], entry["batch"], entry.get("image", 0))


def short(mode: str) -> str:
    return TITLES.get(mode, mode).split(":")[0]


@dataclass
class Comparison:
    case: Case
    theirs: dict[tuple[str, str], float]  # by peer and mode, ms; what is absent or failed is left out
    ours: dict[str, float]  # by scheduler, ms

    @property
    def fastest(self) -> tuple[str, str]:
        return min(self.theirs, key=self.theirs.__getitem__)

    @property
    def best(self) -> str:
        return min(self.ours, key=self.ours.__getitem__)

    @property
    def ratio(self) -> float:
        return self.theirs[self.fastest] / self.ours[self.best]

    def ratio_text(self) -> str:
        text = f"{self.ratio:.2f}x"
        return text if self.ratio >= self.case.goal() else f"**{text}**"


def in_the_same_run(entries: Peers) -> dict[str, float]:
    """Ours, measured before and after the peers: the means."""
    ours = {}
    for entry in entries:
        for scheduler, pair in entry.get("ours", {}).items():
            ms = [p["median_ms"] for p in pair.values() if p.get("how") == "measured"]
            if ms:
                ours[scheduler] = sum(ms) / len(ms)
    return ours


def benched(case: Case, results: Results) -> dict[str, float]:
    return {r["scheduler"]: r["ms"] for r in results if r["gpus"] == 1 and r["how"] != "simulated" and
            Case(r["network"], r["precision"], r["batch"], r["image"]) == case}


def compare(case: Case, results: Results, peers: Peers) -> Comparison | None:
    """Our schedules as measured in the peers' own run; at batch 1, or if none was, those of bench.json besides."""
    entries = [p for p in peers if case_of(p) == case]
    theirs = {(p["peer"], mode): value["median_ms"] for p in entries for mode, value in p["latency"].items()
              if "median_ms" in value}
    beside = in_the_same_run(entries)
    apart = benched(case, results)
    ours = apart | beside if is_small(case) else beside or apart
    return Comparison(case, theirs, ours) if theirs and ours else None


def batch_1(found: list[Comparison]) -> str:
    rows = []
    for c in found:
        cells = []
        for peer, mode, same in COLUMNS:
            text = f"{c.theirs[peer, mode]:.3f}" if (peer, mode) in c.theirs else "-"
            cells.append(f"{text} / {c.ours[same]:.3f}" if same in c.ours else text)
        rows.append([c.case.network, c.case.precision, str(c.case.batch), *cells, f"{c.ours[c.best]:.3f} ({c.best})",
                     f"{c.ratio_text()} ({short(c.fastest[1])})"])
    head = ["network", "precision", "batch", *(TITLES[mode] for _, mode, _ in COLUMNS), "our best", "fastest peer / our best"]
    return table(head, rows)


def larger(title: str, found: list[Comparison]) -> str:
    if not found:
        return ""
    rows = []
    for c in found:
        others = sorted((ms, short(mode)) for (peer, mode), ms in c.theirs.items() if (peer, mode) != c.fastest)
        rows.append([c.case.network, c.case.precision, str(c.case.batch), str(c.case.image or "own"),
                     f"{c.theirs[c.fastest]:.3f} ({short(c.fastest[1])})", f"{c.ours[c.best]:.3f} ({c.best})",
                     c.ratio_text(), ", ".join(f"{name} {ms:.3f}" for ms, name in others) or "-"])
    return f"\n### {title}\n\n" + table(["network", "precision", "batch", "image", "fastest peer", "ours",
                                         "fastest peer / ours", "other peers"], rows)


def verdict(question: str, found: list[Comparison], reached: list[bool]) -> str:
    missed = [f"{c.case} ({c.ratio:.2f}x)" for c, good in zip(found, reached) if not good]
    if not found:
        return f"* {question}: not measured.\n"
    if not missed:
        return f"* {question}: yes, in all {len(found)} cases measured.\n"
    return f"* {question}: no, not in {len(missed)} of {len(found)} cases measured: {', '.join(missed)}.\n"


def comparisons(results: Results, peers: Peers) -> list[Comparison]:
    return [c for case in dict.fromkeys(case_of(p) for p in peers) if (c := compare(case, results, peers))]


def is_small(case: Case) -> bool:
    return case.batch == 1 and not case.image


def verdicts(found: list[Comparison]) -> str:
    """How ours stand to what the project means to reach, as a list."""
    small = [c for c in found if is_small(c.case)]
    more = [c for c in found if not is_small(c.case) and c.case.batch <= 16]
    text = verdict("Never slower than the fastest peer", found, [c.ratio >= 1 for c in found])
    text += verdict("Batch 1, 1.3 or 1.6 times as fast", small, [c.ratio >= c.case.goal() for c in small])
    text += verdict("Up to batch 16, larger images too, 1.1 times as fast", more, [c.ratio >= 1.1 for c in more])
    if without := [c for c in found if not any(mode.startswith("compile") for _, mode in c.theirs)]:
        text += f"* torch.compile has no number in {len(without)} of these {len(found)} cases.\n"
    return text


def section(results: Results, peers: Peers) -> str:
    torch = next((p for p in peers if p["peer"] == "pytorch" and "torch" in p.get("versions", {})), None)
    if not torch:
        return ""
    found = comparisons(results, peers)
    small = [c for c in found if is_small(c.case)]
    batches = sorted((c for c in found if c.case.batch > 1 and not c.case.image), key=lambda c: c.case)
    images = sorted((c for c in found if c.case.image), key=lambda c: c.case)
    text = "\n## Beside other software\n\n"
    text += f"PyTorch {torch['versions']['torch']} with cuDNN {torch['versions']['cudnn']} on the same kind of GPU, "
    text += "our weights and input, outputs compared\nwith ours; ours is measured before and after the peers in their "
    text += "run (the mean of both), at batch 1 of `opsched bench`\nwhere a schedule was not (`experiments/baselines/run_baselines.py`, "
    text += "[docs/baselines.md](../../docs/baselines.md)). sequential,\nwavefront and dataflow (Opara's allocation on 16 streams): one CUDA graph "
    text += "with fused convolution + bias + ReLU. `-`: not measured here. **Bold**: below what\nthe project means to reach "
    text += "(batch 1: 1.3 times the fastest peer on Inception V3 and SqueezeNet, 1.6 times on RandWire and\nNasNet; else 1.1 "
    text += "times up to batch 16, 1 beyond).\n\n"
    text += verdicts(found) + "\n" + batch_1(small)
    if batches or images:
        text += "\nLarger cases: ours is the best schedule of the peers' run; where none was measured there, of `opsched bench`.\n"
    return text + larger("Larger batches", batches) + larger("Larger images", images)
