#!/usr/bin/env python3
"""Checks the import of ONNX models: exports networks of torchvision with random weights, runs them with
`opsched infer`, and compares the outputs with PyTorch's.

Needs PyTorch, torchvision, onnx and onnxscript. Prints JSON; exit code 0 if all agree, 1 if not.

    experiments/baselines/check_onnx.py --opsched ./opsched -o results/onnx.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import torch
import torchvision

from check_definitions import randomise

TOLERANCE = 1e-5  # of the norm; float32 on our side, float64 on PyTorch's
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
    print(f"{name}, {exporter}: {error:.1e}", file=sys.stderr)
    return {"network": name, "exporter": exporter, "relative_error": error, "agrees": error < TOLERANCE}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--opsched", default="./opsched", help="the program")
    parser.add_argument("-o", "--output", help="file for the result; default: standard output only")
    args = parser.parse_args()
    torch.set_grad_enabled(False)

    results = []
    for name, options in NETWORKS.items():
        model = randomise(getattr(torchvision.models, name)(weights=None, **options))
        image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
        expected = model(image.double()).flatten()
        for exporter in EXPORTERS:
            with tempfile.TemporaryDirectory() as folder:
                results.append(compare(args.opsched, folder, name, exporter, model, image, expected))

    report = {
        "what": "networks of torchvision through ONNX, with equal random weights, on the CPU",
        "tolerance": TOLERANCE,
        "networks": results,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "onnx": onnx.__version__,
        },
    }
    text = json.dumps(report, indent=2) + "\n"
    print(text, end="")
    if args.output:
        with open(args.output + ".tmp", "w") as file:
            file.write(text)
        os.replace(args.output + ".tmp", args.output)
    sys.exit(0 if all(result["agrees"] for result in results) else 1)


if __name__ == "__main__":
    main()
