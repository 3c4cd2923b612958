"""Simulation studies (HIOS's and ours) on random DAGs with synthetic costs: statistics, and the section of a page."""

import statistics
from dataclasses import dataclass

from opsched.page import commands, distinct, grouped, table
from opsched.records import Record, Records

# By the text "measure" of a study: its quantity, and the number of decimals.
MEASURES = {
    "makespan": ("makespan, ms", 2),
    "share": ("makespan / sequential", 4),
    "gap": ("above the optimum, %", 2),
    "time": ("processor time to schedule, ms", 2),
}
# Two-sided 95% quantiles of Student's t, by degrees of freedom.
STUDENT = [0, 12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216, 2.22814, 2.20099, 2.17881]


def student(freedom: int) -> float:
    """Beyond the table: an expansion around the normal distribution, accurate to 1e-5 there."""
    if freedom < len(STUDENT):
        return STUDENT[freedom]
    z = 1.959963985
    terms = (z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
             (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160)
    return sum(term / freedom**i for i, term in enumerate(terms))


@dataclass(frozen=True)
class Point:
    """A mean and half its 95% confidence interval, or a median without one."""

    value: float
    half: float | None


def x_of(record: Record) -> float:
    return float(record.labels["x"])


def algorithm_of(record: Record) -> str:
    """The scheduler with its options, as in "heft split=rows"."""
    return record.scheduler_with_options().replace(",", " ")


def point(record: Record, optimum: Record | None) -> Point:
    makespans = record.series["makespan_ms"]
    measure = record.texts["measure"]
    if measure == "time":
        return Point(statistics.median(record.series["cpu_ms"]), None)
    if measure == "share":
        makespans = [m / s for m, s in zip(makespans, record.series["sequential_ms"])]
    if measure == "gap":
        makespans = [100 * (m / best - 1) for m, best in zip(makespans, optimum.series["makespan_ms"])]
    mean, n = statistics.fmean(makespans), len(makespans)
    if n < 2 or record.scheduler == "lower-bound":
        return Point(mean, None)
    return Point(mean, student(n - 1) * statistics.stdev(makespans) / n**0.5)


class Study:
    """The records of one study by point and algorithm."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        first = records[0]
        self.title, self.parameter, self.measure = (first.texts[k] for k in ("title", "parameter", "measure"))
        self.label, self.digits = MEASURES[self.measure]
        self.points = distinct((x_of(r), r.gpus) for r in records)
        self.algorithms = [a for a in distinct(algorithm_of(r) for r in records)
                           if a != "lower-bound" or self.measure in ("makespan", "share")]
        optimum = {(x_of(r), r.gpus): r for r in records if r.scheduler == "exact"}
        self.values = {(x_of(r), r.gpus, algorithm_of(r)): point(r, optimum.get((x_of(r), r.gpus))) for r in records
                       if algorithm_of(r) in self.algorithms and (self.measure != "gap" or (x_of(r), r.gpus) in optimum)}

    def cell(self, x: float, gpus: int, algorithm: str) -> str:
        found = self.values.get((x, gpus, algorithm))
        if found is None:
            return "-"
        return f"{found.value:.{self.digits}f}" + (f" ± {found.half:.{self.digits}f}" if found.half is not None else "")

    def table(self, names: dict[str, str]) -> tuple[list[str], list[list[str]]]:
        gpus = [] if self.parameter == "GPUs" else ["GPUs"]
        head = [self.parameter, *gpus, *(names.get(a, a) for a in self.algorithms)]
        return head, [[f"{x:g}", *([str(g)] if gpus else []), *(self.cell(x, g, a) for a in self.algorithms)]
                      for x, g in self.points]

    def what(self) -> str:
        spread = "median" if self.measure == "time" else "mean ± half the 95% confidence interval"
        n = self.records[0].numbers
        return (f"{self.label[0].upper() + self.label[1:]}; {spread}; {n['dags']:.0f} DAGs per point, stages of up to "
                f"{n['window']:.0f} operators; synthetic costs")


def studies(records: Records) -> list[Study]:
    found = records.select(quantity="makespan", network="random-dag")
    return [Study(there) for there in grouped(found, lambda r: r.labels["study"]).values()]


def section(records: Records) -> str:
    found = studies(records)
    if not found:
        return ""
    text = "\n## Simulations of random DAGs\n\n"
    text += "Random DAGs with synthetic costs (HIOS, CLUSTER 2023, section V). All makespans come from the exact evaluation.\n"
    for study in found:
        text += f"\n### {study.title}\n\n{study.what()}.\n\n{commands(study.records, records.runs)}\n" + table(*study.table({}))
    return text
