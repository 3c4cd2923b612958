#!/usr/bin/env python3
"""Checks our network definitions against torchvision's and timm's, with equal weights.

Reads the graphs that `opsched show NET --format json` writes and runs them with a small PyTorch interpreter in double
precision. Both sides get the same random weights (on ours with batch normalisation folded in), and the outputs before
the classifier are compared. Where IOS's network differs from the library's, the graph is changed first, and every
change is listed in the result.

Needs PyTorch, torchvision and timm. Exit code 0 if all agree, 1 if not.

  tests/libraries/check_definitions.py --opsched ./opsched --out results
"""

import json
import subprocess
import sys

import timm
import torch
import torch.nn.functional as F
import torchvision

from check import Provenance, Record, check, finish, parse
from torch_network import joined, run_layer

TOLERANCE = 1e-9  # relative, in double precision


# ---- our side: a graph and an interpreter for it


class Graph:
    """A graph as written by `opsched show NET --format json`. Values that cover a whole output have no channel range,
    so that operators can be changed without changing their readers."""

    def __init__(self, text):
        data = json.loads(text)
        if data.get("format") != "opsched-graph" or data.get("version") != 1:
            sys.exit("not an opsched graph of version 1")
        self.ops = {op["name"]: op for op in data["operators"]}
        channels = {op["name"]: op.get("output", op.get("shape"))[0] for op in data["operators"]}
        for op in self.ops.values():
            op["inputs"] = [
                [(n, None) if (b, e) == (0, channels[n]) else (n, (b, e)) for n, b, e in term]
                for term in op.get("inputs", [])
            ]
        self.changes = []

    def layers(self, kind, operators=None):
        """Parameters of some operators, or of all."""
        names = operators or self.ops
        return [layer for name in names for layer in self.ops[name].get("layers", []) if layer["type"] == kind]

    def convolves(self, name):
        return bool(self.layers("conv2d", [name]))

    def output(self):
        read = {n for op in self.ops.values() for term in op["inputs"] for n, _ in term}
        return [name for name in self.ops if name not in read][-1]


def run(graph, image, weights):
    """Output of the graph. `weights` maps an operator's name to (weight, bias) of each of its convolutions."""
    values = {}
    for name, op in graph.ops.items():
        if "shape" in op:
            values[name] = image
            continue
        x = joined([[values[n] if r is None else values[n][:, r[0] : r[1]] for n, r in term] for term in op["inputs"]])
        convs = iter(weights.get(name, []))
        for layer in op["layers"]:
            if layer["type"] == "shift":  # only in changed graphs: drop the first row and column
                x = F.pad(x, (-1, 1, -1, 1))
            else:
                x = run_layer(layer, x, next(convs) if layer["type"] == "conv2d" else None)
        if not graph.changes and list(x.shape[1:]) != op["output"]:
            sys.exit(f"operator '{name}': output is {list(x.shape[1:])}, but stated as {op['output']}")
        values[name] = x
    return values[graph.output()]


# ---- the library's side: random weights, and batch normalisation folded


def randomise(model):
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * (2 / fan_in) ** 0.5
            if module.bias is not None:
                module.bias.data = torch.randn(module.bias.shape, generator=generator) * 0.1
        elif isinstance(module, torch.nn.BatchNorm2d):
            size = module.weight.shape
            module.weight.data = 0.8 + 0.4 * torch.rand(size, generator=generator)
            module.bias.data = 0.1 * torch.randn(size, generator=generator)
            module.running_mean = 0.1 * torch.randn(size, generator=generator)
            module.running_var = 0.8 + 0.4 * torch.rand(size, generator=generator)
    return model.double().eval()


def folded(conv, bn=None, part=slice(None)):
    """part: the channels of the normalisation that belong to the convolution."""
    weight = conv.weight
    bias = conv.bias if conv.bias is not None else torch.zeros(weight.shape[0], dtype=weight.dtype)
    if bn is None:
        return weight, bias
    scale = bn.weight[part] / torch.sqrt(bn.running_var[part] + bn.eps)
    return weight * scale[:, None, None, None], (bias - bn.running_mean[part]) * scale + bn.bias[part]


