"""Runs an exported graph in PyTorch, in several ways; medians of timed replays in ms.

  opsched show NET --format json --batch B > NET.json
  python3 torch_peer.py NET.json --precision fp32 --modes eager,graph,compile

Modes: eager; sequential (also called graph), wavefront and dataflow (also called opara: Opara's stream
allocation, an operator waits only for what it reads), each one CUDA graph with fused convolution + bias +
relu; compile (torch.compile, mode reduce-overhead); compile-max-autotune (takes many minutes).

Prints one JSON object: versions, device, clocks, and for each mode a latency with its spread, or why there
is none. With --weights and --expected (see reference.py) weights are those of opsched and every output is
compared with its; a mode that computes something else has no latency. Without, weights are random.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from graph_file import Graph, Operator, load_graph
from reference import Reference, load_reference, random_inputs, relative_error

ALIASES = {"graph": "sequential", "opara": "dataflow"}
WHAT = {
    "eager": "eager",
    "sequential": "one CUDA graph, one stream",
    "wavefront": "one CUDA graph, a level at a time, an operator a stream",
    "dataflow": "one CUDA graph, Opara's allocation to at most 16 streams",
    "compile": "torch.compile, mode reduce-overhead",
    "compile-max-autotune": "torch.compile, mode max-autotune",
}
# Largest relative error of the output that rounding and other algorithms (Winograd) explain.
TOLERANCE = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 5e-2}
STREAMS = 16

Values = dict[int, torch.Tensor]


class Network(torch.nn.Module):
    """The graph, operator by operator. Joins are concatenations, as a PyTorch user would write them."""

    def __init__(self, graph: Graph, dtype: torch.dtype, channels_last: bool, device: str,
                 reference: Reference | None) -> None:
        super().__init__()
        self.graph = graph
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.fuses = device == "cuda"
        self.weights = torch.nn.ParameterDict()
        generator = torch.Generator().manual_seed(1)
        for op in graph.operators:
            channels = op.input_channels
            for i, layer in enumerate(op.layers):
                if layer["type"] != "conv2d":
                    continue
                shape = (layer["out_channels"], channels // layer["groups"], *layer["kernel"])
                if reference:
                    weight, bias = (torch.as_tensor(x) for x in reference.weights[op.id, i])
                else:
                    weight = torch.randn(shape, generator=generator) * (2.0 / math.prod(shape[1:])) ** 0.5
                    bias = torch.randn(layer["out_channels"], generator=generator)
                weight = weight.to(device, dtype).contiguous(memory_format=self.format)
                self.weights[f"w{op.id}_{i}"] = torch.nn.Parameter(weight, requires_grad=False)
                self.weights[f"b{op.id}_{i}"] = torch.nn.Parameter(bias.to(device, dtype), requires_grad=False)
                channels = layer["out_channels"]

    def gather(self, op: Operator, values: Values) -> torch.Tensor:
        def value(v):
            x = values[v.op]
            return x if (v.begin, v.end) == (0, x.shape[1]) else x[:, v.begin : v.end]

        terms = []
        for term in op.terms:
            x = value(term[0])
            for v in term[1:]:
                x = x + value(v)
            terms.append(x)
        return terms[0] if len(terms) == 1 else torch.cat(terms, 1)

    def run(self, op: Operator, values: Values) -> torch.Tensor:
        x = self.gather(op, values)
        for i, layer in enumerate(op.layers):
            kind = layer["type"]
            if kind == "conv2d":
                w, b = self.weights[f"w{op.id}_{i}"], self.weights[f"b{op.id}_{i}"]
                stride, padding, groups = layer["stride"], layer["padding"], layer["groups"]
                if layer["activation"] == "relu" and self.fuses and not torch.compiler.is_compiling():
                    x = torch.cudnn_convolution_relu(x, w, b, stride, padding, [1, 1], groups)
                else:
                    x = F.conv2d(x, w, b, stride, padding, 1, groups)
                    if layer["activation"] == "relu":
                        x = F.relu(x)
                    elif layer["activation"] == "tanh":
                        x = torch.tanh(x)
            elif kind == "pool2d":
                window = layer["kernel"], layer["stride"], layer["padding"]
                ceil = layer.get("ceil", False)
                if layer["pool"] == "max":
                    x = F.max_pool2d(x, *window, ceil_mode=ceil)
                elif layer["pool"] == "avg":
                    x = F.avg_pool2d(x, *window, ceil_mode=ceil, count_include_pad=layer["count_padding"])
                else:
                    x = F.adaptive_avg_pool2d(x, 1)
            else:
                x = F.relu(x) if layer["activation"] == "relu" else torch.tanh(x)
        return x

    def forward(self, inputs: Values) -> list[torch.Tensor]:
        values = dict(inputs)
        for op in self.graph.operators:
            if not op.is_input:
                values[op.id] = self.run(op, values)
        return [values[i] for i in self.graph.outputs]


def capture(forward: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
    """One CUDA graph of forward(), after warm-up on a side stream: what replays it, and its outputs."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            forward()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = forward()

    def replay():
        graph.replay()
        return kept

    return replay, kept


