#!/usr/bin/env python3
"""Checks the import of ONNX models. Exports networks of torchvision with random weights, runs them with `opsched
infer`, and compares the outputs with PyTorch's.

Needs PyTorch, torchvision, onnx and onnxscript. Exit code 0 if all agree, 1 if not.

  tests/libraries/check_onnx.py --opsched ./opsched --out results
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import torch
import torchvision

from check import check, finish, parse
from check_definitions import randomise

TOLERANCE = 1e-5  # relative to the norm; float32 on our side, float64 on PyTorch's
WHAT = "networks of torchvision through ONNX, with equal random weights, on the CPU"
NETWORKS = {
    "resnet50": {},
    "googlenet": {"aux_logits": False, "init_weights": False},
    "densenet121": {},
}
EXPORTERS = {"torch.export": True, "TorchScript": False}


def compare(opsched, folder, name, exporter, model, image, expected):
    path = os.path.join(folder, name + ".onnx")
    torch.onnx.export(model.float(), (image,), path, dynamo=EXPORTERS[exporter], verbose=False)
    given, got = os.path.join(folder, "in.bin"), os.path.join(folder, "out.bin")
    image.numpy().tofile(given)
    command = [opsched, "infer", "--graph", path, "--input", given, "--output", got]
    run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
    output = torch.from_numpy(np.fromfile(got, np.float32)).double()
    error = (torch.linalg.norm(output - expected) / torch.linalg.norm(expected)).item()
    return check(name, {"check": "onnx", "exporter": exporter}, error, TOLERANCE,
                 {"what": WHAT, "computed_in": "fp32, the reference in double"})


def main():
    args = parse(__doc__)
    torch.set_grad_enabled(False)

    checks = []
    for name, options in NETWORKS.items():
        model = randomise(getattr(torchvision.models, name)(weights=None, **options))
        image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
        expected = model(image.double()).flatten()
        for exporter in EXPORTERS:
            with tempfile.TemporaryDirectory() as folder:
                checks.append(compare(args.opsched, folder, name, exporter, model, image, expected))
    sys.exit(finish(args.out, checks, "check_onnx.py", torch, torchvision, onnx))


if __name__ == "__main__":
    main()
