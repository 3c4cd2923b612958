#!/usr/bin/env python3
"""Runs ONNX's own operator tests (from the package onnx) with opsched; each is passed, refused, or wrong.

  node_tests.py --check PROGRAM [--verbose] [--python PYTHON]

PROGRAM is opsched_onnx_check. A test passes everything that its operator reads as inputs of the model. It runs like
that, and with all inputs except the first as constants, like the weights of a network. It is passed if one of the two
gives ONNX's results, and refused if both models are refused. --verbose lists refused tests with the reason. Exits with
1 if a result is wrong, or if fewer than LEAST tests pass. If this Python lacks the package onnx, --python is tried;
without it, the test is skipped (exit code 77).
"""
import argparse
import collections
import subprocess
import sys
import tempfile
from pathlib import Path

from differential import run_elsewhere

LEAST = 150  # 155 tests pass with onnx 1.23


def is_float(array):
    import numpy as np

    return isinstance(array, np.ndarray) and array.dtype in (np.float32, np.float64, np.float16)


def with_constants(model, values, first):
    """The model with all inputs except one as constants; None if there are no others."""
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    constants = [(i.name, value) for i, value in zip(model.graph.input, values) if i.name != first]
    if not constants:
        return None
    del changed.graph.input[:]
    changed.graph.input.extend(i for i in model.graph.input if i.name == first)
    changed.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants)
    return changed


def cases():
    """Name, model, inputs, expected outputs and first float input of each test with float outputs and a float input."""
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        if case.model is None or not case.data_sets:
            continue
        inputs, outputs = case.data_sets[0]
        names = [i.name for i in case.model.graph.input]
        if len(names) != len(inputs) or not all(is_float(o) for o in outputs):
            continue
        floats = [name for name, value in zip(names, inputs) if is_float(value)]
        if floats:
            yield case.name, case.model, dict(zip(names, inputs)), outputs, floats[0]


def write(base, model, inputs, outputs):
    import numpy as np

    Path(f"{base}.onnx").write_bytes(model.SerializeToString())
    for suffix, arrays in (("in", inputs), ("out", outputs)):
        Path(f"{base}.{suffix}").write_bytes(b"".join(np.ascontiguousarray(a, np.float32).tobytes() for a in arrays))


def write_all(folder):
    """How many versions of each test were written, by name."""
    written = {}
    for name, model, inputs, outputs, first in cases():
        try:
            changed = with_constants(model, inputs.values(), first)
        except Exception:  # an input that is not a tensor
            continue
        if all(is_float(value) for value in inputs.values()):
            write(folder / f"{name}.inputs", model, inputs.values(), outputs)
            written[name] = 1
        if changed is not None:
            write(folder / f"{name}.constants", changed, [inputs[first]], outputs)
            written[name] = written.get(name, 0) + 1
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", required=True)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--python", help="another Python, tried where this one has no onnx")
    options = parser.parse_args()
    try:
        import onnx  # noqa: F401
    except ImportError:
        run_elsewhere(options.python)
    with tempfile.TemporaryDirectory() as folder:
        written = write_all(Path(folder))
        command = [options.check, "--schedulers", "sequential", "--limit", "1e-5", folder]
        lines = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip().split("\n")
    refused, wrong = collections.defaultdict(list), []
    for line in lines[:-1]:
        file, why = line.split(": ", 1)
        if why.startswith("refused: "):
            refused[file.rsplit(".", 2)[0]].append(why.split(": ", 2)[2])
        else:
            wrong.append(line)
    not_passed = {line.split(": ", 1)[0].rsplit(".", 2)[0] for line in wrong}
    passed = [name for name, times in written.items() if len(refused[name]) < times and name not in not_passed]
    if options.verbose:
        print("passed:", *passed)
        for name, why in sorted(refused.items()):
            if name not in passed and why:
                print(f"refused: {name}: {why[-1]}")
    for line in wrong:
        print(f"wrong: {line}")
    print(f"{len(written)} tests, {len(passed)} passed, {len(wrong)} wrong, the others refused")
    sys.exit(1 if wrong or len(passed) < LEAST else 0)


if __name__ == "__main__":
    main()
