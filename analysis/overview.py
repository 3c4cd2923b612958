#!/usr/bin/env python3
"""Writes results/README.md: what was measured, from top to bottom, every figure in it; made from the data alone.

  python3 analysis/overview.py results h200            results/README.md; h200: whose figures
  python3 analysis/overview.py --check results h200    exits with 1 if it is not what the data say
"""

import argparse
import json
import sys
from pathlib import Path

import beside_peers
import figures
from plots.data import NETWORKS, BadData, load
from plots.peers import name_of
from results import PRECISIONS, STOPPED, load_bench, load_peers, table, write_whole

MEANING = ("*measured*: on the GPU, by the command that made the figure; *recorded*: measured earlier, read from the "
           "results; *replayed*: some\nrows are simulated from a recorded profile, and marked `~`; *synthetic*: made-up "
           "costs; *exact*: counted.")


def folders(results: Path) -> str:
    rows = []
    for file in sorted(results.glob("*/bench.json")):
        origin, rows_of = load_bench(file.parent)
        name = file.parent.name
        sizes = sorted({r["gpus"] for r in rows_of})
        simulated = sum(r["how"] == "simulated" for r in rows_of)
        rows.append([f"[{name}]({name}/README.md)", ", ".join(map(str, sizes)), str(len(rows_of) - simulated),
                     str(simulated), origin])
    return table(["folder", "GPUs", "latencies measured", "simulated", "source"], rows)


def latencies(folder: Path) -> str:
    """Batch 1, one GPU: what a schedule gains, and what other software takes."""
    _, results = load_bench(folder)
    peers = load_peers(folder)
    found = {c.case: c for c in beside_peers.comparisons(results, peers)}
    rows = []
    for network in NETWORKS:
        for precision in PRECISIONS:
            case = beside_peers.Case(network, precision, 1, 0)
            c = found.get(case)
            ours = c.ours if c else beside_peers.benched(case, results)
            if "sequential" not in ours:
                continue
            best = min(ours, key=ours.__getitem__)
            rows.append([NETWORKS[network], precision, f"{ours['sequential']:.3f}", f"{ours[best]:.3f} ({best})",
                         f"{ours['sequential'] / ours[best]:.2f}x",
                         f"{c.theirs[c.fastest]:.3f} ({name_of(c.fastest)})" if c else "-",
                         c.ratio_text() if c else "-"])
    head = ["network", "precision", "sequential, ms", "our fastest, ms", "gain", "fastest other software, ms",
            "that / ours"]
    return table(head, rows) + "\n" + beside_peers.verdicts(list(found.values()))


def pictures(results: Path, device: str, paper: str) -> str:
    """The figures of one paper: title, picture, what agrees and what does not."""
    folder = results / device / "figures"
    text = ""
    for entry in json.loads((folder / "index.json").read_text())["figures"]:
        if not entry["paper"].startswith(paper):
            continue
        name, link = entry["name"], f"{device}/figures/{entry['name']}"
        text += f"\n### {entry['title']}\n\n"
        if not (folder / f"{name}.json").exists():
            text += f"Not made yet: `opsched reproduce {name}`.\n"
            continue
        _, comparison = figures.page_of(data := load(folder / f"{name}.json"))
        state = f"{data.state}{': ' + data.why if data.why else ''}"
        if comparison is None:
            text += f"There is nothing to show ({state}; [why]({link}.md)).\n"
            continue
        text += f"![{entry['title']}]({link}.png)\n\n"
        text += f"{comparison.agrees} {comparison.differs} ([numbers]({link}.md); {state}.)\n"
    return text


def agreement(results: Path) -> str:
    """What was compared with other libraries: networks and imports."""
    text = ""
    for file, error in (("definitions.json", "max_relative_error"), ("onnx.json", "relative_error")):
        if not (results / file).exists():
            continue
        data = json.loads((results / file).read_text())
        agree = [n for n in data["networks"] if n["agrees"]]
        text += (f"* [{file}]({file}): {data['what']}: {len(agree)} of {len(data['networks'])} agree within "
                 f"{data['tolerance']:g}; the largest relative error is {max(n[error] for n in data['networks']):.1e}.\n")
    return text


def page(results: Path, device: str) -> str:
    text = "# What was measured\n\nMade by `analysis/overview.py` from the data beside it; do not edit.\n\n"
    text += ("A network can run its operators one after another, or several at once: which, on which stream of which GPU, "
             "is a\n*schedule*. Below is what schedules gain, on real GPUs and in simulations, beside the papers that "
             "proposed them.\nEvery latency is the median of replays of one CUDA graph, in ms; *sequential* is the same "
             "kernels one after another.\n\n")
    text += "## Where\n\n" + folders(results)
    text += f"\n## Batch 1 on one GPU ({device})\n\n" + latencies(results / device)
    text += (f"\nMore batches, image sizes and schedulers, the distance from the physical floor, the time to search, and how "
             f"good the\nsimulator is: [{device}]({device}/README.md). The search itself: [search](search/README.md).\n")
    text += "\n## The figures of IOS\n\n" + MEANING + "\n" + pictures(results, device, "IOS")
    text += "\n## The figures of HIOS\n\nSeveral GPUs of one host, batch 1.\n" + pictures(results, device, "HIOS")
    text += ("\nEvery point of the simulations with its 95% confidence band: [simulation](simulation/README.md).\n")
    return text + "\n## Do they compute the right thing?\n\n" + agreement(results) + (
        "* Every schedule's output is compared with an Eigen reference, every peer's with ours; see "
        "[how results are obtained](../README.md#how-results-are-obtained).\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("device", help="the folder in it whose figures are shown")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args()
    target = args.results / "README.md"
    try:
        text = page(args.results, args.device)
        if not args.check:
            write_whole(target, lambda path: path.write_text(text))
        elif not target.exists() or target.read_text() != text:
            print(f"{target} is not what the data say; run analysis/overview.py {args.results} {args.device}")
            return 1
    except (BadData, OSError, KeyError, ValueError) as error:
        sys.exit(f"overview: {error}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(STOPPED)
