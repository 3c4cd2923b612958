"""Runs an exported model in TensorRT with its program trtexec; measures GPU times of replays of one CUDA graph, in ms.

  opsched show NET --format json --batch B -o NET.json
  opsched show NET --format onnx --batch B -o NET.json.onnx
  python3 tensorrt_baseline.py NET.json --precision fp16 --modes engine,aux-0,aux-3

Modes: engine (TensorRT chooses the number of its auxiliary streams), aux-0 to aux-7 (it may use that many). Each builds
an engine, which takes minutes. The model with our weights is NET.json.onnx, next to the graph. With --weights and
--expected, its outputs for our input are compared with ours (reference.py). --trtexec names the program.
"""

import math
import pathlib
import subprocess
import tempfile
import time
from typing import Any

import gpu
import trtexec
from graph_file import Graph, load_graph
from reference import judged, load_reference, numpy, random_inputs
from serve import parse, parser_of, run, words_of

FAILED = (OSError, ValueError, subprocess.SubprocessError, trtexec.NoAnswer)


def said(command: list[str]) -> str:
    """The output of trtexec. Throws NoAnswer if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    text = done.stdout + done.stderr
    if done.returncode != 0:
        raise trtexec.NoAnswer(f"trtexec: exit code {done.returncode}: {trtexec.last_error(text)}")
    return text


def write_inputs(graph: Graph, folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Our inputs in the form that trtexec loads: raw floats, under their names in the model."""
    files = {}
    for i, values in random_inputs(graph).items():
        file = folder / f"input{i}.bin"
        file.write_bytes(bytes(values.astype("float32").tobytes() if numpy else values.numpy().tobytes()))
        files[graph.operators[i].name] = file
    return files


def outputs_of(graph: Graph, file: pathlib.Path) -> list[Any]:
    """Outputs in our order, batch first."""
    if numpy is None:
        raise ValueError("comparing outputs needs NumPy")
    found = trtexec.load_outputs(file)
    named = [found.get(graph.operators[i].name) for i in graph.outputs]
    values = named if all(named) else list(found.values())  # a single output may have any name
    if len(values) != len(graph.outputs):
        raise trtexec.NoAnswer(f"TensorRT has outputs {', '.join(found)}, the graph has {len(graph.outputs)}")
    return [numpy.array(flat, dtype=numpy.float32).reshape(graph.batch, math.prod(shape) // graph.batch) for shape, flat in values]


def measure(request: dict[str, Any], program: str, graph: Graph, mode: str, folder: pathlib.Path) -> dict[str, Any]:
    streams = trtexec.aux_streams(mode)
    entry: dict[str, Any] = {"what": "an engine of trtexec, one CUDA graph" +
                             ("" if streams is None else f", at most {streams} auxiliary streams")}
    engine = folder / f"{mode}.engine"
    begin = time.perf_counter()
    built = said(trtexec.build_command(program, f"{request['graph']}.onnx", engine, request["precision"], mode))
    entry["ready_seconds"] = round(time.perf_counter() - begin, 1)
    entry["version"] = trtexec.parse_version(built)
    if request.get("weights"):
        outputs = folder / f"{mode}.json"
        said(trtexec.check_command(program, engine, write_inputs(graph, folder), outputs))
        reference = load_reference(graph, request["weights"], request["expected"])
        entry |= judged(outputs_of(graph, outputs), reference, request["precision"])
        if "failed" in entry:
            return entry
    timed = said(trtexec.time_command(program, engine, request["runs"], request["max_seconds"]))
    only = {protocol: {"failed": "trtexec times queued runs in its own way, and nothing else"} for protocol in request["protocols"]}
    return entry | trtexec.parse_latency(timed) | {"protocols": only}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    graph = load_graph(request["graph"])
    latency: dict[str, dict[str, Any]] = {}
    version = ""
    with tempfile.TemporaryDirectory(prefix="opsched-tensorrt-") as folder:
        for mode in request["modes"]:
            try:
                latency[mode] = measure(request, request["trtexec"], graph, mode, pathlib.Path(folder))
            except FAILED as error:
                latency[mode] = {"failed": words_of(error)}
            version = latency[mode].pop("version", "") or version
    return {"software": "tensorrt", "graph": graph.name, "batch": graph.batch, "precision": request["precision"],
            "device": gpu.name(), "versions": {"tensorrt": version} if version else {}, "clocks": gpu.clocks(),
            "latency": latency}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--modes", default="engine", help=f"any of engine, aux-0 to aux-{trtexec.MOST_AUX_STREAMS}")
    parser.add_argument("--trtexec", default="trtexec", help="TensorRT's program (default: trtexec from the path)")
    args = parse(parser)
    modes = args.modes.split(",")
    try:
        for mode in modes:
            trtexec.aux_streams(mode)
    except ValueError as error:
        parser.error(str(error))
    shared = {"trtexec": args.trtexec, "runs": args.runs, "max_seconds": args.max_seconds, "protocols": args.protocols}
    run("tensorrt_baseline", args, lambda request: answer({**shared, **request}), modes=modes)


if __name__ == "__main__":
    main()
