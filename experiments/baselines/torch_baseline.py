"""Runs an exported graph in PyTorch, in several modes; measures medians of timed replays in ms.

  opsched show NET --format json --batch B --image I -o NET.json
  python3 torch_baseline.py NET.json --precision fp32 --modes eager,graph,compile

Modes: eager; sequential (or graph), wavefront and dataflow (or opara: Opara's stream allocation, where an operator
waits only for what it reads), each as one CUDA graph with fused convolution + bias + relu; compile (torch.compile,
mode reduce-overhead); compile-max-autotune (takes many minutes). Tensors are channels-last in fp16 and channels-first
otherwise, unless the mode ends in -nchw or -nhwc.

Options follow a mode, each after a +, as in compile+mm+freeze-nhwc: limit0 (see below), and for compiled modes layout,
nolayout (layout_optimization), mm (conv_1x1_as_mm), freeze (weights are constants; the input is not, or the result
would be constant too), capture (the kernels in one CUDA graph of ours, without the guards that the host checks).

cuDNN picks its convolutions by measurement (torch.backends.cudnn.benchmark) among the first 10 plans that its
heuristics propose, which is PyTorch's own limit; with limit0 among all of them. Compiled code is also run on a fresh
input and compared with eager: if the compiler folded the input into constants, there is no latency.

Prints one JSON object: versions, device, clocks, and for each mode a latency with its spread, or the reason for
having none. With --weights and --expected (see reference.py), the weights are those of opsched, and every output is
compared with that of opsched; a mode with wrong outputs has no latency. Otherwise weights are random.

--serve answers requests instead (serve.py): {"do": "measure" or "prepare", "graph": ..., "precision": ...,
"modes": [...], "protocols": [...], "weights": ..., "expected": ...}. A prepared network (compiled, but not run) is
measured by the next request.
"""

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

import gpu
from cases import ALIASES, LAYOUTS, OPTIONS, base_of, known_mode, layout_of, options_of, way_of, without_limit
from graph_file import load_graph
from protocols import measured
from reference import INPUT_SEED, TOLERANCE, Reference, judged, load_reference, random_inputs, random_tensor
from serve import parse, parser_of, run, words_of
from timing import Budget, seconds_of, summary
from torch_network import Network, Values, capture, compiled, dataflow, wavefront
from torch_protocols import sample, sample_bursts

WHAT = {
    "eager": "eager",
    "sequential": "one CUDA graph, one stream",
    "wavefront": "one CUDA graph, a level at a time, an operator a stream",
    "dataflow": "one CUDA graph, Opara's allocation to at most 16 streams",
    "compile": "torch.compile, mode reduce-overhead",
    "compile-max-autotune": "torch.compile, mode max-autotune",
}
COMPILED = {"compile": "reduce-overhead", "compile-max-autotune": "max-autotune"}
PLANS = 10  # plans that cuDNN tries: PyTorch's own limit


def what_of(mode: str) -> str:
    return ", ".join([WHAT[base_of(mode)], *(OPTIONS[o] for o in options_of(mode))]) + LAYOUTS.get(mode[len(way_of(mode)):], "")


def fresh_error(run: Callable[[], Any], network: Network, inputs: Values) -> float:
    """How far the results of `run` for another input are from eager's; restores the input."""
    kept = {i: x.clone() for i, x in inputs.items()}
    for n, x in enumerate(inputs.values()):
        x.copy_(random_tensor(tuple(x.shape), INPUT_SEED + 1000 + n, str(x.device)))
    found = torch.cat([y.detach().double().flatten() for y in run()])
    wanted = torch.cat([y.double().flatten() for y in network(inputs)])
    for i, x in inputs.items():
        x.copy_(kept[i])
    return float((found - wanted).norm() / wanted.norm())


def timed(run: Callable[[], Any], budget: Budget, device: str) -> dict[str, Any]:
    def finished() -> None:
        run()
        if device == "cuda":
            torch.cuda.synchronize()

    finished()
    each = seconds_of(finished)
    if device == "cpu":
        return summary([1e3 * seconds_of(run) for _ in range(budget.count(each))])
    for _ in range(budget.warm_up(each)):
        run()
    torch.cuda.synchronize()
    return summary(sample_bursts(run, budget.count(each)))


