#!/usr/bin/env python3
"""Writes README.md of a results folder from the data in it, so that no number there is typed by hand.

  python3 analysis/tables.py results/h200            writes results/h200/README.md
  python3 analysis/tables.py --check results/h200    exits with 1 if it is not what the data say
"""

import argparse
import json
import pathlib
import sys

import beside_peers
import floors
import launch
import several_gpus
import simulator
from results import PRECISIONS, STOPPED, load_bench, load_peers, table, write_whole

SEARCHES = ["greedy", "ios-merge", "ios-parallel", "ios-both", "ios-dataflow", "ios-verified"]


def schedules(results):
    """One table for each batch, image size and device count: latency in ms by network and scheduler."""
    text = ""
    settings = sorted({(r["gpus"], r["image"], r["batch"]) for r in results})
    for gpus, image, batch in settings:
        chosen = [r for r in results if (r["gpus"], r["image"], r["batch"]) == (gpus, image, batch)]
        by_key = {(r["network"], r["scheduler"], r["precision"]): r for r in chosen}
        rows = []
        for network, scheduler in dict.fromkeys((r["network"], r["scheduler"]) for r in chosen):
            cells = []
            for precision in PRECISIONS:
                r = by_key.get((network, scheduler, precision))
                base = next((b for b in results if b["scheduler"] == "sequential" and b["gpus"] == 1 and
                             all(b[k] == r[k] for k in ("network", "image", "batch", "precision"))), None) if r else None
                gain = f" ({base['ms'] / r['ms']:.2f}x)" if base else ""
                mark = " !" if r and r["throttled"] else ""
                sign = "~" if r and r["how"] == "simulated" else ""
                cells.append(f"{sign}{r['ms']:.3f}{gain}{mark}" if r else "-")
            rows.append([network, scheduler, *cells])
        size = f"image {image}" if image else "the networks' own image sizes"
        text += f"\n### Batch {batch}, {size}, {gpus} GPU{'s' if gpus > 1 else ''}\n\n"
        text += table(["network", "scheduler", *PRECISIONS], rows)
    return text


def searches(results):
    """What it took to find schedules, measuring included, in the order in which they were looked for."""
    rows = []
    for network, precision in dict.fromkeys((r["network"], r["precision"]) for r in results):
        seconds = {r["scheduler"]: r["search_seconds"] for r in results if r["scheduler"] in SEARCHES and
                   (r["network"], r["precision"], r["batch"], r["image"], r["gpus"]) == (network, precision, 1, 0, 1)
                   and r["how"] == "measured"}
        if seconds:
            rows.append([network, precision, *(f"{seconds[s]:.2f}" if s in seconds else "-" for s in SEARCHES)])
    if not rows:
        return ""
    return ("\n## Time to find schedules, batch 1\n\nSeconds, measuring on the GPU included, kernels tuned; from left to "
            "right, each finds what those before it, and earlier runs,\nmeasured. What a search takes that begins with "
            "an empty profile is with the ablations of one GPU.\n\n" +
            table(["network", "precision", *SEARCHES], rows))


def ablation_table(rows):
    """Rows of one file of `opsched ablation`, study by study."""
    best = {study: min(r["run_ms"] for r in rows if r["study"] == study) for study in {r["study"] for r in rows}}
    cells = [[r["study"], r["variant"], f"{r['run_ms']:.4f}", f"{100 * (r['run_ms'] / best[r['study']] - 1):.1f}%",
              f"{r['predicted_ms']:.4f}", str(r["schedule_stages"]), str(r["transitions"]), str(r["stages"]),
              str(r["measured"]), f"{r['search_seconds']:.2f}"] for r in rows]
    head = ["study", "variant", "run, ms", "over the best", "sum of its stages, ms", "stages", "transitions",
            "distinct stages", "measured", "search, s"]
    return table(head, cells)


def ablations(folder):
    text = ""
    for file in sorted(folder.glob("ablation-*.json")):
        study = json.loads(file.read_text())
        text += f"\n### {study['graph']}, {study['precision']}\n\n{study['origin']}.\n\n"
        text += ablation_table(study["rows"])
        pair = {r["variant"]: r for r in study["rows"] if r["study"] == "measuring"}
        if len(pair) == 2:
            behind = pair["as needed"]["predicted_ms"] / pair["exhaustive"]["predicted_ms"] - 1
            text += f"\nThe search as needed measured {pair['as needed']['measured']} stages and ends {100 * behind:.2f}%"
            text += f" behind measuring all {pair['exhaustive']['measured']}, by the sum of stages.\n"
    if text:
        text = ("\n## Ablations of the IOS search\n\n`opsched ablation`: \"search\" is the whole search, measuring "
                "included; \"measured\" are stages that no equal one had been measured of.\n" + text)
    return text


def page(folder):
    origin, results = load_bench(folder)
    command = folder / "COMMAND"
    text = f"# {folder.name}\n\nMade by `analysis/tables.py` from the files beside it; do not edit.\n\n"
    text += f"Source: {origin}. Latencies are medians in ms of replays of one CUDA graph; in brackets the speed-up over\n"
    text += "the sequential schedule on one GPU, run in the same way. `!`: the GPU lowered its clocks meanwhile.\n"
    if any(r["how"] == "simulated" for r in results):
        text += "**`~`: simulated**, not measured: the schedule was replayed on recorded latencies of its operators and\n"
        text += "transfers ([docs/simulator.md](../../docs/simulator.md)).\n"
    notes = folder / "NOTES.md"
    if notes.exists():
        text += "\n" + notes.read_text()
    if command.exists():
        text += "\nCommands:\n\n```\n" + command.read_text() + "```\n"
    text += beside_peers.section(results, load_peers(folder)) + floors.section(folder) + launch.section(folder)
    text += searches(results) + several_gpus.section(results)
    return text + "\n## Schedules\n" + schedules(results) + ablations(folder) + simulator.section(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args()
    stale = False
    for folder in args.folders:
        try:
            text = page(folder)
        except (OSError, KeyError, ValueError) as error:
            sys.exit(f"tables: '{folder}' is not a results folder of this version: {error}")
        target = folder / "README.md"
        if args.check:
            if not target.exists() or target.read_text() != text:
                print(f"{target} is not what the data say; run analysis/tables.py {folder}")
                stale = True
        else:
            try:
                write_whole(target, lambda path, text=text: path.write_text(text))
            except OSError as error:
                sys.exit(f"tables: {error}")
    return 1 if stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(STOPPED)
