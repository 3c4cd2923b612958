#!/usr/bin/env python3
"""Checks graphs that opsched exports as ONNX models with onnx.checker and onnxruntime (or ONNX's reference evaluator).

  export.py --export PROGRAM --check PROGRAM [--python PYTHON]

opsched_onnx_export writes models, inputs and the outputs of our reference; opsched_onnx_check reads them back. If this
Python lacks the package onnx, --python is tried; without it, the test is skipped (exit code 77).
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from differential import evaluator, run_elsewhere


def values_of(file, infos):
    """Arrays by name, with the shapes in the model."""
    import numpy as np

    values, arrays = np.fromfile(file, np.float32), {}
    for info in infos:
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        arrays[info.name], values = values[: np.prod(shape)].reshape(shape), values[np.prod(shape):]
    assert values.size == 0, f"{file}: more values than the model says"
    return arrays


def largest_error(path):
    import numpy as np
    import onnx

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    expected = values_of(path.with_suffix(".out"), model.graph.output)
    got = evaluator(model)(values_of(path.with_suffix(".in"), model.graph.input))
    errors = {name: np.abs(a - b).max() / max(np.abs(b).max(), 1e-3) for a, (name, b) in zip(got, expected.items())}
    return max((error if np.isfinite(error) else np.inf, name) for name, error in errors.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--export", required=True)
    parser.add_argument("--check", required=True)
    parser.add_argument("--python", help="another Python, tried where this one has no onnx")
    options = parser.parse_args()
    try:
        import onnx  # noqa: F401
    except ImportError:
        run_elsewhere(options.python)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.export, folder], check=True)
        models = sorted(Path(folder).glob("*.onnx"))
        for path in models:
            error, name = largest_error(path)
            if error > 1e-5:
                failed += 1
                print(f"{path.stem}: output '{name}' differs by {error:.1e} of its largest value")
        back = [options.check, "--schedulers", "sequential,greedy", "--limit", "1e-5", folder]
        failed += subprocess.run(back).returncode
    print(f"{len(models)} models, {failed} wrong")
    sys.exit(1 if failed or not models else 0)


if __name__ == "__main__":
    main()
