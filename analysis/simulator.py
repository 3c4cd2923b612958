"""The section of a results page on how good the simulator is, from simulator.json (opsched fit -o)."""

import json
from pathlib import Path
from typing import Any

from results import table

MEDIAN, RANK = 0.10, 0.9  # what is to be reached


def error(stats: dict[str, Any], what: str) -> str:
    """A median or 90% quantile in percent; bold where the median is above its limit."""
    if stats["count"] == 0:
        return "-"
    text = f"{100 * stats[what]:.1f}%"
    return f"**{text}**" if what == "median" and stats[what] > MEDIAN else text


def rank(stats: dict[str, Any]) -> str:
    """Rank correlation; bold where it is below its limit."""
    if stats["count"] < 3:
        return "-"
    text = f"{stats['rank']:.3f}"
    return f"**{text}**" if stats["rank"] < RANK else text


def cells(stats: dict[str, Any]) -> list[str]:
    return [str(stats["count"]), error(stats, "median"), error(stats, "p90"), rank(stats)]


def schedule_cells(stats: dict[str, Any]) -> list[str]:
    pairs = f"{stats['pairs_right']} of {stats['pairs']}" if stats["pairs"] else "-"
    return [*cells(stats), pairs]


def section(folder: Path) -> str:
    """Empty where the folder holds no simulator.json."""
    file = folder / "simulator.json"
    if not file.exists():
        return ""
    data = json.loads(file.read_text())
    stages, replayed, unseen = [], [], []
    worst: list[tuple[float, str]] = []
    for profile in data["profiles"]:
        precision = profile["precision"]
        for network in profile["networks"]:
            name = [network["network"], precision]
            stages.append([*name, *cells(network["stages"])])
            replayed.append([*name, *schedule_cells(network["replayed"])])
            unseen.append([*name, *schedule_cells(network["unseen"])])
        for s in profile["held_out"]:
            worst.append((s["replayed_ms"] / s["measured_ms"] - 1, s["label"]))
        stages.append(["all: concurrent", precision, *cells(profile["concurrent"])])
        stages.append(["all: merged", precision, *cells(profile["merge"])])
        stages.append(["all: single operators", precision, *cells(profile["operators"])])
    worst.sort(key=lambda w: -abs(w[0]))
    head = ["network", "precision", "count", "median error", "90% below", "rank correlation"]
    text = "\n## How good the simulator is\n\n"
    text += "What was measured beside what the simulator says of it after a fit that has not seen it. To reach: a median\n"
    text += f"error of at most {100 * MEDIAN:.0f}% and a rank correlation of at least {RANK}; what falls short is bold. "
    text += "How it works and why it errs:\n[docs/simulator.md](../../docs/simulator.md).\n\n"
    text += f"```\n{data['command']}\n```\n"
    text += "\nStages of several operators, a fifth left out at a time by the hash of their signature; single operators, too,\n"
    text += "estimated from the others. A stage counts for every network that has all of its operators.\n\n"
    text += table(head, stages)
    head.append("pairs in order")
    text += "\nSchedules, one scheduler left out at a time on all networks and batches; stages that the profile holds are\n"
    text += "replayed, as by `opsched bench --device sim`. Pairs: schedules of one network and batch whose latencies differ\n"
    text += "by more than 2%, and how many of them were predicted in the right order.\n\n"
    text += table(head, replayed)
    text += "\nThe same, and no stage of several operators of that scheduler's schedules was used either, in the fit or in\n"
    text += "the replay.\n\n"
    text += table(head, unseen)
    text += "\nThe largest errors of replayed schedules:\n\n"
    text += table(["schedule", "predicted / measured"], [[label, f"{100 * e:+.1f}%"] for e, label in worst[:10]])
    return text
