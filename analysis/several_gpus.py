"""Several GPUs: what they gain over one, and how well that was foreseen."""

import statistics

from results import table


def size_of(result):
    return str(result["image"] or "own")


def gains(results):
    """The fastest schedule on several GPUs beside the fastest on one, of the same run."""
    rows, slower = [], []
    cases = dict.fromkeys((r["network"], r["image"], r["precision"], r["batch"]) for r in results)
    for network, image, precision, batch in sorted(cases):
        same = [r for r in results if
                (r["network"], r["image"], r["precision"], r["batch"]) == (network, image, precision, batch)]
        one = min((r for r in same if r["gpus"] == 1), key=lambda r: r["ms"], default=None)
        for gpus in sorted({r["gpus"] for r in same} - {1}):
            best = min((r for r in same if r["gpus"] == gpus), key=lambda r: r["ms"])
            if not one:
                continue
            gain = one["ms"] / best["ms"]
            if gain < 1:
                slower.append(f"{network} {size_of(best)} {precision} on {gpus} ({gain:.2f}x)")
            rows.append([network, size_of(best), precision, str(gpus), f"{one['ms']:.3f} ({one['scheduler']})",
                         f"{best['ms']:.3f} ({best['scheduler']})",
                         f"{gain:.2f}x" if gain >= 1 else f"**{gain:.2f}x**"])
    if not rows:
        return ""
    verdict = "yes, in all cases above" if not slower else "no, not " + "; ".join(slower)
    return ("\n## Several GPUs beside one\n\nThe fastest schedule on that many GPUs beside the fastest on one, here.\n\n" +
            table(["network", "image", "precision", "GPUs", "one GPU, ms", "several, ms", "gain"], rows) +
            f"\nNever slower than one GPU: {verdict}.\n")


def foreseen(results):
    """Makespans foreseen and measured, and what travels."""
    known = [r for r in results if r["gpus"] > 1 and r.get("predicted_ms", 0) > 0 and r["how"] == "measured"]
    if not known:
        return ""

    def off(result):
        return 100 * (result["predicted_ms"] / result["ms"] - 1)

    rows = []
    for network, gpus, image in sorted({(r["network"], r["gpus"], r["image"]) for r in known}):
        errors = [off(r) for r in known if (r["network"], r["gpus"], r["image"]) == (network, gpus, image)]
        rows.append([network, str(gpus), str(image or "own"), str(len(errors)),
                     f"{statistics.median(abs(e) for e in errors):.1f}%", f"{statistics.median(errors):+.1f}%"])
    median = statistics.median(abs(off(r)) for r in known)
    text = ("\n## Foreseen and measured, several GPUs\n\nThe simulated makespan that a schedule was chosen by, before "
            f"anything of it had run on several GPUs. Median error over all {len(known)}: {median:.1f}%.\n\n")
    text += table(["network", "GPUs", "image", "schedules", "median error", "median, signed"], rows) + "\n"
    rows = [[r["network"], size_of(r), r["precision"], str(r["gpus"]), r["scheduler"], f"{r['predicted_ms']:.3f}",
             f"{r['ms']:.3f}", f"{off(r):+.1f}%", f"{r['transfer_bytes'] / 1e6:.1f}", f"{r['search_seconds']:.2f}"]
            for r in known]
    head = ["network", "image", "precision", "GPUs", "scheduler", "simulated, ms", "measured, ms", "off by", "MB moved",
            "found in, s"]
    return text + table(head, rows)


def section(results):
    return gains(results) + foreseen(results)
