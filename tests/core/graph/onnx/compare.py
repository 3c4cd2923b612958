#!/usr/bin/env python3
"""Compares what onnxruntime and opsched compute for any ONNX models, on the CPU.

  compare.py --check PROGRAM [--schedulers A,B] [--limit 1e-5] [--batch N] [--image HxW] [--csv FILE] MODEL...

PROGRAM is opsched_onnx_check. Each model runs on random inputs, with the reference and under the schedulers (default:
sequential, wavefront, dataflow, ios-both). The error of each output may be --limit of its largest value, or twice the
change of onnxruntime's outputs when the last digits of the inputs change. --batch and --image set sizes that a model
leaves open (default: batch 1). Prints one line per model: right, wrong, refused, or not run by onnxruntime; --csv
stores them. Exits with 1 if a model is wrong. Needs the packages onnx and onnxruntime.
"""
import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from differential import change

COLUMNS = ["model", "result", "operators", "error", "limit", "output", "under", "seconds", "why"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", required=True)
    parser.add_argument("--schedulers", default="sequential,wavefront,dataflow,ios-both")
    parser.add_argument("--limit", default="1e-5")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--image")
    parser.add_argument("--csv")
    parser.add_argument("models", nargs="+", type=Path)
    return parser.parse_args()


def has_channels_last(model, name):
    """Whether all readers of this input transpose it to channels first."""
    readers = [node for node in model.graph.node if name in node.input]
    turns = [n for n in readers if n.op_type == "Transpose" and any(list(a.ints) == [0, 3, 1, 2] for a in n.attribute)]
    return bool(readers) and len(turns) == len(readers)


def random_inputs(session, model, batch, image):
    """Sets the open dimensions: the first is the batch, the others are height and width."""
    values, random = {}, np.random.default_rng(1)
    for x in session.get_inputs():
        sides = {1: image[0], 2: image[1]} if has_channels_last(model, x.name) else {2: image[0], 3: image[1]}
        shape = [d if isinstance(d, int) and d > 0 else ({0: batch} | sides).get(i) for i, d in enumerate(x.shape)]
        if None in shape:
            raise ValueError(f"input '{x.name}' leaves {x.shape} open: say --image")
        values[x.name] = random.standard_normal(shape).astype(np.float32)
    return values


def expect(model, folder, options):
    """Writes the model to `folder`, with inputs and expected outputs next to it; returns the allowed error of each
    output."""
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    image = [int(side) for side in options.image.split("x")] if options.image else [None]
    graph = onnx.load(str(model), load_external_data=False)
    feeds = random_inputs(session, graph, options.batch or 1, image * 2 if len(image) == 1 else image)
    evaluate = lambda feeds: session.run(None, feeds)  # noqa: E731
    outputs = evaluate(feeds)
    limit = max(float(options.limit), 2 * change(evaluate, feeds, outputs))
    if not limit < 1e-3:
        raise ValueError("cannot tell: its outputs change with the last digits of its inputs")
    for other in model.resolve().parent.glob(model.name + "*"):  # external data is stored next to its model
        (folder / other.name).symlink_to(other)
    for suffix, arrays in (("in", feeds.values()), ("out", outputs)):
        with open(folder / f"{model.stem}.{suffix}", "wb") as file:
            for array in arrays:
                file.write(np.ascontiguousarray(array, np.float32).tobytes())
    return folder / model.name, limit


def compare(model, options):
    with tempfile.TemporaryDirectory() as folder:
        try:
            path, limit = expect(model, Path(folder), options)
        except Exception as error:  # whatever onnxruntime says, which may be too little
            return {"result": "not run", "why": " ".join(str(error).split())[:300]}
        command = [options.check, "--schedulers", options.schedulers, "--limit", str(limit), "--table"]
        command += ["--batch", str(options.batch)] + (["--image", options.image] if options.image else [])
        run = subprocess.run([*command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = run.stdout.strip().split("\n")
    if run.returncode:
        why = lines[0].removeprefix(model.name + ": ")
        result = "refused" if why.startswith("refused: ") else "wrong"
        return {"result": result, "why": why.removeprefix("refused: ").replace(f"graph '{path}': ", "")}
    _, operators, output, _, error, under = max((line.split("\t") for line in lines[:-1]), key=lambda l: float(l[4]))
    right = {"result": "right", "operators": operators, "error": error, "limit": f"{limit:.1e}"}
    return {**right, "output": output, "under": under}


def main():
    options = arguments()
    results = []
    for model in options.models:
        begin = time.monotonic()
        result = {"model": model.name, **compare(model, options), "seconds": f"{time.monotonic() - begin:.1f}"}
        results.append(result)
        print("  ".join(str(result[c]) for c in COLUMNS if c in result), flush=True)
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(results)
    counts = {kind: sum(r["result"] == kind for r in results) for kind in ("right", "refused", "not run", "wrong")}
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    sys.exit(1 if counts["wrong"] else 0)


if __name__ == "__main__":
    main()
