"""The section that sets our schedules beside other software on the same GPU."""

from dataclasses import dataclass

from opsched.page import BASELINES, PRECISIONS, Marks, bold, distinct, fastest, grouped, name_of, ratio_text, table, way_of
from opsched.records import Provenance, Record, Records, pixels

# What is shown at batch 1: software, way to run, and the schedule of ours that does the same.
COLUMNS = {("pytorch", "eager"): None, ("pytorch", "compile"): None, ("pytorch", "sequential"): "sequential",
           ("pytorch", "wavefront"): "wavefront", ("pytorch", "dataflow"): "dataflow", ("jax", "xla"): None}
# How many times faster than the fastest baseline the project means to be at batch 1.
GOALS = {"inception_v3": 1.3, "squeezenet": 1.3, "randwire": 1.6, "nasnet": 1.6}


@dataclass(frozen=True)
class Case:
    network: str
    precision: str
    batch: int
    image: int | str  # 0: the network's own

    def __str__(self) -> str:
        return (f"{self.network} {self.precision}" + (f" batch {self.batch}" if self.batch > 1 or not self.image else "")
                + (f" image {self.image}" if self.image else ""))

    def is_small(self) -> bool:
        return self.batch == 1 and not self.image

    def goal(self) -> float:
        if self.is_small():
            return GOALS.get(self.network, 1.1)
        return 1.1 if self.batch <= 16 else 1.0


def case_of(record: Record) -> Case:
    return Case(record.network, record.precision, record.batch, record.image)


@dataclass
class Ours:
    """A schedule of ours: chosen by its latency in opsched bench, reported from the baselines' own run."""

    scheduler: str
    benched: Record | None
    beside: list[Record]  # before and after the baselines

    @property
    def ms(self) -> float:
        return sum(r.value for r in self.beside) / len(self.beside) if self.beside else self.benched.value

    @property
    def record(self) -> Record:
        return self.beside[0] if self.beside else self.benched

    def text(self, marks: Marks) -> str:
        signs = marks.sign("‡", not self.beside) + marks.sign("§", not self.benched)
        return f"{self.ms:.3f}{signs}{marks.behind(self.record, self.benched)}"


@dataclass
class Comparison:
    case: Case
    theirs: list[Record]
    ours: dict[str, Ours]

    @property
    def fastest(self) -> Record:
        return fastest(self.theirs)

    @property
    def best(self) -> Ours:
        """Of those that ran beside the baselines, the one with the least latency in opsched bench; where none of them has
        one, the fastest beside; where none ran there, the fastest of bench."""
        beside = [o for o in self.ours.values() if o.beside]
        if chosen := [o for o in beside if o.benched]:
            return min(chosen, key=lambda o: o.benched.value)
        return min(beside or self.ours.values(), key=lambda o: o.ms)

    @property
    def ratio(self) -> float:
        return self.fastest.value / self.best.ms

    def ratio_text(self) -> str:
        return bold(ratio_text(self.ratio), self.ratio < self.case.goal())


def comparisons(records: Records) -> list[Comparison]:
    theirs = [r for r in records.select(quantity="latency", gpus=1) if r.software != "opsched"]
    ours = [r for r in records.select(quantity="latency", software="opsched", gpus=1, options={})
            if r.provenance is not Provenance.simulated]
    by_case = grouped((r for r in ours if not r.labels or "beside" in r.labels), case_of)
    found = []
    for case, others in grouped(theirs, case_of).items():
        schedules = {s: Ours(s, next((r for r in there if not r.labels), None), [r for r in there if r.labels])
                     for s, there in grouped(by_case.get(case, []), lambda r: r.scheduler).items()}
        if schedules:
            found.append(Comparison(case, others, schedules))
    return sorted(found, key=lambda c: (c.case.network, PRECISIONS.index(c.case.precision), c.case.batch, pixels(c.case.image)))


