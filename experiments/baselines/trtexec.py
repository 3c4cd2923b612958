"""The arguments and the output of trtexec, TensorRT's command-line program."""

import json
import pathlib
import re

NUMBER = r"([0-9.]+(?:e[+-]?[0-9]+)?)"
PRECISION = {"fp32": ["--noTF32"], "tf32": [], "fp16": ["--fp16"]}  # TF32 is enabled unless it is disabled
MOST_AUX_STREAMS = 7


class NoAnswer(Exception):
    """trtexec did not print the expected output; the message quotes its last error."""


def aux_streams(mode: str) -> int | None:
    """The option for a mode: "engine" leaves the number of auxiliary streams to TensorRT, "aux-3" sets it. ValueError
    for others."""
    if mode == "engine":
        return None
    found = re.fullmatch(r"aux-([0-9])", mode)
    if not found or int(found[1]) > MOST_AUX_STREAMS:
        raise ValueError(f"unknown mode '{mode}' of TensorRT; there are: engine, aux-0 to aux-{MOST_AUX_STREAMS}")
    return int(found[1])


def build_command(program: str, onnx: str, engine: pathlib.Path, precision: str, mode: str) -> list[str]:
    streams = aux_streams(mode)
    more = [] if streams is None else [f"--maxAuxStreams={streams}"]
    return [program, f"--onnx={onnx}", f"--saveEngine={engine}", "--skipInference", *PRECISION[precision], *more]


def check_command(program: str, engine: pathlib.Path, inputs: dict[str, pathlib.Path], outputs: pathlib.Path) -> list[str]:
    """One run with our input that stores the outputs."""
    given = ",".join(f"{name}:{file}" for name, file in inputs.items())
    return [program, f"--loadEngine={engine}", f"--loadInputs={given}", f"--exportOutput={outputs}", "--iterations=1",
            "--duration=0", "--warmUp=0"]


def time_command(program: str, engine: pathlib.Path, runs: int, seconds: float) -> list[str]:
    """Timing as for ours: one CUDA graph, back-to-back replays, input and output stay on the GPU."""
    return [program, f"--loadEngine={engine}", "--useCudaGraph", "--noDataTransfers", "--useSpinWait",
            f"--iterations={runs}", f"--duration={seconds:g}"]


def parse_latency(text: str) -> dict[str, float]:
    """The line "GPU Compute Time" in trtexec's summary, in ms. Throws NoAnswer without it."""
    lines = [line for line in text.splitlines() if "GPU Compute Time: min" in line and "Total" not in line]
    if not lines:
        raise NoAnswer(f"trtexec printed no GPU Compute Time: {last_error(text)}")
    found = {name: float(value) for name, value in re.findall(rf"([a-z]+(?:\(\d+%\))?) = {NUMBER} ms", lines[-1])}
    if lost := [name for name in ("min", "max", "median") if name not in found]:
        raise NoAnswer(f"trtexec's line of the GPU Compute Time has no {', '.join(lost)}: {lines[-1].strip()[:200]}")
    result = {"median": found["median"], "min": found["min"], "max": found["max"], "unit": "ms"}
    result |= {f"p{p}": found[f"percentile({p}%)"] for p in (90, 99) if f"percentile({p}%)" in found}
    if trace := re.search(r"Timing trace has ([0-9]+) queries", text):
        result["runs"] = int(trace[1])
    return result


def parse_version(text: str) -> str:
    """The version as numbers with points: 10.3.0 for "[TensorRT v100300]", 8.6.1 for "[TensorRT v8601]", unchanged if
    it has points already, "" without any."""
    found = re.search(r"\[TensorRT v([0-9.]+)\]", text)
    if not found or "." in found[1]:
        return found[1] if found else ""
    number, per = int(found[1]), 100 if len(found[1]) > 4 else 10
    return f"{number // (per * 100)}.{number // 100 % per}.{number % 100}"


def last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "[E]" in line] or [line.strip() for line in text.splitlines()
                                                                           if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"


def load_outputs(file: pathlib.Path) -> dict[str, tuple[list[int], list[float]]]:
    """The file of --exportOutput: dimensions and values by name. Throws NoAnswer if its format is different."""
    try:
        return {entry["name"]: ([int(side) for side in str(entry["dimensions"]).split("x")], entry["values"])
                for entry in json.loads(file.read_text())}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoAnswer(f"trtexec's outputs in {file} cannot be read: {error!r}") from error
