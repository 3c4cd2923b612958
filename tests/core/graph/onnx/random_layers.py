"""Random layers: layers with windows, matrices and normalisations, and the list of all layers. Each function adds one to
a RandomModel, or nothing if no value of the model fits."""
import numpy as np

from random_activations import any_activation, gelu, hard_swish


def window(m, size, kernels, dilations=(1, 1, 1, 2, 3)):
    """Kernel, stride, padding at both ends, dilation and number of outputs along one axis."""
    kernel = m.draw(*kernels)
    begin = m.number(0, kernel - 1)
    end = begin if m.chance(0.7) else m.number(0, kernel - 1)
    dilation = m.draw(*dilations)
    extent = (kernel - 1) * dilation + 1
    if size + begin + end < extent:
        return 1, 1, 0, 0, 1, size
    stride = m.number(1, 3)
    return kernel, stride, begin, end, dilation, (size + begin + end - extent) // stride + 1


def automatic(m, attributes, shape, kernels, strides):
    """SAME_UPPER or SAME_LOWER instead of pads; returns the height and width of the output."""
    attributes.pop("pads", None)
    attributes["auto_pad"] = m.draw("SAME_UPPER", "SAME_LOWER")
    return [-(-size // stride) for size, stride in zip(shape[2:], strides)]


def conv(m):
    source = m.pick()
    if source is None:
        return
    n, c, h, w = m.values[source]
    kh, sh, top, bottom, dh, oh = window(m, h, (1, 1, 2, 3, 3, 5))
    kw, sw, left, right, dw, ow = window(m, w, (1, 1, 2, 3, 3, 5))
    groups = m.draw(*[g for g in range(1, c + 1) if c % g == 0])
    out = groups * m.number(1, 3)
    inputs = [source, m.weights(out, c // groups, kh, kw)]
    if m.chance(0.5):
        inputs.append(m.weights(out))
    attributes = {}
    if m.chance(0.7) or (kh, kw) == (1, 1):
        attributes["kernel_shape"] = [kh, kw]
    if (sh, sw) != (1, 1) or m.chance(0.3):
        attributes["strides"] = [sh, sw]
    if (top, left, bottom, right) != (0, 0, 0, 0) or m.chance(0.3):
        attributes["pads"] = [top, left, bottom, right]
    if groups > 1 or m.chance(0.3):
        attributes["group"] = groups
    if (dh, dw) != (1, 1):
        attributes["dilations"] = [dh, dw]
    elif m.chance(0.1):
        oh, ow = automatic(m, attributes, (n, c, h, w), (kh, kw), (sh, sw))
    m.node("Conv", inputs, (n, out, oh, ow), **attributes)


def batch_norm(m):
    source = m.pick(lambda shape: len(shape) == 4 or (len(shape) == 2 and shape[0] == m.batch))
    if source is None or (len(m.values[source]) == 2 and not m.is_flat_image(source)):
        return
    c = m.values[source][1]
    inputs = [source, m.constant(0.5 + m.random.random(c)), m.weights(c), m.weights(c)]
    inputs.append(m.constant(0.5 + m.random.random(c)))
    m.node("BatchNormalization", inputs, m.values[source], epsilon=m.draw(1e-5, 1e-2))


def pre_activated(m):
    """A batch normalisation, usually with a ReLU, before convolutions, as in DenseNet. Most of the convolutions are
    1x1."""
    source = m.pick()
    if source is None:
        return
    beside = m.draw(*m.like(source, lambda shape, other: len(shape) == 4 and shape[2:] == other[2:]))
    n, c, h, w = m.values[source]
    c += m.values[beside][1]
    value = m.node("Concat", [source, beside], (n, c, h, w), axis=1)
    numbers = [m.constant(0.5 + m.random.random(c)), m.weights(c), m.weights(c), m.constant(0.5 + m.random.random(c))]
    add = m.node if m.chance(0.2) else m.hidden  # others may read the intermediate values
    value = add("BatchNormalization", [value, *numbers], (n, c, h, w))
    if m.chance(0.8):
        value = add("Relu", [value], (n, c, h, w))
    for _ in range(m.number(1, 2)):
        kernel, stride, pad = m.draw(1, 1, 1, 3), m.number(1, 2), m.draw(0, 0, 0, 1)
        if min(h, w) + 2 * pad < kernel:
            kernel = 1
        size = [(d + 2 * pad - kernel) // stride + 1 for d in (h, w)]
        out = m.number(1, 4)
        inputs = [value, m.weights(out, c, kernel, kernel)]
        m.node("Conv", inputs, (n, out, *size), pads=[pad] * 4, strides=[stride, stride])


def pool(m):
    source = m.pick()
    if source is None:
        return
    n, c, h, w = m.values[source]
    kind = m.draw("MaxPool", "AveragePool")
    dilations = (1, 1, 1, 2) if kind == "MaxPool" or m.opset >= 19 else (1,)
    kh, sh, top, bottom, dh, oh = window(m, h, (1, 2, 3), dilations)
    kw, sw, left, right, dw, ow = window(m, w, (1, 2, 3), dilations)
    if (dh, dw) != (1, 1):  # a window entirely in the padding has no value
        top, left, bottom, right = 0, 0, 0, 0
        oh, ow = (h - (kh - 1) * dh - 1) // sh + 1, (w - (kw - 1) * dw - 1) // sw + 1
        if oh < 1 or ow < 1:
            return
    attributes = {"kernel_shape": [kh, kw], "strides": [sh, sw], "pads": [top, left, bottom, right]}
    if (dh, dw) != (1, 1):
        attributes["dilations"] = [dh, dw]
    if kind == "AveragePool":
        attributes["count_include_pad"] = m.number(0, 1)
    m.node(kind, [source], (n, c, oh, ow), **attributes)


def global_pool(m):
    source = m.pick()
    if source is None:
        return
    n, c, _, _ = m.values[source]
    if m.chance(0.5):
        m.node(m.draw("GlobalAveragePool", "GlobalMaxPool"), [source], (n, c, 1, 1))
        return
    keep = m.number(0, 1)
    axes = m.draw([2, 3], [-1, -2], [-2, 3])
    shape = (n, c, 1, 1) if keep else (n, c)
    if m.opset >= 18:
        m.node("ReduceMean", [source, m.constant(axes, np.int64)], shape, stem="squeezed", keepdims=keep)
    else:
        m.node("ReduceMean", [source], shape, stem="squeezed", axes=axes, keepdims=keep)


def resize(m):
    source = m.pick()
    if source is None:
        return
    n, c, h, w = m.values[source]
    if h * w > 60:
        return
    mode = m.draw("nearest", "linear")
    where = m.draw("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    attributes = {"mode": mode, "coordinate_transformation_mode": where}
    if mode == "nearest":
        attributes["nearest_mode"] = m.draw("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    scales = [m.draw(1, 2, 3, 1.5, 0.5), m.draw(1, 2, 2, 0.75)]
    size = (n, c, int(h * scales[0]), int(w * scales[1]))
    if min(size) < 1:
        return
    if m.chance(0.5):
        inputs = [source, "", m.constant([1, 1, *scales])]
        m.may_be_refused |= where == "align_corners" and size[2:] != (h * scales[0], w * scales[1])
    else:
        if mode == "linear":
            size = (n, c, m.number(1, 2 * h), m.number(1, 2 * w))
        inputs = [source, "", "", m.constant(size, np.int64)]
    m.may_be_refused |= where == "pytorch_half_pixel" and 1 in size[2:]
    m.node("Resize", inputs, size, **attributes)


def head(m):
    source = m.pick(lambda shape: shape[0] == m.batch and len(shape) in (2, 4))
    shape = m.values[source]
    size = int(np.prod(shape[1:]))
    flat = source if len(shape) == 2 else m.node("Flatten", [source], (m.batch, size))
    for _ in range(m.number(1, 2)):
        out = m.number(1, 6)
        transposed = m.number(0, 1)
        inputs = [flat, m.weights(*((out, size) if transposed else (size, out)))]
        if m.chance(0.2):
            flat = m.node("MatMul", [flat, m.weights(size, out)], (m.batch, out), stem="gemm")
        else:
            attributes = {"transB": transposed} if transposed or m.chance(0.3) else {}
            if m.chance(0.7):
                bias = m.draw((out,), (1, out), (1,), (1, 1), (), (m.batch, 1))
                m.may_be_refused |= bias == (m.batch, 1) and m.batch > 1
                inputs.append(m.weights(*bias) if bias else m.constant(0.3))
            if m.chance(0.3):
                attributes.update(alpha=0.5, beta=1.5)
            flat = m.node("Gemm", inputs, (m.batch, out), **attributes)
        size = out
        if m.chance(0.5):
            flat = m.node(m.draw("Relu", "Tanh"), [flat], (m.batch, size), stem="gemm")


def conv_transpose(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[2] * shape[3] <= 40)
    if source is None:
        return
    n, c, h, w = m.values[source]
    groups = m.draw(*[g for g in range(1, c + 1) if c % g == 0])
    out = groups * m.number(1, 2)
    kernel, strides = [m.number(1, 4), m.number(1, 3)], [m.number(1, 3), m.number(1, 2)]
    dilations = [m.draw(1, 1, 1, 2) for _ in strides]
    how = m.draw("pads", "pads", "pads", "automatic", "shape")
    # ONNX is inconsistent about output_padding if the output size is determined in another way.
    more = [m.number(0, stride - 1) if how == "pads" and m.chance(0.4) else 0 for stride in strides]
    whole = [
        s * (size - 1) + o + (k - 1) * d + 1 for s, size, o, k, d in zip(strides, (h, w), more, kernel, dilations)
    ]
    inputs = [source, m.weights(c, out // groups, *kernel)]
    if m.chance(0.5):
        inputs.append(m.weights(out))
    attributes = {"strides": strides, "dilations": dilations, "group": groups, "output_padding": more}
    if how == "pads":
        begin, end = [m.number(0, k // 2) for k in kernel], [m.number(0, k // 2) for k in kernel]
        attributes["pads"] = begin + end
        size = [a - b - e for a, b, e in zip(whole, begin, end)]
    else:
        size = [s * x for s, x in zip(strides, (h, w))]
        if how == "shape":
            size = [max(1, a - m.number(0, 3)) for a in whole]
            attributes["output_shape"] = size
        attributes["auto_pad"] = m.draw("SAME_UPPER", "SAME_LOWER", *["NOTSET"] * (how == "shape"))
        if any(a < wish for a, wish in zip(whole, size)) or any(wish < x for wish, x in zip(size, (h, w))):
            return  # would need zeros that no input contributes to, or a size that ONNX does not infer
    if min(size) > 0:
        m.node("ConvTranspose", inputs, (n, out, *size), **attributes)


def sequence(m):
    """Makes an image one row, applies a convolution along it and perhaps a pool, and makes it an image again."""
    source = m.pick(lambda shape: len(shape) == 4 and shape[2] == 1)
    if source is None:
        return
    n, c, _, w = m.values[source]
    row = m.node("Squeeze", [source, m.constant([2], np.int64)], (n, c, w))
    kernel, stride, begin, end, dilation, size = window(m, w, (1, 2, 3, 3))
    out = m.number(1, 3)
    row = m.node("Conv", [row, m.weights(out, c, kernel), m.weights(out)], (n, out, size), strides=[stride],
                 pads=[begin, end], dilations=[dilation])  # fmt: skip
    if m.chance(0.4) and size > 1:
        row = m.node(m.draw("MaxPool", "AveragePool"), [row], (n, out, size - 1), kernel_shape=[2])
        size -= 1
    if m.chance(0.7):
        m.node("Unsqueeze", [row, m.constant([2], np.int64)], (n, out, 1, size))


def gate_of_channels(m):
    """A convolution along the channels of a squeezed image gates the image, as in efficient channel attention."""
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
    if source is None:
        return
    n, c, h, w = m.values[source]
    x = m.node("GlobalAveragePool", [source], (n, c, 1, 1))
    x = m.node("Reshape", [x, m.constant([n, 1, c], np.int64)], (n, 1, c))
    x = m.node("Conv", [x, m.weights(1, 1, 3)], (n, 1, c), pads=[1, 1])
    x = m.node("Sigmoid", [x], (n, 1, c))
    x = m.node("Reshape", [x, m.constant([n, c, 1, 1], np.int64)], (n, c, 1, 1))
    m.node("Mul", [source, x], (n, c, h, w))


def softmax(m):
    source = m.pick(lambda shape: len(shape) in (2, 4))
    if source is None:
        return
    shape = m.values[source]
    axis = m.draw(1, 1 - len(shape))
    if len(shape) == 2 and not m.is_flat_image(source):
        m.may_be_refused = True  # over the pixels
    stem = "gemm" if m.is_flat_image(source) else None
    m.node("Softmax", [source], shape, stem=stem, axis=axis)


def reduction(m):
    """Over channels, or over the image."""
    source = m.pick()
    if source is None:
        return
    shape = m.values[source]
    axes, keep = m.draw([1], [-3], [2, 3], [-1, -2]), m.number(0, 1)
    kind = m.draw("ReduceSum", "ReduceMean", "ReduceMean", "ReduceMax")
    which = {axis % 4 for axis in axes}
    m.may_be_refused |= kind == "ReduceMax" and which == {1}
    out = [1 if axis in which else d for axis, d in enumerate(shape) if keep or axis not in which]
    if m.opset >= 18 or kind == "ReduceSum":
        m.node(kind, [source, m.constant(axes, np.int64)], out, stem="reduced", keepdims=keep)
    else:
        m.node(kind, [source], out, stem="reduced", axes=axes, keepdims=keep)


# ---- normalisation


def instance_norm(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[2] * shape[3] > 1)
    if source is None:
        return
    n, c, h, w = m.values[source]
    groups = m.draw(*[g for g in range(1, c + 1) if c % g == 0])
    if m.chance(0.5) or groups == c:
        inputs = [source, m.weights(c), m.weights(c)]
        m.node("InstanceNormalization", inputs, (n, c, h, w), epsilon=m.draw(1e-5, 1e-3))
        return
    # Groups in the form that exporters write.
    x = m.node("Reshape", [source, m.constant([0, groups, -1], np.int64)], (n, groups, c // groups * h * w))
    ones, zeros = m.constant(np.ones(groups)), m.constant(np.zeros(groups))
    x = m.node("InstanceNormalization", [x, ones, zeros], m.values[x])
    x = m.node("Reshape", [x, m.constant([n, c, h, w], np.int64)], (n, c, h, w))
    x = m.node("Mul", [x, m.weights(c, 1, 1)], (n, c, h, w))
    m.node("Add", [x, m.weights(c, 1, 1)], (n, c, h, w))


def group_norm(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[2] * shape[3] > 1)
    if source is None or m.opset < 21:
        return
    c = m.values[source][1]
    groups = m.draw(*[g for g in range(1, c + 1) if c % g == 0])
    inputs = [source, m.weights(c), m.weights(c)]
    m.node("GroupNormalization", inputs, m.values[source], num_groups=groups, epsilon=m.draw(1e-5, 1e-3))


def layer_norm(m):
    """Over the channels of each pixel: with channels last, or as arithmetic on channels first."""
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
    if source is None:
        return
    n, c, h, w = shape = m.values[source]
    last = (n, h, w, c)
    if m.chance(0.5) and m.opset >= 17:
        x = m.step("Transpose", [source], last, perm=[0, 2, 3, 1])
        inputs = [x, m.weights(c)] + ([m.weights(c)] if m.chance(0.7) else [])
        x = m.step("LayerNormalization", inputs, last, axis=m.draw(-1, 3), epsilon=m.draw(1e-5, 1e-3))
        if m.chance(0.5):
            x = m.step("MatMul", [x, m.weights(c, c)], last)
        if m.chance(0.2):
            x = m.step("Flatten", [x], (n, h * w * c))
            m.node("Gemm", [x, m.weights(h * w * c, 3)], (n, 3))
        elif m.chance(0.2):
            m.node("Identity", [x], last, stem="nhwc")
            m.may_be_refused = True  # whether others read it
        else:
            m.node("Transpose", [x], shape, perm=[0, 3, 1, 2])
        return

    def mean(x):
        if m.opset >= 18:
            return m.step("ReduceMean", [x, m.constant([1], np.int64)], (n, 1, h, w), keepdims=1)
        return m.step("ReduceMean", [x], (n, 1, h, w), axes=[1], keepdims=1)

    centred = m.step("Sub", [source, mean(source)], shape)
    if m.chance(0.5):
        squares = m.step("Pow", [centred, m.constant(2.0)], shape)
    else:
        squares = m.step("Mul", [centred, centred], shape)
    x = m.step("Add", [mean(squares), m.constant(1e-3)], (n, 1, h, w))
    x = m.step("Div", [centred, m.step("Sqrt", [x], (n, 1, h, w))], shape)
    x = m.node("Mul", [x, m.weights(c, 1, 1)], shape)
    m.node("Add", [x, m.weights(c, 1, 1)], shape)


OPERATORS = [
    (conv, 4), (conv_transpose, 1), (sequence, 0.7), (gate_of_channels, 0.3), (batch_norm, 2), (pre_activated, 1),
    (any_activation, 5),
    (gelu, 0.6), (hard_swish, 0.4), (pool, 2), (global_pool, 0.7), (reduction, 0.5), (resize, 0.7),
    (softmax, 0.5), (instance_norm, 0.6), (group_norm, 0.4), (layer_norm, 0.7),
]  # fmt: skip
