"""The page over all results folders: where, batch 1 on one GPU, the figures, and what was checked."""

from collections import Counter
from pathlib import Path

from opsched import baselines, figures
from opsched.page import NETWORKS, PRECISIONS, Marks, distinct, fastest, name_of, ratio, ratio_text, table
from opsched.plots.figure import load_index
from opsched.records import Provenance, Records

CHECKS = {"definitions": "networks against other libraries' definitions", "onnx": "ONNX models against PyTorch"}


def folders(results: Path) -> str:
    rows = []
    for file in sorted(results.glob("*/records.jsonl")):
        records = Records.read(file.parent)
        found = records.select()
        counts = Counter(r.provenance for r in found)
        where = distinct(w for r in found if (w := records.run_of(r).where()) and r.software == "opsched")
        rows.append([f"[{file.parent.name}]({file.parent.name}/README.md)", ", ".join(map(str, sorted({r.gpus for r in found}))),
                     *(str(counts[p]) for p in Provenance), "; ".join(where) or "-"])
    return table(["folder", "GPUs", *(p.value for p in Provenance), "on"], rows)


def latencies(folder: Path) -> str:
    """Batch 1, one GPU: what a schedule gains, and what other software takes."""
    records = Records.read(folder)
    marks = Marks(records.runs)
    found = {c.case: c for c in baselines.comparisons(records)}
    rows = []
    for network in NETWORKS:
        for precision in PRECISIONS:
            ours = records.select(quantity="latency", software="opsched", network=network, batch=1, image=0, gpus=1,
                                  precision=precision, labels={}, options={})
            c = found.get(baselines.Case(network, precision, 1, 0))
            base, best = next((r for r in ours if r.scheduler == "sequential"), None), fastest(ours)
            if not base:
                continue
            rows.append([NETWORKS[network], precision, marks.cell(base, digits=3),
                         f"{marks.cell(best, base, digits=3)} ({best.scheduler})", ratio_text(ratio(base, best)),
                         f"{c.best.text(marks)} ({c.best.scheduler})" if c else "-",
                         f"{c.fastest.value:.3f} ({name_of(c.fastest)})" if c else "-", c.ratio_text() if c else "-"])
    head = ["network", "precision", "sequential, ms", "our fastest, ms", "gain", "ours beside baselines, ms",
            "fastest baseline, ms", "that / ours"]
    text = "Sequential and our fastest are of one run of `opsched bench`. Ours beside baselines: the schedule that bench found "
    text += "fastest among\nthose measured in the baselines' run, as measured there. `-`: not measured. " + marks.legend() + "\n\n"
    return text + table(head, rows) + "\n" + baselines.verdicts(list(found.values()), "..")


def pictures(results: Path, device: str, paper: str) -> str:
    """The figures of one paper (empty: our own): title, picture, what agrees and what does not."""
    folder = results / device / "figures"
    text = ""
    for figure in load_index(folder):
        if figure.paper.split(":")[0] != paper:
            continue
        link = f"{device}/figures/{figure.name}"
        text += f"\n### {figure.title}\n\n"
        _, comparison = figures.page_of(figure)
        if comparison is None:
            text += f"There is nothing to show: [why]({link}.md).\n"
            continue
        text += f"![{figure.title}]({link}.png)\n\n"
        text += f"{comparison.agrees} {comparison.differs} ([numbers]({link}.md); {figure.state()}.)\n"
    return text


def agreement(records: Records) -> str:
    """What was compared with other libraries: networks and imports."""
    text = ""
    for check, what in CHECKS.items():
        if found := records.select(quantity="relative_error", check=check):
            tolerance = max(r.numbers["tolerance"] for r in found)
            agree = sum(r.value <= r.numbers["tolerance"] for r in found)
            text += (f"* {what[0].upper() + what[1:]} ({found[0].texts['what']}): {agree} of {len(found)} agree within "
                     f"{tolerance:g}; the largest relative error is {max(r.value for r in found):.1e}.\n")
        text += "".join(f"* {r.network} is not compared: {r.missing}.\n" for r in records.standing()
                        if r.missing and r.is_like(quantity="relative_error", check=check))
    return text


def page(results: Path) -> str:
    text = "# What was measured\n\nMade by `analysis/tables.py` from the records beside it; do not edit.\n\n"
    text += ("A network can run its operators one after another, or several at once: which, on which stream of which GPU, "
             "is a\n*schedule*. Below is what schedules gain, on real GPUs and in simulations, beside the papers that "
             "proposed them.\nEvery latency is the median of replays of one CUDA graph, in ms; *sequential* is the same "
             "kernels one after another.\n\n")
    text += "## Where\n\nRecords with a value, by where it comes from ([docs/records.md](../docs/records.md)).\n\n"
    text += folders(results)
    for index in sorted(results.glob("*/figures/index.json")):
        device = index.parents[1].name
        text += f"\n## Batch 1 on one GPU ({device})\n\n" + latencies(results / device)
        text += "\nMore batches, image sizes and schedulers, the roofline, the time to search, and how good the simulator is:\n"
        text += f"[{device}]({device}/README.md).\n"
        text += "\n## The figures of IOS\n" + pictures(results, device, "IOS")
        text += "\n## The figures of HIOS\n\nSeveral GPUs of one host, batch 1.\n" + pictures(results, device, "HIOS")
        text += "\n## Figures of our own\n" + pictures(results, device, "")
    text += "\n## Do they compute the right thing?\n\n" + agreement(Records.read(results))
    return text + ("* Every schedule's output is compared with an Eigen reference, every baseline's with ours; see "
                   "[how results are obtained](../docs/measuring.md).\n")
