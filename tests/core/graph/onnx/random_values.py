"""Random operators that take values apart, combine them, or reshape them. Each function adds one to a RandomModel, or
nothing if no value of the model fits."""
import numpy as np
from onnx import TensorProto, helper


def sum_of(m):
    source = m.pick()
    if source is None:
        return
    alike = m.like(source, lambda a, b: a == b)
    others = [m.draw(*alike) for _ in range(m.number(1, 3))]
    if len(others) > 1:
        m.node("Sum", [source, *others], m.values[source])
    else:
        m.node(m.draw("Add", "Add", "Sub"), [source, others[0]], m.values[source])


def concat(m):
    source = m.pick()
    if source is None:
        return
    alike = m.like(source, lambda a, b: len(a) == 4 and a[0] == b[0] and a[2:] == b[2:])
    parts = [source] + [m.draw(*alike) for _ in range(m.number(0, 2))]
    m.random.shuffle(parts)
    n, _, h, w = m.values[source]
    channels = sum(m.values[part][1] for part in parts)
    if channels <= 24:
        m.node("Concat", [str(part) for part in parts], (n, channels, h, w), axis=m.draw(1, -3))


def alias(m):
    source = m.pick(lambda shape: True)
    kind = m.draw("Identity", "Dropout")
    m.node(kind, [source], m.values[source], stem="gemm" if m.is_flat_image(source) else None)


def reshape(m):
    """A flattened value, perhaps with further operators, perhaps reshaped into an image again."""
    source = m.pick()
    if source is None:
        return
    shape = m.values[source]
    size = int(np.prod(shape[1:]))
    if m.chance(0.5):
        flat = m.node("Flatten", [source], (m.batch, size))
    else:
        wish = m.draw([0, -1], [m.batch, -1], [m.batch, size], [-1, size])
        flat = m.node("Reshape", [source, m.constant(wish, np.int64)], (m.batch, size))
    if m.chance(0.5):
        flat = m.node(m.draw("Relu", "Tanh", "Identity"), [flat], (m.batch, size))
    if m.chance(0.5):
        m.node("Reshape", [flat, m.constant([m.batch, *shape[1:]], np.int64)], shape)


def with_constant(m):
    source = m.pick()
    if source is None:
        return
    _, c, _, _ = m.values[source]
    shape = m.draw((c, 1, 1), (1, c, 1, 1), (1,), (), (1, 1, 1, 1))
    values = m.random.choice([-1, 1]) * (0.5 + m.random.random(shape))
    kind = m.draw("Add", "Sub", "Mul", "Div")
    inputs = [source, m.constant(values)]
    if kind != "Div" and m.chance(0.3):
        inputs.reverse()
    m.node(kind, inputs, m.values[source])


def product(m):
    """A value times another of the same size, times a gate with one number per channel or pixel, or times its own
    sigmoid."""
    source = m.pick()
    if source is None:
        return
    shape = m.values[source]
    if m.chance(0.3):
        gate = m.node(m.draw("Sigmoid", "HardSigmoid"), [source], shape, alpha=1 / 6)
        if m.nodes[-1].op_type == "Sigmoid":
            del m.nodes[-1].attribute[:]
        return m.node("Mul", [source, gate] if m.chance(0.5) else [gate, source], shape)
    fits = lambda a, b: len(a) == 4 and a[0] == b[0] and all(x in (1, y) for x, y in zip(a[1:], b[1:]))
    gates = m.like(source, fits)
    if m.chance(0.5):
        gates = [m.node("GlobalAveragePool", [source], (*shape[:2], 1, 1))]
        if m.chance(0.5):
            gates = [m.node("Sigmoid", gates, (*shape[:2], 1, 1))]
    inputs = [source, m.draw(*gates)]
    if m.chance(0.5):
        inputs.reverse()
    m.node("Mul", inputs, shape)