def batch_1(found: list[Comparison], marks: Marks) -> str:
    rows = []
    for c in found:
        by_way = {way: fastest(there) for way, there in grouped(c.theirs, lambda r: (r.software, way_of(r.scheduler))).items()}
        cells = [marks.cell(by_way.get(way), digits=3) +
                 (f" / {c.ours[same].text(marks)}" if same in c.ours else "") for way, same in COLUMNS.items()]
        rows.append([c.case.network, c.case.precision, str(c.case.batch), *cells,
                     f"{c.best.text(marks)} ({c.best.scheduler})", f"{c.ratio_text()} ({name_of(c.fastest)})"])
    head = ["network", "precision", "batch", *(BASELINES[way] + (" / ours" if same else "") for way, same in COLUMNS.items()),
            "our best", "fastest baseline / our best"]
    return table(head, rows)


def larger(title: str, found: list[Comparison], marks: Marks) -> str:
    if not found:
        return ""
    rows = []
    for c in found:
        others = sorted((r for r in c.theirs if r is not c.fastest), key=lambda r: r.value)
        rows.append([c.case.network, c.case.precision, str(c.case.batch), str(c.case.image or "own"),
                     f"{marks.cell(c.fastest, digits=3)} ({name_of(c.fastest)})",
                     f"{c.best.text(marks)} ({c.best.scheduler})", c.ratio_text(),
                     ", ".join(f"{name_of(r)} {r.value:.3f}" for r in others) or "-"])
    return f"\n### {title}\n\n" + table(["network", "precision", "batch", "image", "fastest baseline, ms", "our best, ms",
                                         "fastest baseline / our best", "others, ms"], rows)


def verdict(question: str, found: list[Comparison], goal: float | None) -> str:
    if not found:
        return f"* {question}: not measured.\n"
    missed = [f"{c.case} ({c.ratio:.2f}x)" for c in found if c.ratio < (goal or c.case.goal())]
    if not missed:
        return f"* {question}: yes, in all {len(found)} cases measured.\n"
    return f"* {question}: no, not in {len(missed)} of {len(found)} cases measured: {', '.join(missed)}.\n"


def verdicts(found: list[Comparison], root: str) -> str:
    """How ours stand to what the project means to reach, as a list."""
    more = [c for c in found if not c.case.is_small() and c.case.batch <= 16]
    text = verdict("Never slower than the fastest baseline", found, 1)
    text += verdict("Batch 1, as much faster as the project means to be", [c for c in found if c.case.is_small()], None)
    text += verdict("Up to batch 16, larger images too, 1.1 times as fast", more, 1.1)
    if without := [c for c in found if not any(r.scheduler.startswith("compile") for r in c.theirs)]:
        text += f"* torch.compile has no number in {len(without)} of these {len(found)} cases.\n"
    if without := [c for c in found if not any(r.software == "tensorrt" for r in c.theirs)]:
        text += f"* **TensorRT, the strongest baseline, is missing**: it has no number in {len(without)} of these {len(found)} cases. "
        text += f"One command adds it\n  where it is installed: [docs/baselines.md]({root}/docs/baselines.md#tensorrt-is-missing-from-the-numbers).\n"
    return text


def section(records: Records, marks: Marks) -> str:
    found = comparisons(records)
    if not found:
        return ""
    where = distinct(records.run_of(r).where() for c in found for r in c.theirs)
    text = "\n## Beside other software\n\n"
    text += f"Medians in ms on the same kind of GPU ({'; '.join(where)}), our weights and input, outputs compared with\n"
    text += "ours (`experiments/baselines/run_baselines.py`, [docs/baselines.md](../../docs/baselines.md)). \"Our best\" is the "
    text += "schedule with the\nleast latency in `opsched bench`, among those that ran beside the baselines; its latency is the "
    text += "mean of those before and after\nthe baselines in their own run, so that it is not chosen by what is reported. "
    text += "sequential, wavefront and dataflow (Opara's\nallocation on 16 streams): one CUDA graph with fused convolution + "
    text += "bias + ReLU. `-`: not measured here. **Bold**: below\nwhat the project means to reach (batch 1: 1.3 times the fastest "
    text += "baseline on Inception V3 and SqueezeNet, 1.6 times on RandWire\nand NasNet; else 1.1 times up to batch 16, 1 beyond).\n\n"
    text += verdicts(found, "../..") + "\n" + batch_1([c for c in found if c.case.is_small()], marks)
    text += larger("Larger batches", [c for c in found if c.case.batch > 1 and not c.case.image], marks)
    return text + larger("Larger images", [c for c in found if c.case.image], marks)
