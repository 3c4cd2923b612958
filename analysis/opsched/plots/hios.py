"""Shared by HIOS's figures on real GPUs. Several GPUs are compared with one GPU of the same run: a run has rows on
several GPUs, and rows on one GPU that carry its number of GPUs as label `run`."""

from opsched.page import SCHEDULERS, fastest, plural
from opsched.plots.figure import Figure
from opsched.records import Record

NAMES = SCHEDULERS | {"hios-lp-inter": "inter-GPU LP", "hios-mr-inter": "inter-GPU MR", "hios-lp": "HIOS-LP",
                      "hios-mr": "HIOS-MR", "heft": "HEFT", "reinsert": "reinsert"}
OWN = {"inception_v3": 299, "nasnet": 331}
OF_HIOS = ["hios-lp-inter", "hios-mr-inter", "hios-lp", "hios-mr"]


def size(record: Record) -> int:
    return record.image or OWN.get(record.network, 224)


def several(figure: Figure) -> list[int]:
    return sorted(g for g in set(figure.names("gpus")) if g > 1)


def rows(figure: Figure, gpus: int, **conditions: object) -> list[Record]:
    """Measurements of the run on so many GPUs, on one and on all of them. For gpus=1: measurements on one GPU outside
    such runs."""
    if gpus == 1:
        return figure.all(gpus=1, run=None, **conditions)
    return figure.all(gpus=1, run=str(gpus), **conditions) + figure.all(gpus=gpus, **conditions)


def sizes(figure: Figure, network: str) -> list[int]:
    return sorted({size(r) for g in several(figure) or [1] for r in rows(figure, g, network=network)})


def by_size(figure: Figure, network: str, gpus: int) -> dict[int, list[Record]]:
    """Measurements of the run on so many GPUs, by every image size in any run."""
    found = rows(figure, gpus, network=network)
    return {image: [r for r in found if size(r) == image] for image in sizes(figure, network)}


def base(found: list[Record]) -> Record | None:
    """The baseline for several GPUs: IOS on one GPU, or the best on one GPU if IOS was not measured."""
    one = [r for r in found if r.gpus == 1]
    return next((r for r in one if r.scheduler == "ios-both"), None) or fastest(one)


def best(found: list[Record], gpus: int, schedulers: list[str] | None = None) -> Record | None:
    return fastest(r for r in found if r.gpus == gpus and (schedulers is None or r.scheduler in schedulers))


def missing(figure: Figure) -> str:
    """A sentence on missing measurements."""
    return f"{plural(len(figure.missing), 'combination')} not measured." if figure.missing else ""
