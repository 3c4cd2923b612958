#!/usr/bin/env python3
"""Compares what ONNX and opsched compute for random valid ONNX models, under every scheduler.

  differential.py --check PROGRAM [--count 300] [--seed 1] [--seconds 40] [--keep FOLDER] [--python PYTHON]

PROGRAM is opsched_onnx_check. Expected outputs are from onnxruntime, or from ONNX's reference evaluator if onnxruntime
is not installed. Models are made in rounds until --count or --seconds is reached. If this Python lacks the package
onnx, --python is tried; without it, the test is skipped (exit code 77).
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIPPED = 77


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--keep", help="write the models here, and leave them")
    parser.add_argument("--python", help="another Python, tried where this one has no onnx")
    return parser.parse_args()


def run_elsewhere(python):
    """Runs this script with a Python that has onnx; without one, exits as skipped."""
    if python and os.path.exists(python) and not os.environ.get("OPSCHED_ELSEWHERE"):
        os.execve(python, [python, *sys.argv], {**os.environ, "OPSCHED_ELSEWHERE": "1"})
    print("skipped: the Python package onnx is not installed (pip install onnx onnxruntime)")
    sys.exit(SKIPPED)


def evaluator(model):
    """A function from inputs by name to the model's outputs, in order."""
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        return lambda feeds: ReferenceEvaluator(model).run(None, feeds)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)


def change(evaluate, feeds, outputs):
    """How much the outputs change with the last digits of the inputs, relative to their largest values. If it is much,
    as after normalising an almost constant value, the outputs cannot reveal errors."""
    import numpy as np

    nearly = evaluate({name: (value * (1 + 1e-6)).astype(np.float32) for name, value in feeds.items()})
    return max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6) for a, b in zip(nearly, outputs))


def write_model(folder, seed):
    """Writes the model of a seed. Some models are valid but may be refused, as their names say. Returns False if the
    model is no test."""
    import numpy as np
    from random_model import RandomModel

    made = RandomModel(seed)
    feeds = made.feeds()
    evaluate = evaluator(made.model)
    outputs = evaluate(feeds)
    if not all(np.isfinite(output).all() for output in outputs) or change(evaluate, feeds, outputs) > 1e-5:
        return False
    base = Path(folder) / f"{seed:06}{'.maybe' if made.may_be_refused else ''}"
    with open(f"{base}.onnx", "wb") as file:
        file.write(made.model.SerializeToString())
    for suffix, values in ((".in", feeds.values()), (".out", outputs)):
        with open(f"{base}{suffix}", "wb") as file:
            for value in values:
                file.write(np.ascontiguousarray(value, np.float32).tobytes())
    return True


def main():
    options = arguments()
    try:
        import onnx  # noqa: F401
    except ImportError:
        run_elsewhere(options.python)
    begin, seed, models, status = time.monotonic(), options.seed * 100000, 0, 0
    while models < options.count and time.monotonic() - begin < options.seconds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = options.keep or scratch
            os.makedirs(folder, exist_ok=True)
            for _ in range(min(50, options.count - models)):
                models += write_model(folder, seed)
                seed += 1
            if options.keep and models < options.count:
                continue
            status |= subprocess.run([options.check, folder]).returncode
    print(f"{models} models from seed {options.seed}, {time.monotonic() - begin:.1f} s")
    sys.exit(status)


if __name__ == "__main__":
    main()
