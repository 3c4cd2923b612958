"""The sections of `opsched arena`: rankings over all contests and in each contest."""

import math

from opsched.page import NETWORKS, grouped, join, number, plural, table, titled
from opsched.records import Record, Records, pixels


HEAD = ["network", "batch", "precision", "best, ms", "above bound", "search, s", "rank, scheduler, behind best"]


def is_predicted(r: Record) -> bool:
    return r.texts.get("latency") == "predicted"


def contests(found: list[Record]) -> list[list[Record]]:
    """Records by contest, fastest first, unranked ones last."""
    by: dict[tuple, list[Record]] = {}
    for r in found:
        by.setdefault((r.labels["on"], r.gpus, r.network, pixels(r.image), r.batch, r.precision), []).append(r)
    return [sorted(there, key=lambda r: (r.value is None, r.value or 0)) for _, there in sorted(by.items())]


def standings(all_of: list[list[Record]]) -> str:
    rows: dict[str, dict[str, float]] = {}
    for contest in all_of:
        for r in contest:
            row = rows.setdefault(r.scheduler_with_options(), {"contests": 0, "first": 0, "behind": 0, "predicted": 0, "refused": 0})
            if r.value is None:
                row["refused"] += 1
                continue
            row["contests"] += 1
            row["first"] += r.numbers.get("rank") == 1
            row["behind"] += math.log1p(r.value / contest[0].value - 1)
            row["predicted"] += is_predicted(r)

    def mean(row: dict[str, float]) -> float:
        return math.expm1(row["behind"] / row["contests"]) if row["contests"] else math.inf

    return table(["scheduler", "contests", "first", "behind best", "predicted", "not ranked"],
                 [[scheduler, f"{row['contests']:.0f}", f"{row['first']:.0f}",
                   f"{100 * mean(row):.1f}%" if row["contests"] else "-", f"{row['predicted']:.0f}", f"{row['refused']:.0f}"]
                  for scheduler, row in sorted(rows.items(), key=lambda item: (mean(item[1]), item[0]))])


def ranking(contest: list[Record]) -> str:
    words = []
    for r in contest:
        if r.value is not None:
            sign = "~" if is_predicted(r) else ""
            words.append(f"{number(r, 'rank', '.0f')} {sign}{r.scheduler_with_options()} +{100 * (r.value / contest[0].value - 1):.1f}%")
    return ", ".join(words)


def row(contest: list[Record]) -> list[str]:
    best = contest[0]
    image = f", image {best.image}" if best.image else ""
    bound = f"{100 * best.numbers['above_bound']:.0f}%" if "above_bound" in best.numbers else "-"
    return [f"{best.network}{image}", str(best.batch), best.precision, f"{best.value:.4f}", bound, number(best, "search_seconds", ".2f"),
            ranking(contest)]


def refusals(all_of: list[list[Record]]) -> str:
    """By reason, the number of unranked records of each scheduler."""
    found: dict[str, dict[str, int]] = {}
    for r in (r for contest in all_of for r in contest if r.value is None):
        reason = found.setdefault(f"{r.labels['on']}: {r.missing}", {})
        reason[r.scheduler_with_options()] = reason.get(r.scheduler_with_options(), 0) + 1
    return "".join(f"* {reason}: {', '.join(f'{s} ({n})' for s, n in sorted(who.items()))}\n"
                   for reason, who in sorted(found.items()))


def in_each_contest(all_of: list[list[Record]]) -> str:
    """A section for every profile and number of GPUs, with a table for every network."""
    text = ""
    ranked = [c for c in all_of if c[0].value is not None]
    for (on, gpus), there in grouped(ranked, lambda c: (c[0].labels["on"], c[0].gpus)).items():
        by_network = grouped(there, lambda c: c[0].network)
        tables = [f"\n### {NETWORKS[network]}\n\n" + table(HEAD, [row(c) for c in found]) for network, found in by_network.items()]
        text += titled(f"Contests on {plural(gpus, 'GPU')}, costs of {on}",
                       f"{plural(len(there), 'contest')} on {join([NETWORKS[n] for n in by_network])}. Each row ranks every scheduler "
                       "that took part, the fastest first.\n", "".join(tables))
    return text


def sections(records: Records) -> str:
    found = records.select(quantity="arena") + [r for r in records.standing() if r.quantity == "arena" and r.missing]
    found = list({r.key(): r for r in found}.values())
    if not found:
        return ""
    all_of = contests(found)
    validators = ", ".join(sorted({r.texts.get("validator", "unknown") for r in found}))
    text = "\"First\": no other scheduler is certainly faster, so several schedulers can be first in one contest. \"Behind best\" is a "
    text += "geometric mean\nover the contests of a scheduler. These contests differ, so compare two schedulers in the tables of "
    text += "contests. [docs/arena.md](../../docs/arena.md)\nexplains ranks and errors. \"Predicted\", and `~` in the tables of contests: "
    text += f"from a profile; other latencies were measured.\nAll schedules passed validator version {validators}.\n\n"
    return titled("Schedulers ranked", "", text + standings(all_of)) + in_each_contest(all_of) + titled("Not ranked", "", refusals(all_of))
