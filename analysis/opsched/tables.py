"""Writes the pages of results folders from their records, so that no number in them is typed by hand.

  python3 analysis/tables.py results results/*          writes the pages of each folder, and the overview
  python3 analysis/tables.py --check results/h200       exits with 1 if the pages do not match the records
"""

import argparse
import sys
from pathlib import Path

from opsched import (arena, baselines, findings, launch, overview, protocols, roofline, several_gpus, simulations,
                     simulator, tuning)
from opsched.page import PRECISIONS, Marks, commands, fastest, grouped, plural, put, source, table, titled, where_from
from opsched.records import BadRecords, Provenance, Record, Records, Run, pixels
from opsched.subjects import by_subject

SEARCHES = ["greedy", "ios-merge", "ios-parallel", "ios-both", "ios-dataflow", "ios-verified"]
ABLATIONS = ["pruning", "strategies", "enumerations", "measuring", "barriers"]


def schedules(found: list[Record], marks: Marks) -> str:
    """One table per batch size, image size and number of GPUs: latency in ms by network and scheduler."""
    base = {(r.network, r.image, r.batch, r.precision): r for r in found if r.scheduler == "sequential" and r.gpus == 1}
    text = ""
    for (gpus, _, batch), chosen in sorted(grouped(found, lambda r: (r.gpus, pixels(r.image), r.batch)).items()):
        image = chosen[0].image
        precisions = [p for p in PRECISIONS if any(r.precision == p for r in chosen)]
        rows: dict[tuple[str, str], dict[str, str]] = {}
        for r in chosen:
            sequential = base.get((r.network, image, batch, r.precision))
            gain = f" ({sequential.value / r.value:.2f}x)" if sequential else ""
            rows.setdefault((r.network, r.scheduler_with_options()), {})[r.precision] = marks.cell(r, sequential, digits=3) + gain
        size = f"image {image}" if image else "the networks' own image sizes"
        text += f"\n### Batch {batch}, {size}, {plural(gpus, 'GPU')}\n\n"
        text += table(["network", "scheduler", *(f"{p}, ms" for p in precisions)],
                      [[*key, *(cells.get(p, "-") for p in precisions)] for key, cells in rows.items()])
    return titled("Schedules", "Median latencies in ms over replays of one CUDA graph. In brackets: speed-up over the sequential "
                   "schedule on one GPU,\nmeasured in the same way.\n\n" + source(found, marks.runs).rstrip() + "\n", text)


def searches(found: list[Record], runs: dict[str, Run]) -> str:
    """Search times including measurements, in the order of the searches."""
    searched = [r for r in found if r.is_like(scheduler=SEARCHES, batch=1, image=0, gpus=1)]
    timed = [r for r in searched if "search_seconds" in r.numbers and r.provenance is Provenance.measured]
    rows = []
    for case, there in grouped(timed, lambda r: (r.network, r.precision)).items():
        seconds = {r.scheduler: f"{r.numbers['search_seconds']:.2f}" for r in there}
        rows.append([*case, *(seconds.get(s, "-") for s in SEARCHES)])
    return titled("Search time, batch 1", "Seconds, including measurements on the GPU, with tuned kernels. The profile is not empty: each "
                   "search reuses what those to its left,\nand earlier runs, measured. The ablations show search times from an "
                   "empty profile.\n\n" + source(searched, runs),
                   table(["network", "precision", *SEARCHES], rows) if rows else "")


def ablations(records: Records, marks: Marks) -> str:
    text = ""
    found = records.select(quantity="latency", study=ABLATIONS)
    for (network, part, precision), rows in grouped(
            found, lambda r: (r.network, r.labels.get("part", ""), r.precision)).items():
        text += f"\n### {network}{f', part {part}' if part else ''}, {precision}\n\n{source(rows, records.runs)}"
        best = {study: fastest(there).value for study, there in grouped(rows, lambda r: r.labels["study"]).items()}
        text += table(["study", "variant", "latency, ms", "slower than best", "sum of stages, ms", "stages", "transitions",
                       "distinct stages", "measured", "search, s"],
                      [[r.labels["study"], r.labels["variant"], marks.cell(r, digits=4),
                        f"{100 * (r.value / best[r.labels['study']] - 1):.1f}%", f"{r.numbers['predicted_ms']:.4f}",
                        *(f"{r.numbers[k]:.0f}" for k in ("stages", "transitions", "distinct_stages", "measured_stages")),
                        f"{r.numbers['search_seconds']:.2f}" if "search_seconds" in r.numbers else "-"] for r in rows])
        pair = {r.labels["variant"]: r.numbers for r in rows if r.labels["study"] == "measuring"}
        if len(pair) == 2:
            few, every = pair["as needed"], pair["exhaustive"]
            text += f"\nThe search that measures as needed measured {few['measured_stages']:.0f} stages. By the sum of stages it is "
            text += f"{100 * (few['predicted_ms'] / every['predicted_ms'] - 1):.2f}%"
            text += f" slower than measuring all {every['measured_stages']:.0f}.\n"
    return titled("Ablations of the IOS search", "`opsched ablation`. \"search\" is the time of the whole search, including "
                   "measurements; \"measured\" is the number of different stages measured.\n", text)


