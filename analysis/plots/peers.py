"""What the figures with peers share."""

from plots.data import Data, Row

NAMES = {"pytorch": "PyTorch", "jax": "JAX/XLA", "tensorrt": "TensorRT"}
# Peers that people would look for; those without a row are said to be absent.
EXPECTED = [
    ("pytorch", "eager"), ("pytorch", "sequential"), ("pytorch", "wavefront"), ("pytorch", "dataflow"),
    ("pytorch", "compile"), ("jax", "xla"), ("tensorrt", "engine"),
]


def name_of(key: tuple[str, str]) -> str:
    peer, mode = key
    mode = {"sequential": "CUDA graph, sequential", "wavefront": "CUDA graph, wavefront",
            "dataflow": "CUDA graph, dataflow (Opara)", "compile": "compile"}.get(mode, mode)
    return f"{NAMES.get(peer, peer)} {mode}"


def keys(data: Data) -> list[tuple[str, str]]:
    """Peers with a number, in the order in which they are expected, others behind."""
    known = list(dict.fromkeys((r["peer"], r["mode"]) for r in data.rows if "peer" in r))
    return [k for k in EXPECTED if k in known] + [k for k in known if k not in EXPECTED]


def absent(data: Data) -> list[str]:
    known = {key[0] if key[0] != "pytorch" else key for key in keys(data)}
    return [name_of(k) for k in EXPECTED if (k if k[0] == "pytorch" else k[0]) not in known]


def best(data: Data, **conditions: object) -> Row | None:
    rows = [r for r in data.all(**conditions) if "peer" in r]
    return min(rows, key=lambda r: r["ms"]) if rows else None


def find(data: Data, network: str, key: str | tuple[str, str]) -> Row | None:
    """Ours by scheduler, a peer by (peer, mode)."""
    if isinstance(key, str):
        return data.one(network=network, scheduler=key)
    return data.one(network=network, peer=key[0], mode=key[1])
