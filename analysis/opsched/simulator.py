"""The section on how good the simulator is (`opsched fit`)."""

from opsched.page import bold, commands, distinct, table
from opsched.records import Record, Records

MEDIAN, RANK = 0.10, 0.9  # what is to be reached
GROUPS = {"concurrent": "all: concurrent", "merge": "all: merged", "operators": "all: single operators"}


def cells(r: Record, pairs: bool = False) -> list[str]:
    """Count, errors in percent and rank correlation; bold what falls short."""
    n = r.numbers
    row = [f"{n['count']:.0f}", bold(f"{100 * r.value:.1f}%", r.value > MEDIAN), f"{100 * n['p90']:.1f}%",
           "-" if n["count"] < 3 else bold(f"{n['rank']:.3f}", n["rank"] < RANK)]
    return row + ([f"{n['pairs_right']:.0f} of {n['pairs']:.0f}" if n.get("pairs") else "-"] if pairs else [])


def section(records: Records) -> str:
    found = [r for r in records.select(quantity="simulator_error") if r.numbers.get("count", 1)]
    if not found:
        return ""
    precisions = distinct(r.precision for r in found)

    def of(*groups: str) -> list[Record]:
        return [r for p in precisions for group in groups for r in found if r.is_like(group=group, precision=p)]

    stages = [[GROUPS.get(r.labels["group"], r.network), r.precision, *cells(r)] for r in of("stages", *GROUPS)]
    replayed, unseen = ([[r.network, r.precision, *cells(r, pairs=True)] for r in of(group)] for group in ("replayed", "unseen"))
    worst = sorted(of("held_out"), key=lambda r: -abs(r.value))[:10]
    head = ["network", "precision", "count", "median error", "90% below", "rank correlation"]
    text = "\n## How good the simulator is\n\n"
    text += "What was measured beside what the simulator says of it after a fit that has not seen it. To reach: a median\n"
    text += f"error of at most {100 * MEDIAN:.0f}% and a rank correlation of at least {RANK}; what falls short is bold. "
    text += "How it works and why it errs:\n[docs/simulator.md](../../docs/simulator.md).\n\n"
    text += commands(found, records.runs)
    text += "\nStages of several operators, a fifth left out at a time by the hash of their signature; single operators, too,\n"
    text += "estimated from the others. A stage counts for every network that has all of its operators.\n\n"
    text += table(head, stages)
    head.append("pairs in order")
    text += "\nSchedules, one scheduler left out at a time on all networks and batches; stages that the profile holds are\n"
    text += "replayed, as by `opsched bench --device sim`. Pairs: schedules of one network and batch whose latencies differ\n"
    text += "by more than 2%, and how many of them were predicted in the right order.\n\n"
    text += table(head, replayed)
    text += "\nThe same, and no stage of several operators of that scheduler's schedules was used either, in the fit or in\n"
    text += "the replay.\n\n" + table(head, unseen)
    text += "\nThe largest errors of replayed schedules:\n\n"
    return text + table(["schedule", "predicted / measured"],
                        [[r.labels.get("schedule", r.case()), f"{100 * r.value:+.1f}%"] for r in worst])