def wavefront(network: Network, inputs: Values) -> Callable[[], list[torch.Tensor]]:
    """Level by level, an operator a stream, all streams joined after each level."""
    levels = network.graph.levels()
    streams = [torch.cuda.Stream() for _ in range(max(len(level) for level in levels))]

    def forward():
        main = torch.cuda.current_stream()
        values = dict(inputs)
        for level in levels:
            if len(level) == 1:
                values[level[0].id] = network.run(level[0], values)
                continue
            for op, stream in zip(level, streams):
                stream.wait_stream(main)
                with torch.cuda.stream(stream):
                    values[op.id] = network.run(op, values)
            for _, stream in zip(level, streams):
                main.wait_stream(stream)
        kept[:] = [values]
        return [values[i] for i in network.graph.outputs]

    kept: list[Values] = []  # nothing that another stream may still read is freed
    return forward


def dataflow(network: Network, inputs: Values) -> Callable[[], list[torch.Tensor]]:
    """Opara's allocation: an operator continues the stream of the predecessor whose first consumer it
    is, else takes a new stream; waits only for what it reads."""
    stream_of, used, taken = {}, 0, set()
    for op in network.graph.operators:
        if op.is_input:
            continue
        for p in op.preds:
            if p in stream_of and p not in taken:
                taken.add(p)
                stream_of[op.id] = stream_of[p]
                break
        else:
            stream_of[op.id] = used % STREAMS
            used += 1
    streams = [torch.cuda.Stream() for _ in range(min(used, STREAMS))]

    def forward():
        main = torch.cuda.current_stream()
        values, done = dict(inputs), {}
        for stream in streams:
            stream.wait_stream(main)
        for op in network.graph.operators:
            if op.is_input:
                continue
            stream = streams[stream_of[op.id]]
            for p in op.preds:
                if p in done and stream_of[p] != stream_of[op.id]:
                    stream.wait_event(done[p])
            with torch.cuda.stream(stream):
                values[op.id] = network.run(op, values)
                done[op.id] = stream.record_event()
        for stream in streams:
            main.wait_stream(stream)
        kept[:] = [values]
        return [values[i] for i in network.graph.outputs]

    kept: list[Values] = []
    return forward


def compiled(network: Network, inputs: Values, mode: str) -> Callable[[], list[torch.Tensor]]:
    for x in inputs.values():
        torch._dynamo.mark_static_address(x)  # as in the CUDA graphs above, the input is not copied
    forward = torch.compile(network, mode=mode)
    for _ in range(4):
        forward(inputs)
    return lambda: forward(inputs)


def timed_on_gpu(run: Callable[[], Any], runs: int) -> list[float]:
    """Milliseconds of each run, in bursts: the launch of a run hides behind the run before."""
    burst, times = 10, []
    while len(times) < runs:
        events = [torch.cuda.Event(enable_timing=True) for _ in range(burst + 1)]
        events[0].record()
        for event in events[1:]:
            run()
            event.record()
        torch.cuda.synchronize()
        times += [events[i].elapsed_time(events[i + 1]) for i in range(1, burst)]
    return times


def timed_on_cpu(run: Callable[[], Any], runs: int) -> list[float]:
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - begin))
    return times


def timed(run: Callable[[], Any], runs: int, device: str) -> dict[str, Any]:
    for _ in range(10 if device == "cuda" else 1):
        run()
    if device == "cuda":
        torch.cuda.synchronize()
    times = (timed_on_gpu if device == "cuda" else timed_on_cpu)(run, runs)
    median = statistics.median(times)
    return {
        "median_ms": median,
        "noise": statistics.median(abs(t - median) for t in times) / median,
        "min_ms": min(times),
        "max_ms": max(times),
        "runs": len(times),
    }