def image_of(size):
    return torch.randn(1, 3, size, size, dtype=torch.double, generator=torch.Generator().manual_seed(2))


def input_of(module, model, image):
    """Captures the input of a module of the model."""
    seen = []
    handle = module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(image)
    handle.remove()
    return seen[0]


# ---- the three networks


def inception_v3(graph):
    model = randomise(torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=True))
    stem = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
    blocks = dict(a1="5b", a2="5c", a3="5d", b="6a", c1="6b", c2="6c", c3="6d", c4="6e", d="7a", e1="7b", e2="7c")

    def module_of(name):
        block, op = name.split("/")
        if block == "stem":
            return getattr(model, stem[int(op[-1]) - 1])
        branch = "branch_pool" if op == "pool_conv" else "branch" + op
        return getattr(getattr(model, "Mixed_" + blocks[block]), branch)

    weights = {}
    for name in filter(graph.convolves, graph.ops):
        module = module_of(name)
        weights[name] = [folded(module.conv, module.bn)]
    image = image_of(299)
    return image, weights, input_of(model.dropout, model, image)


def squeezenet(graph):
    model = randomise(torchvision.models.squeezenet1_0(weights=None))
    graph.changes.append("first convolution: padding 0 instead of 3")
    graph.ops["stem/conv"]["layers"][0]["padding"] = [0, 0]
    graph.changes.append("image 227 instead of 224, for which rounding pools up (torchvision) or down (ours) is the same")
    graph.changes.append("no bypass around fire modules")
    graph.changes.append("1x1 expand before 3x3 expand in the concatenation, instead of after")
    fires = {name.split("/")[0] for name in graph.ops if name.startswith("fire")}
    for fire in fires:
        graph.ops[fire + "/join"]["inputs"] = [[(fire + "/expand", None)]]
        graph.ops[fire + "/expand"]["inputs"].reverse()
        graph.ops.pop(fire + "/bypass", None)
    features = [m for m in model.features if hasattr(m, "squeeze")]
    weights = {"stem/conv": [folded(model.features[0])], "tail/conv": [folded(model.classifier[1])]}
    for fire, module in zip(sorted(fires, key=lambda name: int(name[4:])), features, strict=True):
        for layer in ("squeeze", "expand3x3", "expand1x1"):
            weights[f"{fire}/{layer}"] = [folded(getattr(module, layer))]
    image = image_of(227)
    return image, weights, model(image)[:, :, None, None]


def nasnet(graph):
    model = randomise(timm.create_model("nasnetalarge", pretrained=False))
    cells = {"stem0": model.cell_stem_0, "stem1": model.cell_stem_1}
    for i in range(18):
        cells[f"cell{i // 6 + 1}_{i % 6 + 1}"] = getattr(model, f"cell_{i}")
    cells["reduction1"], cells["reduction2"] = model.reduction_cell_0, model.reduction_cell_1

    graph.changes.append("image 323 instead of 331, for which padding as TensorFlow does (timm) or alike on all sides is the same")
    graph.changes.append("average pools of stride 1 do not count their padding (those of stride 2 do in timm, too)")
    for layer in graph.layers("pool2d"):
        layer["count_padding"] = layer["stride"] != [1, 1]
    graph.changes.append("normal cells: the left input is the first term of the join, too")
    graph.changes.append("first cells: the right branch of the first combination reads the left input, not the right")
    graph.changes.append("where a path halves the image, its second convolution sees the image shifted by one pixel")
    graph.changes.append("second stem cell: the halves of the right input are joined, not added")
    for name in cells:
        if name.startswith("cell"):
            if f"{name}/left_2" in graph.ops:  # a path that halves the image
                graph.ops[f"{name}/comb0_right_1"]["inputs"] = [[(f"{name}/left", None)]]
                graph.ops[f"{name}/left_2"]["layers"].insert(1, {"type": "shift"})
            else:
                graph.ops[f"{name}/join"]["inputs"].insert(0, [(f"{name}/left", None)])
    graph.ops["stem1/right_2"]["layers"].insert(1, {"type": "shift"})
    graph.ops["stem1/right"]["inputs"] = [[("stem1/right_1", None)], [("stem1/right_2", None)]]
    for layer in graph.layers("conv2d", [f"stem1/comb{comb}_right_{i}" for comb in range(3) for i in (1, 2)]):
        if layer["groups"] > 1:
            layer["groups"] = 84

    weights = {"stem/conv": [folded(model.conv0.conv, model.conv0.bn)]}
    for name in filter(graph.convolves, graph.ops):
        cell, _, op = name.partition("/")
        if cell in cells:
            weights[name] = nasnet_weights(cells[cell], cell, op)
    image = image_of(323)
    return image, weights, model.global_pool(model.forward_features(image))[:, :, None, None]


