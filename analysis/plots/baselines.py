"""What the figures with other software share."""

from page import BASELINES, distinct, fastest
from plots.figure import Figure
from records import Record

# What people would look for; those without a record are said to be absent.
EXPECTED = [key for key in BASELINES if key != ("pytorch", "compile-max-autotune")]


def keys(figure: Figure) -> list[tuple[str, str]]:
    """Software and way to run with a number, in the order in which they are expected, others behind."""
    known = distinct((r.software, r.scheduler) for r in figure.rows if r.software != "opsched")
    return [k for k in EXPECTED if k in known] + [k for k in known if k not in EXPECTED]


def absent(figure: Figure) -> list[str]:
    known = keys(figure)
    return [BASELINES[k] for k in EXPECTED if k not in known and (k[0] == "pytorch" or k[0] not in dict(known))]


def best(figure: Figure, **conditions: object) -> Record | None:
    return fastest(r for r in figure.all(**conditions) if r.software != "opsched")


def find(figure: Figure, network: str, key: str | tuple[str, str]) -> Record | None:
    """Ours by scheduler, other software by (software, way to run)."""
    if isinstance(key, str):
        return figure.ours(network=network, scheduler=key)
    return figure.one(network=network, software=key[0], scheduler=key[1])