class Loaded:
    """A network on the device in one precision, its input, and its compiled modes."""

    def __init__(self, graph: str, precision: str, device: str, weights: str | None, expected: str | None) -> None:
        self.key = (graph, precision)
        self.graph, self.precision, self.device = load_graph(graph), precision, device
        self.reference: Reference | None = load_reference(self.graph, weights, expected) if weights else None
        self.placed: dict[str, tuple[Network, Values]] = {}  # by layout
        self.compiled: dict[str, tuple[Callable[[], Any], float]] = {}

    def lay_out(self, mode: str) -> tuple[Network, Values]:
        """The network and its input in the layout of a mode."""
        layout = layout_of(mode, self.precision)
        if layout not in self.placed:
            dtype = torch.half if self.precision == "fp16" else torch.float32
            network = Network(self.graph, dtype, layout == "-nhwc", self.device, self.reference)
            inputs = {i: x.to(dtype).contiguous(memory_format=network.format)
                      for i, x in random_inputs(self.graph, self.device).items()}
            self.placed[layout] = network, inputs
        return self.placed[layout]

    def use(self) -> None:
        """PyTorch sets the precision for the whole process."""
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.precision == "tf32"
        torch.backends.cudnn.benchmark = True

    def compile(self, mode: str) -> Callable[[], Any]:
        begin = time.perf_counter()
        run = compiled(*self.lay_out(mode), COMPILED[base_of(mode)], options_of(mode))
        self.compiled[mode] = run, time.perf_counter() - begin
        return run

    def prepare(self, mode: str) -> Callable[[], Any]:
        way = base_of(mode)
        if way in COMPILED:
            run = self.compiled[mode][0] if mode in self.compiled else self.compile(mode)
            return capture(run)[0] if "capture" in options_of(mode) else run
        network, inputs = self.lay_out(mode)
        if way == "eager":
            return lambda: network(inputs)
        forward = {
            "sequential": lambda: network(inputs),
            "wavefront": wavefront(network, inputs),
            "dataflow": dataflow(network, inputs),
        }[way]
        return capture(forward)[0]

    def measure(self, mode: str, budget: Budget, protocols: list[str]) -> dict[str, Any]:
        entry: dict[str, Any] = {"what": what_of(mode)}
        if self.device == "cpu" and (base_of(mode) not in ("eager", "compile") or "capture" in options_of(mode)):
            return entry | {"failed": "a CPU has no CUDA graphs"}
        earlier = self.compiled[mode][1] if mode in self.compiled else 0
        torch.backends.cudnn.benchmark_limit = 0 if without_limit(mode) else PLANS
        begin = time.perf_counter()
        run = self.prepare(mode)
        outputs = [x.detach().float().cpu() for x in run()]
        entry["ready_seconds"] = round(earlier + time.perf_counter() - begin, 1)
        entry |= judged(outputs, self.reference, self.precision) if self.reference else {}
        if "failed" in entry:
            return entry
        if base_of(mode) in COMPILED:
            for _ in range(3):  # it records its CUDA graph in the second run
                run()
            if (error := fresh_error(run, *self.lay_out(mode))) > TOLERANCE[self.precision]:
                return entry | {"failed": f"its output for another input is wrong: relative error {error:.2g}"}
        entry |= timed(run, budget, self.device)

        def by(protocol: str) -> list[float]:
            return sample(protocol, mode, run, lambda: self.prepare(mode), self.lay_out(mode)[1], self.device)

        return entry | {"protocols": measured(protocols, by)}


class Baseline:
    """A loaded network is kept until another graph or precision is requested."""

    def __init__(self, device: str, budget: Budget) -> None:
        self.device, self.budget = device, budget
        self.loaded: Loaded | None = None

    def load(self, request: dict[str, Any]) -> Loaded:
        if self.loaded is None or self.loaded.key != (request["graph"], request["precision"]):
            self.forget()
            self.loaded = Loaded(request["graph"], request["precision"], self.device, request.get("weights"),
                                 request.get("expected"))
            self.free()  # drawing the input needed several times its memory
        self.loaded.use()
        return self.loaded

    def forget(self) -> None:
        if self.loaded:
            self.loaded = None
            torch.compiler.reset()
            self.free()

    def free(self) -> None:
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        with torch.no_grad():
            return self.prepared(request) if request["do"] == "prepare" else self.measured(request)

    def prepared(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            for mode in request["modes"]:
                self.load(request).compile(mode)
            return {"prepared": request["modes"]}
        except Exception as error:  # any exception of the framework
            self.forget()
            return {"failed": words_of(error)}

    def measured(self, request: dict[str, Any]) -> dict[str, Any]:
        latency = {}
        loaded = self.load(request)
        for mode in request["modes"]:
            try:
                latency[mode] = loaded.measure(mode, self.budget, request.get("protocols", []))
            except Exception as error:  # any exception is the result of this mode; the others still run
                latency[mode] = {"what": what_of(mode), "failed": words_of(error)}
            self.free()
        result = {
            "software": "pytorch",
            "graph": loaded.graph.name,
            "batch": loaded.graph.batch,
            "precision": loaded.precision,
            "device": torch.cuda.get_device_name(0) if self.device == "cuda" else "CPU",
            "versions": {"torch": torch.__version__, "cuda": torch.version.cuda,
                         "cudnn": torch.backends.cudnn.version()},
            "clocks": gpu.clocks() if self.device == "cuda" else {},
            "latency": latency,
        }
        if any(mode in loaded.compiled for mode in request["modes"]):
            del loaded
            self.forget()  # do not keep compiled code and its memory
        return result


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--modes", default="eager,sequential,wavefront,dataflow",
                        help=f"any of {', '.join(WHAT)}; {', '.join(f'{a} is {b}' for a, b in ALIASES.items())}; "
                             f"options may follow, as in compile+mm: {', '.join(OPTIONS)}; "
                             "then -nchw or -nhwc for the layout")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu only runs eager and compile")
    args = parse(parser)
    try:
        modes = [known_mode(m) for m in args.modes.split(",")]
    except ValueError as error:
        parser.error(str(error))
    if len({without_limit(m) for m in modes}) > 1:
        parser.error("modes with limit0 and without need a process each: cuDNN keeps the plans that it chose")
    if unknown := [m for m in modes if base_of(m) not in WHAT]:
        parser.error(f"unknown mode {', '.join(unknown)}; known: {', '.join([*WHAT, *ALIASES])}, each with -nchw or -nhwc, too")
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_baseline: PyTorch sees no GPU (--device cpu runs eager and compile)")
    baseline = Baseline(args.device, Budget(args.runs, args.max_seconds))
    run("torch_baseline", args, baseline.answer, do="measure", modes=modes)


if __name__ == "__main__":
    main()
