"""Random activations, as one ONNX operator or as the arithmetic that models write them in."""
import numpy as np


def any_activation(m):
    source = m.pick(lambda shape: True)
    kind, inputs, attributes = activation(m, m.values[source])
    stem = "gemm" if m.is_flat_image(source) else None
    m.node(kind, [source, *inputs], m.values[source], stem=stem, **attributes)


def activation(m, shape):
    """Returns node type, further inputs, attributes."""
    kinds = "Relu Relu Tanh Sigmoid LeakyRelu Elu HardSigmoid HardSwish Softplus Clip PRelu".split()
    kind = m.draw(*[k for k in kinds if k != "HardSwish" or m.opset >= 14])
    inputs, attributes = [], {}
    if kind in ("LeakyRelu", "Elu", "HardSigmoid") and m.chance(0.6):
        attributes["alpha"] = m.draw(0.1, 0.25, 1 / 6)
    if kind == "HardSigmoid" and m.chance(0.3):
        attributes["beta"] = 0.3
    if kind == "PRelu":
        slopes = [m.constant([0.2])] + ([m.weights(shape[1], 1, 1)] if len(shape) == 4 else [])
        inputs = [m.draw(*slopes)]
    if kind == "Clip":
        inputs = m.draw([], [""], ["low"], ["low", "high"], ["", "high"])
        limits = {"": lambda: "", "low": lambda: m.constant(-0.5), "high": lambda: m.constant(1.5)}
        inputs = [limits[limit]() for limit in inputs]
    return kind, inputs, attributes


def gelu(m):
    source = m.pick()
    shape = m.values[source] if source else None
    if source is None or (m.opset >= 20 and m.chance(0.4)):
        return m.node("Gelu", [source], shape) if source else None
    if m.chance(0.5):
        x = m.step("Div", [source, m.constant(np.sqrt(2))], shape)
    else:
        x = m.step("Mul", [source, m.constant(np.sqrt(0.5))], shape)
    x = m.step("Add", [m.step("Erf", [x], shape), m.constant(1.0)], shape)
    if m.chance(0.5):
        x = m.step("Mul", [source, x], shape)
        m.node("Mul", [x, m.constant(0.5)], shape)
    else:
        half = m.step("Mul", [source, m.constant(0.5)], shape)
        m.node("Mul", [half, x] if m.chance(0.5) else [x, half], shape)


def hard_swish(m):
    """As separate arithmetic operations."""
    source = m.pick()
    if source is None:
        return
    shape = m.values[source]
    if m.chance(0.5):
        gate = m.node("HardSigmoid", [source], shape, alpha=1 / 6)
    else:
        gate = m.node("Add", [source, m.constant(3.0)], shape)
        gate = m.node("Clip", [gate, m.constant(0.0), m.constant(6.0)], shape)
        gate = m.node("Div", [gate, m.constant(6.0)], shape)
    m.node("Mul", [source, gate], shape)
