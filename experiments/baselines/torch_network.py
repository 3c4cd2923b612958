"""A graph of opsched in PyTorch, and the modes of running it."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from graph_file import Graph, Operator
from reference import Reference

STREAMS = 16

Values = dict[int, torch.Tensor]
Weights = tuple[torch.Tensor, torch.Tensor]  # weight and bias of a convolution


ACTIVATIONS: dict[str, Callable[..., torch.Tensor]] = {
    "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "leaky_relu": F.leaky_relu, "elu": F.elu,
    "clip": torch.clamp, "hard_sigmoid": lambda x, a, b: torch.clamp(a * x + b, 0, 1), "hard_swish": F.hardswish,
    "silu": F.silu, "gelu": F.gelu, "softplus": F.softplus, "none": lambda x: x}


def activated(x: torch.Tensor, text: str) -> torch.Tensor:
    """text: such as "relu" or "clip(0,6)"."""
    name, _, parameters = text.partition("(")
    return ACTIVATIONS[name](x, *(float(p) for p in parameters.rstrip(")").split(",") if p))


def joined(terms: list[list[torch.Tensor]], multiplied: bool = False) -> torch.Tensor:
    """The input of an operator: values of a term are added, and the terms are concatenated or multiplied."""
    sums = [sum(term[1:], start=term[0]) for term in terms]
    if multiplied:
        return math.prod(sums[1:], start=sums[0])
    return sums[0] if len(sums) == 1 else torch.cat(sums, 1)


def run_layer(layer: dict[str, Any], x: torch.Tensor, weights: Weights | None, fuses: bool = False) -> torch.Tensor:
    """weights: of a convolution. fuses: whether cuDNN applies the activation in the same kernel."""
    activation, dilation = layer.get("activation", "none"), layer.get("dilation", [1, 1])
    below, right = layer.get("more_padding", [0, 0])
    padding = layer.get("padding", [0, 0])
    if below or right or min(padding) < 0:
        lowest = -math.inf if layer.get("pool") == "max" else 0.0
        if layer.get("pool") == "avg" and not layer["count_padding"] and max(*padding, padding[0] + below, padding[1] + right) > 0:
            raise ValueError(f"PyTorch has no pool that pads like {layer}")
        (top, left), padding = padding, [0, 0]
        x = F.pad(x, (left, left + right, top, top + below), value=lowest)
    if layer["type"] == "conv2d":
        stride, groups = layer["stride"], layer["groups"]
        if activation == "relu" and fuses and not torch.compiler.is_compiling():
            return torch.cudnn_convolution_relu(x, *weights, stride, padding, dilation, groups)
        x = F.conv2d(x, *weights, stride, padding, dilation, groups)
    elif layer["type"] == "resize2d":
        return resized(x, layer)
    elif layer["type"] == "pool2d":
        window, ceil = (layer["kernel"], layer["stride"], padding), layer.get("ceil", False)
        if layer["pool"] == "max":
            return F.max_pool2d(x, *window, dilation, ceil_mode=ceil)
        if layer["pool"] == "avg":
            return F.avg_pool2d(x, *window, ceil_mode=ceil, count_include_pad=layer["count_padding"])
        return F.adaptive_avg_pool2d(x, 1)
    elif layer["type"] in CHANNEL_LAYERS:
        return CHANNEL_LAYERS[layer["type"]](x, layer)
    elif layer["type"] != "activation":
        raise ValueError(f"unknown layer {layer}")
    return activated(x, activation)


def softmax(x: torch.Tensor, layer: dict[str, Any]) -> torch.Tensor:
    size, inner = layer["size"], layer["inner"]
    return x.unflatten(1, (-1, size, inner)).softmax(2).flatten(1, 3)


def normalized(x: torch.Tensor, layer: dict[str, Any]) -> torch.Tensor:
    if not layer["per_pixel"]:
        return F.group_norm(x, layer["groups"], eps=layer["epsilon"])
    grouped = x.unflatten(1, (layer["groups"], -1)).movedim(2, -1)
    return F.layer_norm(grouped, grouped.shape[-1:], eps=layer["epsilon"]).movedim(-1, 2).flatten(1, 2)


def depth_to_space(x: torch.Tensor, layer: dict[str, Any]) -> torch.Tensor:
    (rows, columns), n = layer["block"], x.shape[0]
    channels, h, w = x.shape[1] // (rows * columns), x.shape[2], x.shape[3]
    if layer["phase_first"]:
        x = x.reshape(n, rows, columns, channels, h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        x = x.reshape(n, channels, rows, columns, h, w).permute(0, 1, 4, 2, 5, 3)
    x = x.reshape(n, channels, h * rows, w * columns)
    (top, left), (below, right) = layer.get("crop", (0, 0)), layer.get("crop_end", (0, 0))
    return x[:, :, top : x.shape[2] - below, left : x.shape[3] - right]


def pixel_row(x: torch.Tensor, layer: dict[str, Any]) -> torch.Tensor:
    row = x.flatten(2).unsqueeze(2)
    return F.pad(row, (layer.get("begin", 0), layer["width"] - layer.get("begin", 0) - row.shape[3]))


CHANNEL_LAYERS = {"softmax": softmax, "normalize": normalized, "depth_to_space": depth_to_space, "pixel_row": pixel_row}


def resized(x: torch.Tensor, layer: dict[str, Any]) -> torch.Tensor:
    size, corners = layer["size"], layer["coordinates"] == "align_corners"
    if layer["interpolation"] == "linear" and layer["coordinates"] != "asymmetric":
        return F.interpolate(x, size, mode="bilinear", align_corners=corners)
    if layer["interpolation"] == "nearest" and not corners and all(n % m == 0 for n, m in zip(size, x.shape[2:])):
        return F.interpolate(x, size, mode="nearest")
    raise ValueError(f"PyTorch has no resizing like {layer}")


class Network(torch.nn.Module):
    """The graph, operator by operator, with joins as concatenations, as PyTorch users write them."""

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

    def run(self, op: Operator, values: Values) -> torch.Tensor:
        def value(v):
            x = values[v.op]
            return x if (v.begin, v.end) == (0, x.shape[1]) else x[:, v.begin : v.end]

        x = joined([[value(v) for v in term] for term in op.terms], op.multiplied)
        for i, layer in enumerate(op.layers):
            weights = None
            if layer["type"] == "conv2d":
                weights = self.weights[f"w{op.id}_{i}"], self.weights[f"b{op.id}_{i}"]
            x = run_layer(layer, x, weights, self.fuses)
        return x

    def forward(self, inputs: Values) -> list[torch.Tensor]:
        values = dict(inputs)
        for op in self.graph.operators:
            if not op.is_input:
                values[op.id] = self.run(op, values)
        return [values[i] for i in self.graph.outputs]


def capture(forward: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
    """One CUDA graph of forward(), captured after warm-up on a side stream. Returns a function that replays it, and its
    outputs."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
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
    """Level by level, with one stream per operator; all streams are joined after each level."""
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

    kept: list[Values] = []  # keeps memory that another stream may still read
    return forward