def growth(records: Records) -> str:
    """Size and time of the IOS search, without measurements."""
    found = [r for r in records.standing() if r.quantity == "search_growth"]
    text = ""
    for options, there in grouped((r for r in found if not r.labels), lambda r: tuple(r.options.items())).items():
        rows = []
        for r in there:
            n = r.numbers
            rows.append([r.network, r.texts.get("states", "-"), *(["-"] * 6), r.missing] if r.missing else
                        [r.network, *(f"{n[k]:.0f}" for k in ("states", "width", "transitions", "distinct_stages")),
                         f"{n['count_seconds']:.3f}", f"{n['count_mb']:.1f}", f"{r.value:.3f}", f"{n['search_mb']:.1f}"])
        text += f"\n### {', '.join(f'{k} {v}' for k, v in options)}\n\n" + table(
            ["graph", "states", "width", "transitions", "distinct stages", "count, s", "count, MB", "search, s", "search, MB"],
            rows)
    if repeated := [r for r in found if r.labels and not r.missing]:
        text += "\n### Repeated runs\n\nMedians (fastest to slowest), seconds.\n\n" + table(
            ["graph", "transitions", "runs", "count, s", "search, s"],
            [[r.network, f"{r.numbers['transitions']:.0f}", str(r.spread.runs),
              "{count_seconds:.2f} ({count_seconds_min:.2f} to {count_seconds_max:.2f})".format(**r.numbers),
              f"{r.value:.2f} ({r.spread.min:.2f} to {r.spread.max:.2f})"] for r in repeated])
    return titled(
        "Growth of the IOS search", "`opsched growth` with synthetic stage latencies, so that only the search is timed. "
        "\"count\" enumerates every state and\ntransition without storing transitions. \"search\" stores them, looks up the "
        "latency of every distinct stage and finds the best\nschedule. MB is the peak memory beyond what the process used "
        "before. wsN is a RandWire stage, WS(N, 4, 0.75), and its\njoin. All counts are exact; times are from the machine "
        "named below.\n", text)


def pages(folder: Path) -> dict[str, str]:
    """The pages by file name: README.md and, if that would be too long, one page per subject."""
    records = Records.read(folder)
    marks = Marks(records.runs)
    latencies = records.select(quantity="latency", software="opsched", labels={})
    plain = [r for r in latencies if not r.options]
    sections = (arena.sections(records) + baselines.section(records, marks) + roofline.section(records, marks) +
                launch.section(records, marks) + tuning.section(records, marks) + protocols.sections(records, marks) +
                searches(plain, records.runs) + several_gpus.sections(plain, marks) +
                schedules(latencies, marks) + ablations(records, marks) + simulator.section(records) + simulations.section(records) +
                growth(records))
    found = records.select()
    notes = folder / "NOTES.md"
    name = folder.resolve().name
    head = f"# {name}\n\n{findings.text(records, latencies)}"
    head += "Generated by `analysis/tables.py` from the records in this folder; do not edit.\n"
    head += "\n" + notes.read_text() if notes.exists() else ""
    legend = f"\n{marks.legend()}\n" if marks.used else ""
    end = "\n## Source of the records\n\n" + where_from(found, records.runs)
    end += "\nCommands that made the records:\n\n" + commands(found, records.runs)
    return by_subject(name, head, legend, sections, end)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args()
    same = True
    for folder in args.folders:
        try:
            over = any(folder.glob("*/records.jsonl"))
            if not over and not (folder / "records.jsonl").exists():
                sys.exit(f"tables: '{folder}' has no records.jsonl")
            for name, text in ({"README.md": overview.page(folder)} if over else pages(folder)).items():
                same &= put(folder / name, text, args.check)
        except (BadRecords, OSError, KeyError, ValueError) as error:
            sys.exit(f"tables: '{folder}' is not a results folder that this version can read: {error!r}")
    return 1 if args.check and not same else 0
