"""Runs an exported graph in JAX, compiled as a whole by XLA; the median of timed runs in ms.

  opsched show NET --format json --batch B --image I -o NET.json
  opsched infer NET --batch 1 --image I --save-weights w.bin -o y.bin
  python3 jax_baseline.py NET.json --precision fp32 --weights w.bin --expected y.bin

Prints one JSON object like torch_baseline.py. The only mode is "xla". Tensors are channels-last in fp16 and channels-first
otherwise, unless the mode ends in -nchw or -nhwc.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import gpu
from cases import layout_of, way_of
from graph_file import Graph, Operator, load_graph
from reference import judged, load_reference, random_inputs
from protocols import Cannot, measured, sample_energy, sample_lone, samples_of
from serve import parse, parser_of, run, words_of
from timing import BURST, FEWEST, Budget, seconds_of, summary

WHAT = "compiled by XLA"
MATMUL = {"fp32": "float32", "tf32": "tensorfloat32", "fp16": "default"}


class Network:
    def __init__(self, graph: Graph, channels_last: bool) -> None:
        self.graph = graph
        self.axis = 3 if channels_last else 1  # of channels
        self.layout = ("NHWC", "HWIO", "NHWC") if channels_last else ("NCHW", "OIHW", "NCHW")

    def spatial(self, pair: Any, other: Any) -> tuple[Any, ...]:
        """One entry per axis: `pair` for height and width."""
        return (other, *pair, other) if self.axis == 3 else (other, other, *pair)

    def gather(self, op: Operator, values: dict[int, Any]) -> Any:
        def value(v):
            return lax.slice_in_dim(values[v.op], v.begin, v.end, axis=self.axis)

        if op.multiplied:
            raise NotImplementedError("products")
        terms = [sum((value(v) for v in term[1:]), start=value(term[0])) for term in op.terms]
        return terms[0] if len(terms) == 1 else jnp.concatenate(terms, self.axis)

    def pool(self, x: Any, layer: dict[str, Any]) -> Any:
        if layer["pool"] == "global_avg":
            return x.mean((1, 2) if self.axis == 3 else (2, 3), keepdims=True)
        if layer.get("ceil", False):
            raise NotImplementedError("pools whose output size rounds up")
        window, stride = self.spatial(layer["kernel"], 1), self.spatial(layer["stride"], 1)
        padding = self.spatial([(p, p) for p in layer["padding"]], (0, 0))
        if layer["pool"] == "max":
            return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, padding)
        total = lax.reduce_window(x, 0.0, lax.add, window, stride, padding)
        if layer["count_padding"]:
            return total / (layer["kernel"][0] * layer["kernel"][1])
        return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, window, stride, padding)

    def layer(self, x: Any, layer: dict[str, Any], weights: Any) -> Any:
        activation = layer.get("activation", "none")
        if layer["type"] == "resize2d" or {"dilation", "more_padding"} & layer.keys() or activation not in ("none", "relu", "tanh"):
            raise NotImplementedError(f"{layer}")
        if layer["type"] == "pool2d":
            return self.pool(x, layer)
        if layer["type"] == "conv2d":
            weight, bias = weights
            x = lax.conv_general_dilated(x, weight, layer["stride"], [(p, p) for p in layer["padding"]],
                                         dimension_numbers=self.layout, feature_group_count=layer["groups"])
            x = x + bias
        if activation == "relu":
            return jnp.maximum(x, 0)
        return jnp.tanh(x) if activation == "tanh" else x

    def __call__(self, weights: dict[str, Any], inputs: dict[str, Any]) -> list[Any]:
        values = {int(i): x for i, x in inputs.items()}
        for op in self.graph.operators:
            if op.is_input:
                continue
            x = self.gather(op, values)
            for i, layer in enumerate(op.layers):
                x = self.layer(x, layer, weights.get(f"{op.id}_{i}"))
            values[op.id] = x
        return [values[i] for i in self.graph.outputs]


def timed(run: Callable[[], Any], budget: Budget) -> dict[str, Any]:
    """Timed in bursts, so that the host's launches overlap with earlier runs; JAX has no device events."""
    def burst_of(count: int) -> None:
        for _ in range(count - 1):
            run()
        jax.block_until_ready(run())

    burst_of(1)
    each = seconds_of(lambda: burst_of(1))
    count = budget.count(each)
    burst = max(1, min(BURST, count // FEWEST))
    burst_of(budget.warm_up(each))
    times = [1e3 * seconds_of(lambda: burst_of(burst)) / burst for _ in range(max(FEWEST, count // burst))]
    return summary(times) | {"runs": burst * len(times)}


def sample(protocol: str, run: Callable[[], Any]) -> list[float]:
    def burst() -> int:
        for _ in range(BURST - 1):
            run()
        jax.block_until_ready(run())
        return BURST

    if protocol == "lone":
        return sample_lone(lambda: jax.block_until_ready(run()), samples_of(protocol))
    if protocol == "energy":
        return sample_energy(burst, samples_of(protocol))
    raise Cannot("JAX has no device events to offer: lone and energy are measured without")


def measure(graph: Graph, request: dict[str, Any], mode: str, budget: Budget) -> dict[str, Any]:
    precision = request["precision"]
    channels_last = layout_of(mode, precision) == "-nhwc"
    dtype = jnp.float16 if precision == "fp16" else jnp.float32
    reference = load_reference(graph, request["weights"], request["expected"])
    network = Network(graph, channels_last)

    def placed(x: Any, order: tuple[int, ...]) -> Any:
        return jax.device_put(jnp.asarray(x.transpose(order) if channels_last else x, dtype))

    weights = {}
    for (op, i), (weight, bias) in reference.weights.items():
        weights[f"{op}_{i}"] = (placed(weight, (2, 3, 1, 0)),
                                jnp.asarray(bias if channels_last else bias.reshape(1, -1, 1, 1), dtype))
    inputs = {str(i): placed(x, (0, 2, 3, 1)) for i, x in random_inputs(graph).items()}
    begin = time.perf_counter()
    forward = jax.jit(network)
    outputs = jax.block_until_ready(forward(weights, inputs))
    entry: dict[str, Any] = {"what": WHAT, "ready_seconds": round(time.perf_counter() - begin, 1)}
    shown = [np.asarray(x, np.float32) for x in outputs]
    entry |= judged([x.transpose((0, 3, 1, 2)) for x in shown] if channels_last else shown, reference, precision)
    if "failed" in entry:
        return entry
    timing = timed(lambda: forward(weights, inputs), budget)
    return entry | timing | {"protocols": measured(request["protocols"], lambda p: sample(p, lambda: forward(weights, inputs)))}


def answer(request: dict[str, Any], budget: Budget) -> dict[str, Any]:
    jax.config.update("jax_default_matmul_precision", MATMUL[request["precision"]])
    graph = load_graph(request["graph"])
    latency = {}
    for mode in request["modes"]:
        try:
            latency[mode] = measure(graph, request, mode, budget)
        except Exception as error:  # any exception of the framework is its result
            latency[mode] = {"what": WHAT, "failed": words_of(error)}
        jax.clear_caches()
    return {"software": "jax", "graph": graph.name, "batch": graph.batch, "precision": request["precision"],
            "device": jax.devices()[0].device_kind, "versions": {"jax": jax.__version__},
            "clocks": gpu.clocks() if jax.default_backend() == "gpu" else {}, "latency": latency}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--modes", default="xla", help="as in xla-nchw,xla-nhwc")
    args = parse(parser)
    modes = args.modes.split(",")
    if unknown := [m for m in modes if way_of(m) != "xla"]:
        parser.error(f"unknown mode {', '.join(unknown)}; known: xla, xla-nchw, xla-nhwc")
    if args.graph and not args.weights:
        parser.error("give --weights and --expected")
    run("jax_baseline", args, lambda request: answer({"protocols": args.protocols, **request}, Budget(args.runs, args.max_seconds)), modes=modes)


if __name__ == "__main__":
    main()
