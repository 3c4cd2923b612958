"""The section on the accuracy of the simulator (`opsched fit`)."""

from opsched.page import bold, commands, distinct, table
from opsched.records import Record, Records

MEDIAN, RANK = 0.10, 0.9  # targets
GROUPS = {"concurrent": "all: concurrent", "merge": "all: merged", "operators": "all: single operators"}


def cells(r: Record, pairs: bool = False) -> list[str]:
    """Count, errors in percent and rank correlation; missed targets in bold."""
    n = r.numbers
    row = [f"{n['count']:.0f}", bold(f"{100 * r.value:.1f}%", r.value > MEDIAN), f"{100 * n['p90']:.1f}%",
           "-" if n["count"] < 3 else bold(f"{n['rank']:.3f}", n["rank"] < RANK)]
    return row + ([f"{n['pairs_right']:.0f} of {n['pairs']:.0f}" if n.get("pairs") else "-"] if pairs else [])


def by_gpus(records: list[Record]) -> str:
    """Errors of the schedules on each number of GPUs."""
    rows = []
    for r in sorted(records, key=lambda r: (r.gpus, r.labels["group"] == "split")):
        worst = f"{100 * r.numbers['worst']:.1f}%"
        rows.append([str(r.gpus), f"{r.labels['group']} operators", r.precision, *cells(r, pairs=True)[:3], worst, *cells(r, pairs=True)[3:]])
    text = "\nThe replayed schedules by number of GPUs. Schedules that split operators were left out together, those that were only\n"
    text += "tried in a search included: nothing was fitted to any of them. \"Pairs in order\": of the pairs of schedules of one network,\n"
    text += "batch and image size whose latencies differ by more than the median error, the number predicted in the right order.\n\n"
    return text + table(["GPUs", "schedules", "precision", "count", "median error", "90% below", "worst", "rank correlation",
                         "pairs in order"], rows)


def of_last_fit(records: Records) -> list[Record]:
    """The errors of the last fit of each precision. An earlier fit may have had schedules that this one had not."""
    found = [r for r in records.select(quantity="simulator_error") if r.numbers.get("count", 1)]
    last = {r.precision: r.run for r in sorted(found, key=lambda r: r.time)}
    return [r for r in found if r.run == last[r.precision]]


def section(records: Records) -> str:
    found = of_last_fit(records)
    if not found:
        return ""
    precisions = distinct(r.precision for r in found)

    def of(*groups: str) -> list[Record]:
        return [r for p in precisions for group in groups for r in found if r.is_like(group=group, precision=p)]

    stages = [[GROUPS.get(r.labels["group"], r.network), r.precision, *cells(r)] for r in of("stages", *GROUPS)]
    replayed, unseen = ([[r.network, r.precision, *cells(r, pairs=True)] for r in of(group)] for group in ("replayed", "unseen"))
    others = [[r.network, r.precision, *cells(r)] for r in of("other_networks")]
    gpus = of("whole", "split")
    worst = sorted(of("held_out"), key=lambda r: -abs(r.value))[:10]
    head = ["network", "precision", "count", "median error", "90% below", "rank correlation"]
    text = "\n## Accuracy of the simulator\n\n"
    text += "Measurements compared with predictions of a simulator that was fitted without them. Targets: a median error of at most\n"
    text += f"{100 * MEDIAN:.0f}% and a rank correlation of at least {RANK}. Missed targets are bold. "
    text += "[docs/simulator.md](../../docs/simulator.md) explains the simulator\nand its weaknesses.\n\n"
    text += commands(found, records.runs)
    text += "\nStages of several operators, with one fifth left out at a time (by the hash of the signature), and single operators\n"
    text += "estimated from the others. A stage counts for every network that has all its operators.\n\n"
    text += table(head, stages)
    head.append("pairs in order")
    text += "\nSchedules, with one scheduler left out at a time on all networks and batches; those that a search only tried, on one\n"
    text += "network at a time. Stages in the profile are replayed, as in\n"
    text += "`opsched bench --device sim`. \"Pairs in order\": of the pairs of schedules of one network and batch whose latencies differ\n"
    text += "by more than 2%, the number predicted in the right order.\n\n"
    text += table(head, replayed)
    if gpus:
        text += by_gpus(gpus)
    if others:
        text += "\nThe same with one network left out at a time: nothing was fitted to any of its schedules.\n\n" + table(head[:-1], others)
    text += "\nThe same with one scheduler left out, but also without the stages of several operators in that scheduler's schedules,\n"
    text += "both in the fit and in the replay.\n\n" + table(head, unseen)
    text += "\nThe largest errors of replayed schedules:\n\n"
    return text + table(["schedule", "predicted / measured"],
                        [[r.labels.get("schedule", r.case()), f"{100 * r.value:+.1f}%"] for r in worst])
