"""The section that compares our schedules with other software on the same GPU."""

from dataclasses import dataclass, replace

from opsched.page import BASELINES, COMPARED_IN, PRECISIONS, Marks, base_of, bold, distinct, fastest, grouped, name_of, ratio_text, table, way_of
from opsched.records import Provenance, Record, Records, pixels

# Columns at batch 1: software and mode, and our corresponding schedule.
COLUMNS = {("pytorch", "eager"): None, ("pytorch", "compile"): None, ("pytorch", "sequential"): "sequential",
           ("pytorch", "wavefront"): "wavefront", ("pytorch", "dataflow"): "dataflow", ("jax", "xla"): None}
# Required speed-up over the fastest baseline at batch 1.
GOALS = {"inception_v3": 1.3, "squeezenet": 1.3, "randwire": 1.6, "nasnet": 1.6}


@dataclass(frozen=True)
class Case:
    network: str
    precision: str
    batch: int
    image: int | str  # 0: the network's default

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
    """One of our schedules. It is chosen by its latency in opsched bench; the latency from the baselines' run is
    reported."""

    scheduler: str
    benched: Record | None
    beside: list[Record]  # measured before and after the baselines

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
        """The schedule that is fastest in opsched bench, among those also measured in the baselines' run. If bench has
        none of them, the fastest in the baselines' run; if that has none, the fastest in bench."""
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
    theirs_of = grouped(theirs, case_of)
    for case in by_case:  # ours in a precision that others do not have
        if others := theirs_of.get(replace(case, precision=COMPARED_IN.get(case.precision, ""))):
            theirs_of[case] = others
    for case, others in theirs_of.items():
        software = fastest(others).software  # ours beside other software may be from another GPU
        schedules = {}
        for scheduler, there in grouped(by_case.get(case, []), lambda r: r.scheduler).items():
            benched = next((r for r in there if not r.labels), None)
            if (beside := [r for r in there if r.labels.get("beside") == software]) or benched:
                schedules[scheduler] = Ours(scheduler, benched, beside)
        if schedules:
            found.append(Comparison(case, others, schedules))
    return sorted(found, key=lambda c: (c.case.network, PRECISIONS.index(c.case.precision), c.case.batch, pixels(c.case.image)))


def by_mode(c: Comparison) -> dict[tuple[str, str], Record]:
    """The fastest of a mode's options and layouts, by software and mode."""
    return {mode: fastest(there) for mode, there in grouped(c.theirs, lambda r: (r.software, base_of(r.scheduler))).items()}


def batch_1(found: list[Comparison], marks: Marks) -> str:
    rows = []
    measured = {mode for c in found for mode in by_mode(c)}
    columns = {mode: same for mode, same in COLUMNS.items() if mode in measured}
    for c in found:
        theirs = by_mode(c)
        cells = [marks.cell(theirs.get(mode), digits=3) +
                 (f" / {c.ours[same].text(marks)}" if same in c.ours else "") for mode, same in columns.items()]
        rows.append([c.case.network, c.case.precision, str(c.case.batch), *cells,
                     f"{c.best.text(marks)} ({c.best.scheduler})", f"{c.ratio_text()} ({name_of(c.fastest)})"])
    head = ["network", "precision", "batch", *(BASELINES[mode] + (" / ours" if same else "") for mode, same in columns.items()),
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
    return f"* {question}: no, missed in {len(missed)} of {len(found)} cases measured: {', '.join(missed)}.\n"


def verdicts(found: list[Comparison], root: str) -> str:
    """Whether our schedules reach the targets, as a list."""
    more = [c for c in found if not c.case.is_small() and c.case.batch <= 16]
    text = verdict("Never slower than the fastest baseline", found, 1)
    closest = sorted(found, key=lambda c: c.ratio)[:3]
    text += f"* Closest to ours: {', '.join(f'{name_of(c.fastest)} on {c.case} ({c.ratio:.2f}x)' for c in closest)}.\n" if found else ""
    text += verdict("Target speed-up at batch 1 reached", [c for c in found if c.case.is_small()], None)
    text += verdict("At least 1.1 times as fast up to batch 16 and for larger images", more, 1.1)
    if without := [c for c in found if not any(r.scheduler.startswith("compile") for r in c.theirs)]:
        text += f"* torch.compile was not measured in {len(without)} of these {len(found)} cases.\n"
    if without := [c for c in found if not any(r.software == "tensorrt" for r in c.theirs)]:
        text += f"* **TensorRT, the strongest baseline, is missing** in {len(without)} of these {len(found)} cases. "
        text += f"If it is installed, one\n  command adds it: [docs/baselines.md]({root}/docs/baselines.md#tensorrt-is-missing-from-the-numbers).\n"
    return text


def section(records: Records, marks: Marks) -> str:
    found = comparisons(records)
    if not found:
        return ""
    where = distinct(records.run_of(r).where() for c in found for r in c.theirs)
    text = "\n## Comparison with other software\n\n"
    text += f"Medians in ms on the same type of GPU ({'; '.join(where)}), with our weights and input; outputs are compared\n"
    text += "with ours (`experiments/baselines/run_baselines.py`, [docs/baselines.md](../../docs/baselines.md)).\n\n"
    text += "* \"Our best\" is the schedule that is fastest in `opsched bench`, among those measured in the baselines' run. The latency "
    text += "shown is the mean\n  of its measurements before and after the fastest baseline's software ran, so it is not the number that the schedule was "
    text += "chosen by.\n"
    text += "* sequential, wavefront and dataflow (Opara's allocation on 16 streams) are one CUDA graph with fused convolution + bias + "
    text += "ReLU.\n"
    if any(c.case.precision in COMPARED_IN for c in found):
        text += "* tf32x3 is [as accurate as fp32](../../docs/performance/tf32x3.md), so it is compared with other software in fp32.\n"
    if any("+" in r.scheduler or way_of(r.scheduler) != r.scheduler for c in found for r in c.theirs):
        text += "* At batch 1, a column shows the fastest of a mode's measured options and layouts "
        text += "([which there are](../../docs/baselines.md#pytorch-mode-options)).\n"
    text += "* `-`: not measured here. **Bold**: below the target speed-up over the fastest baseline (batch 1: 1.3 on Inception V3 and "
    text += "SqueezeNet,\n  1.6 on RandWire and NasNet, 1.1 on others; otherwise 1.1 up to batch 16, and 1 beyond).\n\n"
    text += verdicts(found, "../..") + "\n" + batch_1([c for c in found if c.case.is_small()], marks)
    text += larger("Larger batches", [c for c in found if c.case.batch > 1 and not c.case.image], marks)
    return text + larger("Larger images", [c for c in found if c.case.image], marks)
