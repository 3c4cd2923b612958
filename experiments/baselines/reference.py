"""The weights, input and output of `opsched infer`, as arrays of NumPy, or of PyTorch if there is no NumPy."""

import dataclasses
import functools
import math
import pathlib
from typing import Any

from graph_file import Graph

try:
    import numpy
except ImportError:
    numpy = None
    import torch

# The largest relative output error that rounding and other algorithms (Winograd) explain.
TOLERANCE = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 5e-2}
INPUT_SEED = 2  # seed of `opsched infer`; input number i has seed INPUT_SEED + i
_GOLDEN = 0x9E3779B97F4A7C15


@dataclasses.dataclass
class Reference:
    """`weights`: (weight, bias) by operator and layer. `output`: all outputs of the first image, one after another."""

    weights: dict[tuple[int, int], tuple[Any, Any]]
    output: Any


def _hash(x: int) -> int:
    """The finaliser of splitmix64, as in core/runtime/random.hpp."""
    x = (x + _GOLDEN) % (1 << 64)
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % (1 << 64)
    return x ^ (x >> 31)


def random_tensor(shape: tuple[int, ...], seed: int, device: str | None = None) -> Any:
    """The numbers that opsched draws for this seed, bit for bit: the value at each position depends on nothing else. If
    a device is given, PyTorch draws them there, because NumPy takes seconds for the millions of values of large
    batches."""
    on_torch = device is not None or numpy is None
    if on_torch:
        import torch

    def word(x: int) -> Any:
        """64 bits in the form that arrays take: PyTorch's integers are signed."""
        x %= 1 << 64
        if not on_torch:
            return numpy.uint64(x)
        return x - (1 << 64) if x >= 1 << 63 else x

    def shifted(x: Any, by: int) -> Any:
        """x >> by, as if x were unsigned."""
        return (x >> word(by)) & word((1 << (64 - by)) - 1)

    count = math.prod(shape)
    x = torch.arange(count, dtype=torch.int64, device=device) if on_torch else numpy.arange(count, dtype=numpy.uint64)
    x = x * word(_GOLDEN) + word(_hash(seed) + _GOLDEN)
    x = (x ^ shifted(x, 30)) * word(0xBF58476D1CE4E5B9)
    x = (x ^ shifted(x, 27)) * word(0x94D049BB133111EB)
    x = x ^ shifted(x, 31)
    total = sum((shifted(x, by) if by else x) & word(0xFFFF) for by in (0, 16, 32, 48))
    if on_torch:
        values = (total - 2 * 65535).to(torch.float32) * (torch.tensor(1.7320508) / 65536).item()
    else:
        scale = numpy.float32(1.7320508) / numpy.float32(65536)
        values = (total.astype(numpy.int64) - 2 * 65535).astype(numpy.float32) * scale
    return values.reshape(shape)


def random_inputs(graph: Graph, device: str | None = None) -> dict[int, Any]:
    """Weights by operator. The first image is the same for every batch size."""
    inputs = [op for op in graph.operators if op.is_input]
    return {op.id: random_tensor((graph.batch, *op.output), INPUT_SEED + i, device) for i, op in enumerate(inputs)}


@functools.lru_cache(maxsize=2)  # the weights are the same for every batch size and precision
def _floats(path: pathlib.Path) -> Any:
    data = bytearray(path.read_bytes())
    return numpy.frombuffer(data, dtype=numpy.float32) if numpy else torch.frombuffer(data, dtype=torch.float32)


def load_reference(graph: Graph, weights_file: pathlib.Path, output_file: pathlib.Path) -> Reference:
    """Reads the files of `opsched infer --batch 1 --save-weights WEIGHTS -o OUTPUT`, which must not change
    meanwhile."""
    weights_file, output_file = pathlib.Path(weights_file), pathlib.Path(output_file)
    values, at, weights = _floats(weights_file), 0, {}

    def take(*shape: int) -> Any:
        nonlocal at
        at += math.prod(shape)
        if at > len(values):
            raise ValueError(f"{weights_file}: holds {len(values)} values, the graph's convolutions have more")
        return values[at - math.prod(shape) : at].reshape(shape)

    for op in graph.operators:
        channels = op.input_channels
        for i, layer in enumerate(op.layers):
            if layer["type"] == "conv2d":
                out = layer["out_channels"]
                weights[op.id, i] = take(out, channels // layer["groups"], *layer["kernel"]), take(out)
                channels = out
    if at != len(values):
        raise ValueError(f"{weights_file}: holds {len(values)} values, the graph's convolutions have {at}")
    return Reference(weights, _floats(output_file))


def relative_error(outputs: list[Any], reference: Reference) -> float:
    """||a - b|| / ||b|| over all outputs of the first image, in order (on the CPU, NCHW); infinite if sizes differ or
    there is a NaN."""
    difference, norm, at = 0.0, 0.0, 0
    for x in outputs:
        first = numpy.asarray(x[0]).astype(numpy.float64) if numpy else x[0].double()
        first = first.reshape(-1)
        expected = reference.output[at : at + len(first)]
        if len(expected) != len(first):
            return math.inf
        expected = expected.astype(numpy.float64) if numpy else expected.double()
        difference += float(((first - expected) ** 2).sum())
        norm += float((expected**2).sum())
        at += len(first)
    if at != len(reference.output) or math.isnan(difference) or norm == 0:
        return math.inf
    return math.sqrt(difference / norm)


def judged(outputs: list[Any], reference: Reference, precision: str) -> dict[str, Any]:
    """The relative error of the result; a result that is too far off has failed."""
    error, explained = relative_error(outputs, reference), TOLERANCE[precision]
    if error <= explained:
        return {"relative_error": error}
    return {"relative_error": error, "failed": f"its output is wrong: relative error {error:.2g}, rounding explains {explained}"}
