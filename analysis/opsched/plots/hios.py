"""What HIOS's figures on real GPUs share. Several GPUs are compared with one of the same run: the rows of a run are those
on several GPUs and, with its number as label `run`, those on one."""

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
    """What the run on so many GPUs measured on one and on all of them. 1: what ran on one apart from such runs."""
    if gpus == 1:
        return figure.all(gpus=1, run=None, **conditions)
    return figure.all(gpus=1, run=str(gpus), **conditions) + figure.all(gpus=gpus, **conditions)


def sizes(figure: Figure, network: str) -> list[int]:
    return sorted({size(r) for g in several(figure) or [1] for r in rows(figure, g, network=network)})


def by_size(figure: Figure, network: str, gpus: int) -> dict[int, list[Record]]:
    """What the run on so many GPUs measured, for every image size of any run."""
    found = rows(figure, gpus, network=network)
    return {image: [r for r in found if size(r) == image] for image in sizes(figure, network)}


def base(found: list[Record]) -> Record | None:
    """What several GPUs are compared with: IOS on one; where that was not measured, the best of one."""
    one = [r for r in found if r.gpus == 1]
    return next((r for r in one if r.scheduler == "ios-both"), None) or fastest(one)


def best(found: list[Record], gpus: int, schedulers: list[str] | None = None) -> Record | None:
    return fastest(r for r in found if r.gpus == gpus and (schedulers is None or r.scheduler in schedulers))


def missing(figure: Figure) -> str:
    """A sentence about what was not measured."""
    return f"{plural(len(figure.missing), 'combination')} not measured." if figure.missing else ""