def clocks() -> dict[str, Any]:
    query = "clocks.sm,clocks.mem,clocks_throttle_reasons.active"
    try:
        out = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits", "-i", "0"],
                             capture_output=True, text=True, timeout=10, check=True).stdout
        sm, memory, reasons = (part.strip() for part in out.strip().split(","))
        return {"sm_mhz": int(sm), "memory_mhz": int(memory), "throttle_reasons": reasons}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {"unknown": str(error)}


def prepare(mode: str, network: Network, inputs: Values) -> Callable[[], list[torch.Tensor]]:
    if mode == "eager":
        return lambda: network(inputs)
    if mode.startswith("compile"):
        return compiled(network, inputs, "max-autotune" if mode == "compile-max-autotune" else "reduce-overhead")
    forward = {
        "sequential": lambda: network(inputs),
        "wavefront": wavefront(network, inputs),
        "dataflow": dataflow(network, inputs),
    }[mode]
    return capture(forward)[0]


def run_mode(mode: str, network: Network, inputs: Values, args: argparse.Namespace,
             reference: Reference | None) -> dict[str, Any]:
    if args.device == "cpu" and mode not in ("eager", "compile"):
        return {"what": WHAT[mode], "failed": "a CPU has no CUDA graphs"}
    begin = time.perf_counter()
    try:
        run = prepare(mode, network, inputs)
        outputs = [x.detach().float().cpu() for x in run()]
        ready = time.perf_counter() - begin
        entry: dict[str, Any] = {"what": WHAT[mode], "ready_seconds": round(ready, 1)}
        if reference:
            entry["relative_error"] = relative_error(outputs, reference)
            if not entry["relative_error"] <= TOLERANCE[args.precision]:
                return entry | {"failed": f"its output is wrong: relative error {entry['relative_error']:.2g}, "
                                          f"rounding explains {TOLERANCE[args.precision]}"}
        return entry | timed(run, args.runs, args.device)
    except Exception as error:  # whatever a framework throws: it is the result of this mode, the others go on
        words = str(error).strip()
        return {"what": WHAT[mode], "failed": (words.splitlines()[0] if words else type(error).__name__)[:300]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", help="a graph written by `opsched show NET --format json`")
    parser.add_argument("--precision", default="fp32", choices=list(TOLERANCE))
    parser.add_argument("--modes", default="eager,sequential,wavefront,dataflow",
                        help=f"of {', '.join(WHAT)}; {', '.join(f'{a} is {b}' for a, b in ALIASES.items())}")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: eager and compile only")
    parser.add_argument("--weights", type=pathlib.Path, help="from `opsched infer --save-weights`")
    parser.add_argument("--expected", type=pathlib.Path, help="from `opsched infer --batch 1 -o`")
    args = parser.parse_args()
    modes = [ALIASES.get(m, m) for m in args.modes.split(",")]
    unknown = [m for m in modes if m not in WHAT]
    if unknown:
        parser.error(f"unknown mode {', '.join(unknown)}; known: {', '.join([*WHAT, *ALIASES])}")
    if (args.weights is None) != (args.expected is None):
        parser.error("--weights and --expected go together")
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_peer: PyTorch sees no GPU (--device cpu runs eager and compile)")

    half = args.precision == "fp16"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    try:
        graph = load_graph(args.graph)
        reference = load_reference(graph, args.weights, args.expected) if args.weights else None
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"torch_peer: {error}")
    dtype = torch.half if half else torch.float32
    network = Network(graph, dtype, channels_last=half, device=args.device, reference=reference)
    inputs = {i: torch.as_tensor(x).to(args.device, dtype).contiguous(memory_format=network.format)
              for i, x in random_inputs(graph).items()}
    with torch.no_grad():
        latency = {mode: run_mode(mode, network, inputs, args, reference) for mode in modes}
    print(json.dumps({
        "peer": "pytorch",
        "graph": graph.name,
        "batch": graph.batch,
        "precision": args.precision,
        "device": torch.cuda.get_device_name(0) if args.device == "cuda" else "CPU",
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda,
                     "cudnn": torch.backends.cudnn.version()},
        "clocks": clocks() if args.device == "cuda" else {},
        "latency": latency,
    }))


if __name__ == "__main__":
    main()