def nasnet_weights(cell, name, op):
    """Weights of an operator of a cell. In cells that halve the image, our left input is timm's right one."""
    if op.startswith("comb"):  # combK_left_I: separable convolution number I of a branch
        branch, index = op[: op.rindex("_")], op[op.rindex("_") + 1 :]
        module = getattr(cell, branch.replace("comb", "comb_iter_"))
        separable, bn = getattr(module, "separable_" + index), getattr(module, "bn_sep_" + index)
        return [folded(separable.depthwise_conv2d), folded(separable.pointwise_conv2d, bn)]
    if op in ("left_1", "left_2", "right_1", "right_2"):  # half of a path; the normalisation covers the whole path
        conv, bn = getattr(cell, "path_" + op[-1]).conv, cell.final_path_bn
        half = conv.weight.shape[0]
        return [folded(conv, bn, slice(0, half) if op[-1] == "1" else slice(half, 2 * half))]
    previous = op == "left" if name.startswith("cell") else op == "right"
    module = cell.conv_prev_1x1 if previous else cell.conv_1x1
    return [folded(module.conv, module.bn)]


# name: (reference, function that changes our graph and gives image, our weights, the reference's output)
NETWORKS = {
    "inception_v3": ("torchvision.models.inception_v3", inception_v3),
    "squeezenet": ("torchvision.models.squeezenet1_0", squeezenet),
    "nasnet": ("timm nasnetalarge", nasnet),
}
NOT_COMPARED = {"randwire": "neither torchvision nor timm has it"}
WHAT = "our networks against the same ones of other libraries, with equal random weights, in double precision"


def main():
    args = parse(__doc__)
    torch.set_grad_enabled(False)
    checks = []
    for name, (reference, prepare) in NETWORKS.items():
        shown = subprocess.run([args.opsched, "show", name, "--format", "json"], stdout=subprocess.PIPE, text=True)
        if shown.returncode:
            sys.exit(f"'{args.opsched} show {name} --format json' failed")
        graph = Graph(shown.stdout)
        image, weights, expected = prepare(graph)
        got = run(graph, image, weights)
        same_shape = got.shape == expected.shape
        error = ((got - expected).abs().max() / expected.abs().max()).item() if same_shape else None
        checks.append(check(name, {"check": "definitions"}, error, TOLERANCE, {
            "what": WHAT, "computed_in": "double", "reference": reference,
            "output": "x".join(str(n) for n in expected.shape[1:]), "changes_to_our_graph": "; ".join(graph.changes)}))
    checks += [Record(network=n, quantity="relative_error", labels={"check": "definitions"}, missing=why,
                      provenance=Provenance.exact) for n, why in NOT_COMPARED.items()]
    sys.exit(finish(args.out, checks, "check_definitions.py", torch, torchvision, timm))


if __name__ == "__main__":
    main()
