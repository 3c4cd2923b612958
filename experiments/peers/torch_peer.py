"""Runs an exported graph in PyTorch: eager, one CUDA graph (sequential, wavefront with barriers,
dataflow on streams), or torch.compile. Weights and input are random; medians of timed replays in ms.

Used as: python3 torch_peer.py GRAPH.json [--precision fp32] [--modes eager,sequential,...] [--runs 60]
Prints one JSON object: versions, device, clocks, and a latency with its spread for each mode.
"""

import argparse
import json
import statistics
import subprocess
import sys

import torch
import torch.nn.functional as F

from graph_file import load_graph

MODES = ["eager", "sequential", "wavefront", "dataflow", "compile"]


class Network(torch.nn.Module):
    """The graph, operator by operator. Joins are concatenations, as a PyTorch user would write them."""

    def __init__(self, graph, dtype, channels_last):
        super().__init__()
        self.graph = graph
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.weights = torch.nn.ParameterDict()
        generator = torch.Generator().manual_seed(1)
        for op in graph.operators:
            channels = op.input_channels
            for i, layer in enumerate(op.layers):
                if layer["type"] != "conv2d":
                    continue
                fan_in = channels // layer["groups"] * layer["kernel"][0] * layer["kernel"][1]
                shape = (layer["out_channels"], channels // layer["groups"], *layer["kernel"])
                weight = torch.randn(shape, generator=generator) * (2.0 / fan_in) ** 0.5
                weight = weight.to("cuda", dtype).contiguous(memory_format=self.format)
                bias = torch.randn(layer["out_channels"], generator=generator).to("cuda", dtype)
                self.weights[f"w{op.id}_{i}"] = torch.nn.Parameter(weight, requires_grad=False)
                self.weights[f"b{op.id}_{i}"] = torch.nn.Parameter(bias, requires_grad=False)
                channels = layer["out_channels"]

    def gather(self, op, values):
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

    def run(self, op, values):
        x = self.gather(op, values)
        for i, layer in enumerate(op.layers):
            kind = layer["type"]
            if kind == "conv2d":
                w, b = self.weights[f"w{op.id}_{i}"], self.weights[f"b{op.id}_{i}"]
                stride, padding, groups = layer["stride"], layer["padding"], layer["groups"]
                if layer["activation"] == "relu" and not torch.compiler.is_compiling():
                    x = torch.cudnn_convolution_relu(x, w, b, stride, padding, [1, 1], groups)
                else:
                    x = F.conv2d(x, w, b, stride, padding, 1, groups)
                    if layer["activation"] == "relu":
                        x = F.relu(x)
                    elif layer["activation"] == "tanh":
                        x = torch.tanh(x)
            elif kind == "pool2d":
                if layer["pool"] == "max":
                    x = F.max_pool2d(x, layer["kernel"], layer["stride"], layer["padding"])
                elif layer["pool"] == "avg":
                    x = F.avg_pool2d(x, layer["kernel"], layer["stride"], layer["padding"],
                                     count_include_pad=layer["count_padding"])
                else:
                    x = F.adaptive_avg_pool2d(x, 1)
            else:
                x = F.relu(x) if layer["activation"] == "relu" else torch.tanh(x)
        return x

    def forward(self, inputs):
        values = dict(inputs)
        for op in self.graph.operators:
            if not op.is_input:
                values[op.id] = self.run(op, values)
        return [values[i] for i in self.graph.outputs]


def capture(forward):
    """One CUDA graph of forward(), after warm-up on a side stream."""
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
    return graph.replay, kept


def wavefront(network, inputs):
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
        return values

    return forward


def dataflow(network, inputs, limit=16):
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
            stream_of[op.id] = used % limit
            used += 1
    streams = [torch.cuda.Stream() for _ in range(min(used, limit))]

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
        return values

    return forward


def timed(run, runs):
    """Milliseconds of each run, in bursts: the launch of a run hides behind the run before."""
    for _ in range(10):
        run()
    torch.cuda.synchronize()
    burst, times = 10, []
    while len(times) < runs:
        events = [torch.cuda.Event(enable_timing=True) for _ in range(burst + 1)]
        events[0].record()
        for event in events[1:]:
            run()
            event.record()
        torch.cuda.synchronize()
        times += [events[i].elapsed_time(events[i + 1]) for i in range(1, burst)]
    median = statistics.median(times)
    return {
        "median_ms": median,
        "noise": statistics.median(abs(t - median) for t in times) / median,
        "min_ms": min(times),
        "runs": len(times),
    }


def clocks():
    query = "clocks.sm,clocks.mem,clocks_throttle_reasons.active"
    try:
        out = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits", "-i", "0"],
                             capture_output=True, text=True, timeout=10, check=True).stdout
        sm, memory, reasons = (part.strip() for part in out.strip().split(","))
        return {"sm_mhz": int(sm), "memory_mhz": int(memory), "throttle_reasons": reasons}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {"unknown": str(error)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", help="a graph written by `opsched show NET --format json`")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "fp16"])
    parser.add_argument("--modes", default="eager,sequential,wavefront,dataflow", help=f"of {', '.join(MODES)}")
    parser.add_argument("--runs", type=int, default=60)
    args = parser.parse_args()
    modes = args.modes.split(",")
    unknown = [m for m in modes if m not in MODES]
    if unknown:
        parser.error(f"unknown mode {', '.join(unknown)}; known: {', '.join(MODES)}")
    if not torch.cuda.is_available():
        sys.exit("torch_peer: PyTorch sees no GPU")

    half = args.precision == "fp16"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    graph = load_graph(args.graph)
    dtype = torch.half if half else torch.float32
    network = Network(graph, dtype, channels_last=half)
    torch.manual_seed(2)
    inputs = {}
    for op in graph.operators:
        if op.is_input:
            x = torch.randn(graph.batch, *op.output, device="cuda").to(dtype)
            inputs[op.id] = x.contiguous(memory_format=network.format)

    results = {}
    with torch.no_grad():
        for mode in modes:
            if mode == "eager":
                run = lambda: network(inputs)
            elif mode == "compile":
                compiled = torch.compile(network, mode="reduce-overhead")
                run = lambda: compiled(inputs)
                for _ in range(4):
                    run()
            else:
                forward = {
                    "sequential": lambda: network(inputs),
                    "wavefront": wavefront(network, inputs),
                    "dataflow": dataflow(network, inputs),
                }[mode]
                run, _kept = capture(forward)
            results[mode] = timed(run, args.runs)
    print(json.dumps({
        "peer": "pytorch",
        "graph": graph.name,
        "batch": graph.batch,
        "precision": args.precision,
        "device": torch.cuda.get_device_name(0),
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda,
                     "cudnn": torch.backends.cudnn.version()},
        "clocks": clocks(),
        "latency": results,
    }))


if __name__ == "__main__":
    main()
