"""The main findings of a results folder, for the first lines of its page."""

from collections.abc import Callable, Iterable

from opsched import arena, baselines
from opsched.page import COMPARED_IN, distinct, fastest, grouped, plural
from opsched.records import Provenance, Record, Records, pixels
from opsched.simulations import studies


def span(ratios: list[float]) -> str:
    """The smallest and the largest ratio, as in "1.21 to 3.55 times as fast", or the only one."""
    return " to ".join(distinct(f"{r:.2f}" for r in (min(ratios), max(ratios)))) + " times as fast"


def how(found: Iterable[Record]) -> str:
    """Says which of the numbers in a sentence were not measured."""
    weaker = {r.provenance for r in found} - {Provenance.measured}
    return f" ({' and '.join(sorted(p.value for p in weaker))})" if weaker else ""


def where(found: list[Record]) -> str:
    images = distinct(r.image for r in found)
    size = [f"image size {images[0]}"] if len(images) == 1 and images[0] else []
    batches = distinct(r.batch for r in found)
    return ", ".join([f"batch {batches[0]}"] * (len(batches) == 1) + size)


def speedups(found: list[Record], base: Callable[[Record], bool], best: Callable[[Record], bool]) -> list[tuple[Record, Record]]:
    """For each network, image size, batch and precision with records of both groups: the fastest of each group."""
    cases = grouped(found, lambda r: (r.network, pixels(r.image), r.batch, r.precision)).values()
    pairs = [(fastest(filter(base, there)), fastest(filter(best, there))) for there in cases]
    return [(b, a) for b, a in pairs if b and a]


def compared(subject: str, than: str, pairs: list[tuple[Record, Record]]) -> str:
    both = [r for pair in pairs for r in pair]
    at = where(both)
    return (f"{subject} {span([b.value / a.value for b, a in pairs])} as {than} in {plural(len(pairs), 'case')}"
            f"{' at ' + at if at else ''}{how(both)}.")


def beside_baselines(records: Records) -> list[str]:
    small = [c for c in baselines.comparisons(records) if c.case.is_small()]
    found = [c for c in small if c.case.precision not in COMPARED_IN]
    text = [f"Our schedules are {span([c.ratio for c in found])} as the fastest baseline in {plural(len(found), 'case')} at batch 1."] if found else []
    for own, their in COMPARED_IN.items():
        if found := [c for c in small if c.case.precision == own]:
            text.append(f"In {own}, they are {span([c.ratio for c in found])} as the fastest baseline in {their} in {plural(len(found), 'case')} at batch 1.")
    return text


def on_several_gpus(found: list[Record]) -> list[str]:
    text = []
    for gpus in sorted({r.gpus for r in found} - {1}):
        if pairs := speedups(found, lambda r: r.gpus == 1, lambda r: r.gpus == gpus):
            text.append(compared(f"The fastest schedule on {gpus} GPUs is", "the fastest on one GPU", pairs))
    return text


def on_one_gpu(found: list[Record]) -> list[str]:
    small = [r for r in found if r.gpus == 1 and r.batch == 1 and not r.image]
    pairs = speedups(small, lambda r: r.scheduler == "sequential", lambda r: r.scheduler != "sequential")
    return [compared("The fastest schedule is", "sequential", pairs)] if pairs else []


def in_the_arena(records: Records) -> list[str]:
    all_of = [c for c in arena.contests(records.select(quantity="arena")) if len(c) > 1]
    if not all_of:
        return []
    first: dict[str, int] = {}
    for r in (r for contest in all_of for r in contest if r.numbers.get("rank") == 1):
        first[r.scheduler_with_options()] = first.get(r.scheduler_with_options(), 0) + 1
    best = max(first, key=lambda name: first[name])
    return [f"{best} is ranked first most often: in {first[best]} of {plural(len(all_of), 'contest')}, ties included."]


def of_simulations(records: Records) -> list[str]:
    """The algorithm with the shortest mean makespan at most points of the makespan studies."""
    wins: dict[str, int] = {}
    points = 0
    for study in studies(records):
        names = [a for a in study.algorithms if a != "lower-bound"]
        if study.measure in ("makespan", "share") and len(names) > 1:
            for x, gpus in study.points:
                there = {a: study.values[x, gpus, a].value for a in names if (x, gpus, a) in study.values}
                if there:
                    best = min(there, key=lambda a: there[a])
                    wins[best] = wins.get(best, 0) + 1
                    points += 1
    if not wins:
        return []
    best = max(wins, key=lambda name: wins[name])
    return [f"{best} has the shortest mean makespan at {wins[best]} of {plural(points, 'point')} (synthetic costs)."]


def of_the_search(records: Records) -> list[str]:
    found = [r for r in records.select(quantity="search_growth") if "transitions" in r.numbers]
    if not found:
        return []
    largest = max(found, key=lambda r: r.numbers["transitions"])
    return [f"The largest search, {largest.network} with {largest.numbers['transitions']:,.0f} transitions, takes "
            f"{largest.value:.1f} s without measuring (synthetic costs)."]


def text(records: Records, latencies: list[Record]) -> str:
    """`latencies`: ours without labels."""
    lines = (beside_baselines(records) + on_several_gpus(latencies) + on_one_gpu(latencies) + in_the_arena(records) +
             of_simulations(records) + of_the_search(records))
    return "".join(f"* {line}\n" for line in lines) + "\n" if lines else ""
