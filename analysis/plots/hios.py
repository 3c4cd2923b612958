"""What HIOS's figures on real GPUs share."""

from plots.data import Data, Row, join

OWN = {"inception_v3": 299, "nasnet": 331}
NAMES = {"sequential": "sequential", "ios-both": "IOS-Both", "dataflow": "dataflow (ours)", "hios-lp-inter": "LP, inter-GPU",
         "hios-mr-inter": "MR, inter-GPU", "hios-lp": "HIOS-LP", "hios-mr": "HIOS-MR", "heft": "HEFT (ours)",
         "reinsert": "reinsert (ours)"}
OF_HIOS = ["hios-lp-inter", "hios-mr-inter", "hios-lp", "hios-mr"]


def size(row: Row) -> int:
    return row["image"] or OWN[row["network"]]


def sizes(data: Data, network: str) -> list[int]:
    return sorted({size(r) for r in data.all(network=network)})


def own(row: Row) -> bool:
    """Not one of those that ran on one GPU beside several, in their run."""
    return "run" not in row


def find(data: Data, network: str, image: int, scheduler: str, gpus: int, run: str | None = None) -> Row | None:
    return next((r for r in data.all(network=network, scheduler=scheduler, gpus=gpus, run=run) if size(r) == image), None)


def best(data: Data, network: str, image: int, gpus: int, schedulers: list[str] | None = None,
         run: str | None = None) -> Row | None:
    rows = [r for r in data.all(network=network, gpus=gpus, run=run)
            if size(r) == image and (schedulers is None or r["scheduler"] in schedulers)]
    return min(rows, key=lambda r: r["ms"]) if rows else None


def base(data: Data, network: str, image: int, gpus: int) -> Row | None:
    """What HIOS on so many GPUs is compared with: IOS on one, in the same run; where that was not measured, the
    best of one GPU there; where nothing was, the same of another run."""
    for run in (str(gpus), None):
        row = find(data, network, image, "ios-both", 1, run) or best(data, network, image, 1, run=run)
        if row:
            return row
    return None


def several(data: Data) -> list[int]:
    return sorted(g for g in set(data.names("gpus")) if g > 1)


def missing(data: Data) -> str:
    """A sentence about what was not measured."""
    if not data.missing:
        return ""
    known = {(r["network"], size(r), r["gpus"]) for r in data.rows}
    whole = sorted({(r["gpus"], size(r)) for r in data.missing if (r["network"], size(r), r["gpus"]) not in known})
    text = f"{len(data.missing)} of {len(data.missing) + len(data.rows)} combinations are not measured yet"
    if whole:
        text += ", among them all of " + join([f"{gpus} GPU{'s' if gpus > 1 else ''} at "
                                              f"{join([str(s) for g, s in whole if g == gpus])}"
                                              for gpus in sorted({g for g, _ in whole})])
    return text + "."
