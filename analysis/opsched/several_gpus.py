"""Several GPUs: speed-up over one GPU, and accuracy of the prediction."""

import statistics

from opsched.page import Marks, bold, fastest, grouped, number, plural, ratio_text, source, table, titled
from opsched.records import Provenance, Record, pixels


def size_of(record: Record) -> str:
    return str(record.image or "own")


def gains(found: list[Record], marks: Marks) -> str:
    """The fastest schedules on several GPUs and on one, from the same folder."""
    rows, slower = [], []
    for (network, _, precision, _), same in sorted(grouped(found, lambda r: (r.network, pixels(r.image), r.precision, r.batch)).items()):
        by_gpus = {gpus: fastest(there) for gpus, there in sorted(grouped(same, lambda r: r.gpus).items())}
        one = by_gpus.pop(1, None)
        for gpus, best in by_gpus.items() if one else ():
            gain = one.value / best.value
            if gain < 1:
                slower.append(f"{network} {size_of(best)} {precision} batch {best.batch} on {gpus} ({gain:.2f}x)")
            rows.append([network, size_of(best), precision, str(best.batch), str(gpus), f"{marks.cell(one, digits=3)} ({one.scheduler})",
                         f"{marks.cell(best, one, digits=3)} ({best.scheduler})",
                         bold(ratio_text(gain), gain < 1)])
    if not rows:
        return ""
    verdict = "yes, in all cases above" if not slower else "no, slower in " + "; ".join(slower)
    text = table(["network", "image", "precision", "batch", "GPUs", "one GPU, ms", "several, ms", "gain"], rows)
    return titled("Several GPUs and one GPU", "The fastest schedule on several GPUs, compared with the fastest on one GPU in this folder.\n\n" +
                   source(found, marks.runs), f"{text}\nNever slower than one GPU: {verdict}.\n")


def off(record: Record) -> float:
    return 100 * (record.numbers["predicted_ms"] / record.value - 1)


def predicted(found: list[Record], marks: Marks) -> str:
    """Predicted and measured makespans, and the amount of data transferred."""
    known = [r for r in found if r.gpus > 1 and "predicted_ms" in r.numbers and r.provenance is Provenance.measured]
    if not known:
        return ""
    rows = []
    for (network, gpus, _), there in sorted(grouped(known, lambda r: (r.network, r.gpus, pixels(r.image))).items()):
        errors = [off(r) for r in there]
        rows.append([network, str(gpus), size_of(there[0]), str(len(errors)),
                     f"{statistics.median(abs(e) for e in errors):.1f}%", f"{statistics.median(errors):+.1f}%"])
    median = statistics.median(abs(off(r)) for r in known)
    intro = ("The prediction is the simulated makespan from the search, before any part of the schedule ran on several GPUs. "
             f"Median error over {plural(len(known), 'schedule')}: {median:.1f}%.\n\n")
    text = table(["network", "GPUs", "image", "schedules", "median error", "median, signed"], rows) + "\n"
    rows = [[r.network, size_of(r), r.precision, str(r.batch), str(r.gpus), r.scheduler, f"{r.numbers['predicted_ms']:.3f}",
             marks.cell(r, digits=3), f"{off(r):+.1f}%", f"{r.numbers.get('transfer_bytes', 0) / 1e6:.1f}",
             number(r, "search_seconds", ".2f")] for r in known]
    head = ["network", "image", "precision", "batch", "GPUs", "scheduler", "predicted, ms", "measured, ms", "error",
            "MB transferred", "search, s"]
    return titled("Predicted and measured, several GPUs", intro, text + table(head, rows))


def sections(found: list[Record], marks: Marks) -> str:
    return gains(found, marks) + predicted(found, marks)