def dataflow(network: Network, inputs: Values) -> Callable[[], list[torch.Tensor]]:
    """Opara's stream allocation: an operator continues the stream of the first predecessor whose first consumer it is,
    or takes a new stream. It only waits for what it reads."""
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


class Paused(Exception):
    """Compiled, but not run yet."""


# What the options of a mode (cases.py) mean for the compiler.
INDUCTOR = {"layout": {"layout_optimization": True}, "nolayout": {"layout_optimization": False},
            "mm": {"conv_1x1_as_mm": True}, "freeze": {"freezing": True}}


def compiled(network: Network, inputs: Values, mode: str, options_of_mode: list[str]) -> Callable[[], list[torch.Tensor]]:
    """torch.compile(network, mode=mode), compiled but not run yet. Nothing is timed or tuned on the GPU, so several
    processes can compile in parallel."""
    if "freeze" not in options_of_mode:  # a static input would be folded into constants, and nothing would be computed
        for x in inputs.values():
            torch._dynamo.mark_static_address(x)  # the input is not copied, as in the CUDA graphs above
    options = dict(torch._inductor.list_mode_options(mode))
    if "capture" in options_of_mode:
        options["triton.cudagraphs"] = False  # the caller captures
    for option in options_of_mode:
        options |= INDUCTOR.get(option, {})
    may_run = False

    def backend(module: Any, example_inputs: list[Any]) -> Callable[..., Any]:
        run = torch._inductor.compile(module, example_inputs, options=options)

        def when_allowed(*values: Any) -> Any:
            if not may_run:
                raise Paused
            return run(*values)

        return when_allowed

    forward = torch.compile(network, backend=backend)
    try:
        forward(inputs)
    except Paused:
        pass
    may_run = True
    return lambda: forward(inputs)