def split(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
    if source is None:
        return
    n, c, h, w = m.values[source]
    parts = m.number(2, min(3, c))
    cuts = sorted(m.random.choice(np.arange(1, c), parts - 1, replace=False).tolist())
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, c])]
    axis = m.draw(1, -3)
    if c % parts == 0 and m.chance(0.5):
        sizes = [c // parts] * parts
        inputs = [source]
        attributes = {"num_outputs": parts} if m.opset >= 18 else {}
    else:
        inputs, attributes = [source, m.constant(sizes, np.int64)], {}
    names = [m.name(f"split{i}_") for i in range(parts)]
    m.nodes.append(helper.make_node("Split", inputs, names, axis=axis, **attributes))
    for name, size in zip(names, sizes):
        m.values[name] = (n, size, h, w)


def slice_of(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
    if source is None:
        return
    n, c, h, w = m.values[source]
    begin = m.number(0, c - 1)
    end = m.number(begin + 1, c)
    lists = [[begin - m.draw(0, c)], [m.draw(end, end - c - 1 if end < c else 1 << 62)], [m.draw(1, -3)]]
    if lists[1][0] < 0:
        lists[1][0] = end - c if end < c else 1 << 62
    if m.chance(0.3):
        lists.append([1])
    m.node("Slice", [source, *[m.constant(values, np.int64) for values in lists]], (n, end - begin, h, w))


def shuffle(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
    if source is None:
        return
    n, c, h, w = m.values[source]
    groups = m.draw(*[g for g in range(1, c + 1) if c % g == 0])
    apart = m.node("Reshape", [source, m.constant([n, groups, -1, h, w], np.int64)], (n, groups, c // groups, h, w))
    mixed = m.node("Transpose", [apart], (n, c // groups, groups, h, w), perm=[0, 2, 1, 3, 4])
    m.node("Reshape", [mixed, m.constant([n, c, h, w], np.int64)], (n, c, h, w))


def pad(m):
    """Zeros around an image, or a crop of it; -inf before a max pool."""
    source = m.pick()
    if source is None:
        return
    n, c, h, w = m.values[source]
    low = m.chance(0.25)
    least = -1 if min(h, w) > 2 and m.chance(0.4) else 0
    top, left, bottom, right = [m.number(0 if low else least, 2) for _ in range(4)]
    if m.opset >= 18 and m.chance(0.3):  # only some axes
        top, bottom = 0, 0
        inputs = [m.constant([left, right], np.int64), m.constant(-np.inf if low else 0.0), m.constant([3], np.int64)]
    else:
        inputs = [m.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)]
        if low or m.chance(0.5):
            inputs.append(m.constant(-np.inf if low else 0.0))
    h, w = h + top + bottom, w + left + right
    if low and (min(h, w) < 3 or max(top, left, bottom, right) == 0):
        return
    if low:  # windows of 3 always reach the image; other operators may not read infinite values
        stride, padded = m.draw(1, 2), m.name("low")
        m.nodes.append(helper.make_node("Pad", [source, *inputs], [padded]))
        size = [(d - 3) // stride + 1 for d in (h, w)]
        return m.node("MaxPool", [padded], (n, c, *size), kernel_shape=[3, 3], strides=[stride, stride])
    padded = m.node("Pad", [source, *inputs], (n, c, h, w))
    if m.chance(0.6):
        out = m.number(1, 4)
        m.node("Conv", [padded, m.weights(out, c, 1, 1)], (n, out, h, w))


def shape_arithmetic(m):
    """A flattening whose shape is computed in the model."""
    source = m.pick()
    if source is None:
        return
    size = int(np.prod(m.values[source][1:]))
    stem = m.name("shape")
    one = lambda value: m.constant(value, np.int64)
    nodes = [helper.make_node("Shape", [source], [stem])]
    if m.chance(0.5):
        nodes.append(helper.make_node("Gather", [stem, one(0)], [stem + "n"], axis=0))
        nodes.append(helper.make_node("Unsqueeze", [stem + "n", one([0])], [stem + "u"]))
    else:
        nodes.append(helper.make_node("Slice", [stem, one([0]), one([1])], [stem + "u"]))
    nodes.append(helper.make_node("Concat", [stem + "u", one([-1])], [stem + "c"], axis=0))
    nodes.append(helper.make_node("Cast", [stem + "c"], [stem + "i"], to=TensorProto.INT64))
    m.nodes += nodes
    m.node("Reshape", [source, stem + "i"], (m.batch, size))


def mismatch(m):
    """Broadcasting that may be refused but must not be computed wrongly."""
    source = m.pick()
    if source is None:
        return
    fits = lambda a, b: all(x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b)))
    other = m.draw(*m.like(source, fits))
    shape = np.broadcast_shapes(m.values[source], m.values[other])
    if shape != m.values[source] or shape != m.values[other]:
        m.may_be_refused = True
    if len(shape) == 4 and shape[0] == m.batch:
        m.node("Add", [source, other], shape)


def crop(m):
    """Rows and columns: every second one, or a range inside."""
    source = m.pick(lambda shape: len(shape) == 4 and shape[2] * shape[3] > 1)
    if source is None:
        return
    shape = list(m.values[source])
    lists = [[], [], [], []]
    for axis in m.draw([2], [3], [2, 3], [-1]):
        size = shape[axis]
        begin, step = m.number(0, size - 1), m.draw(1, 1, 2, 3)
        end = m.number(begin + 1, size)
        for values, value in zip(lists, (begin, end if m.chance(0.5) else end - size or 1 << 40, axis, step)):
            values.append(value)
        shape[axis] = -(-(end - begin) // step)
    m.node("Slice", [source, *[m.constant(values, np.int64) for values in lists]], shape)


def depth_to_space(m):
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] % 4 == 0)
    if source is not None:
        n, c, h, w = m.values[source]
        attributes = {"mode": m.draw("DCR", "CRD")} if m.chance(0.7) else {}
        m.node("DepthToSpace", [source], (n, c // 4, h * 2, w * 2), blocksize=2, **attributes)
    source = m.pick(lambda shape: len(shape) == 4 and shape[2] % 2 == 0 and shape[3] % 2 == 0 and shape[1] < 6)
    if source is not None and m.chance(0.6):
        n, c, h, w = m.values[source]
        m.node("SpaceToDepth", [source], (n, c * 4, h // 2, w // 2), blocksize=2)


def constant_image(m):
    """With a constant that differs between pixels."""
    source = m.pick()
    if source is None:
        return
    n, c, h, w = m.values[source]
    shape = m.draw((c, h, w), (1, c, h, w), (1, h, w), (h, w), (w,), (h, 1), (c, h, 1))
    kind = m.draw("Add", "Sub", "Mul", "Div")
    constant = m.constant(0.5 + m.random.random(shape))
    inputs = [source, constant] if kind == "Div" or m.chance(0.6) else [constant, source]
    m.node(kind, inputs, (n, c, h, w))


def places(m):
    """A 1x1 convolution of channels reshaped into two axes, as in YOLO."""
    source = m.pick(lambda shape: len(shape) == 4 and shape[1] % 2 == 0 and shape[2] * shape[3] > 1)
    if source is None:
        return
    n, c, h, w = m.values[source]
    inner, outs = c // 2, m.number(1, 3)
    x = m.step("Reshape", [source, m.constant([n, 2, inner, h * w], np.int64)], (n, 2, inner, h * w))
    x = m.step("Conv", [x, m.weights(outs, 2, 1, 1)], (n, outs, inner, h * w), kernel_shape=[1, 1])
    m.node("Reshape", [x, m.constant([n, outs * inner, h, w], np.int64)], (n, outs * inner, h, w))


def pixels(m):
    """Pixels of several images joined, like the image sizes of a detector."""
    first = m.pick(lambda shape: len(shape) == 4 and shape[2] * shape[3] > 1)
    if first is None:
        return
    channels = m.values[first][1]
    others = [v for v, s in m.values.items() if len(s) == 4 and s[1] == channels and s[2] * s[3] > 1]
    parts = [first] + [m.draw(*others) for _ in range(m.number(1, 2))]
    rows, count = [], 0
    for part in parts:
        n, c, h, w = m.values[part]
        rows.append(m.step("Reshape", [part, m.constant([n, c, -1], np.int64)], (n, c, h * w)))
        count += h * w
    joined = m.step("Concat", rows, (n, channels, count), axis=2)
    if m.chance(0.5):
        m.step("Transpose", [joined], (n, count, channels), perm=[0, 2, 1])


OPERATORS = [
    (sum_of, 2), (concat, 2), (alias, 3), (reshape, 1), (with_constant, 2), (mismatch, 0.3), (product, 1.5),
    (split, 1), (slice_of, 0.7), (crop, 0.6), (shuffle, 0.7), (pad, 1), (shape_arithmetic, 0.7),
    (depth_to_space, 0.7), (pixels, 0.6), (constant_image, 0.6), (places, 0.4),
]  # fmt: skip
