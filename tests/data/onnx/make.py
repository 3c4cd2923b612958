#!/usr/bin/env python3
"""Makes the ONNX models of the tests, each with an input and the output of ONNX's reference evaluator (needs the
packages onnx and numpy). Each NAME.onnx has a NAME.txt with the values of the input, then of the outputs."""

import os

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FOLDER = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(3)


def normal(*shape, dtype=np.float32):
    return (random.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(dtype)


def write(name, nodes, constants, shape, outputs, external=False, typed=(), dtype=np.float32):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", kind, ["N", *shape])],
        [helper.make_tensor_value_info(output, kind, ["N", *dims]) for output, dims in outputs.items()],
        [
            helper.make_tensor(key, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, value.flatten().tolist())
            if key in typed  # values in a typed field instead of raw bytes
            else numpy_helper.from_array(value, key)
            for key, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    image = random.standard_normal((1, *shape)).astype(dtype)
    results = ReferenceEvaluator(model).run(None, {"image": image})
    onnx.checker.check_model(model)
    if external:
        onnx.external_data_helper.convert_model_to_external_data(model, location=name + ".data", size_threshold=0)
    path = os.path.join(FOLDER, name + ".onnx")
    onnx.save_model(model, path)
    with open(os.path.join(FOLDER, name + ".txt"), "w") as file:
        for values in [image, *results]:
            file.write(" ".join(f"{v:.9g}" for v in values.flatten()) + "\n")
    print(name, os.path.getsize(path), [r.shape for r in results])


def batch_norm(prefix, channels):
    return {
        prefix + "_scale": (0.5 + random.random(channels)).astype(np.float32),
        prefix + "_bias": normal(channels),
        prefix + "_mean": normal(channels),
        prefix + "_var": (0.5 + random.random(channels)).astype(np.float32),
    }


def bn_node(prefix, source, target, **attributes):
    inputs = [source] + [f"{prefix}_{part}" for part in ("scale", "bias", "mean", "var")]
    return helper.make_node("BatchNormalization", inputs, [target], prefix, **attributes)


node = helper.make_node

# Every supported operator, fused where that is possible and not fused elsewhere.
write(
    "everything",
    [
        node("Conv", ["image", "w1"], ["c1"], "conv1", pads=[1, 1, 1, 1], strides=[2, 1]),
        bn_node("bn1", "c1", "n1", epsilon=0.01),
        node("Relu", ["n1"], ["r1"], "relu1"),
        node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("Conv", ["p1", "w2", "b2"], ["c2"], "conv2", kernel_shape=[1, 3], auto_pad="SAME_UPPER", group=2),
        node("Dropout", ["c2"], ["d2"], "dropout"),
        node("Tanh", ["d2"], ["t2"], "tanh2"),
        node("AveragePool", ["p1"], ["a1"], "pool2", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("AveragePool", ["p1"], ["a2"], "pool3", kernel_shape=[3, 1], pads=[1, 0, 1, 0], count_include_pad=1),
        node("Concat", ["t2", "a1", "a2"], ["cat"], "cat", axis=1),
        bn_node("bn2", "cat", "n2"),
        node("Relu", ["n2"], ["r2"], "relu2"),
        node("Conv", ["r2", "w3"], ["c3"], "conv3"),
        node("Identity", ["c3"], ["i3"], "identity"),
        node("Add", ["i3", "p1"], ["s"], "sum"),
        node("Relu", ["s"], ["rs"], "relu3"),
        node("Sum", ["rs", "c3", "p1"], ["s3"], "sum3"),
        node("GlobalAveragePool", ["s3"], ["g"], "gap"),
        node("Constant", [], ["shape"], "shape", value=numpy_helper.from_array(np.array([0, -1], np.int64))),
        node("Reshape", ["g", "shape"], ["f"], "reshape"),
        node("Gemm", ["f", "w4", "b4"], ["probabilities"], "fc", transB=1),
    ],
    {
        "w1": normal(4, 3, 3, 3),
        **batch_norm("bn1", 4),
        "w2": normal(6, 2, 1, 3),
        "b2": normal(6),
        **batch_norm("bn2", 14),
        "w3": normal(4, 14, 1, 1),
        "w4": normal(5, 4),
        "b4": normal(5),
    },
    (3, 9, 8),
    {"probabilities": [5]},
    typed=("w3", "b4"),
)

# A fully connected layer over an image, two outputs of which one also has a reader, typed constants, a node without
# readers, nodes without names.
write(
    "flatten",
    [
        node("Relu", ["image"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("Gemm", ["f", "w", "b"], ["hidden"], alpha=0.5, beta=2.0),
        node("Relu", ["hidden"], ["hr"]),
        node("Gemm", ["hr", "w2"], ["out"], transB=1),
        node("GlobalAveragePool", ["image"], ["unused"]),
    ],
    {"w": normal(12, 7), "b": normal(1), "w2": normal(3, 7)},
    (3, 2, 2),
    {"hidden": [7], "out": [3]},
    typed=("b",),
)

# Constants in a file next to the model; the mean over height and width.
write(
    "external",
    [
        node("Conv", ["image", "w"], ["c"], "conv", pads=[0, 0, 0, 0]),
        node("ReduceMean", ["c"], ["m"], "mean", axes=[-1, -2], keepdims=0),
    ],
    {"w": normal(4, 3, 2, 2)},
    (3, 4, 4),
    {"m": [4]},
    external=True,
)

# Half precision, as raw bytes and in a typed field.
write(
    "half",
    [node("Conv", ["image", "w", "b"], ["c"], "conv"), node("GlobalAveragePool", ["c"], ["m"], "mean")],
    {"w": normal(4, 3, 2, 2, dtype=np.float16), "b": normal(4, dtype=np.float16)},
    (3, 4, 4),
    {"m": [4, 1, 1]},
    typed=("b",),
    dtype=np.float16,
)
