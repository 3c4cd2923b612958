"""A random valid ONNX model for a seed: convolutions, pools, joins, sums, activations, matrices; with fan-out, aliases,
reshapes, constants in every form, several inputs, and outputs anywhere."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


class RandomModel:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs = [], [], []
        self.values = {}  # name -> shape as ONNX sees it
        self.may_be_refused = False
        self.batch = int(self.random.choice([1, 1, 2, 3]))
        self.symbolic = self.batch == 1 and self.chance(0.3)
        self.opset = int(self.random.choice([13, 17, 18]))
        for _ in range(int(self.random.choice([1, 1, 1, 2]))):
            self.add_input()
        for _ in range(int(self.random.integers(3, 14))):
            self.add_operator()
        if self.chance(0.5):
            self.add_head()
        self.model = self.finish()

    # ---- drawing

    def chance(self, probability):
        return self.random.random() < probability

    def draw(self, *options):
        return options[int(self.random.integers(len(options)))]

    def number(self, low, high):
        return int(self.random.integers(low, high + 1))

    def pick(self, want=lambda shape: len(shape) == 4):
        """A value; later ones more often. None if there is none."""
        names = [name for name, shape in self.values.items() if want(shape)]
        if not names:
            return None
        return names[-min(len(names), 1 + int(self.random.exponential(1.5)))]

    # ---- building

    def name(self, stem):
        # Names that clash, are empty, or look like what others are renamed to are all valid.
        return f"{stem}{len(self.values)}_{len(self.constants)}"

    def add_input(self):
        shape = (self.batch, self.number(1, 5), self.number(1, 9), self.number(1, 9))
        name = f"in{len(self.inputs)}"
        self.inputs.append((name, shape))
        self.values[name] = shape

    def constant(self, values, dtype=np.float32):
        array = np.asarray(values, dtype)
        name = f"k{len(self.constants)}"
        form = self.number(0, 3)
        if form == 0:  # values in a typed field
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            tensor = helper.make_tensor(name, kind, array.shape, array.flatten().tolist())
        else:
            tensor = numpy_helper.from_array(array, name)
        self.constants.append(tensor if form != 1 else None)
        if form == 1:  # a node
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        if form == 2:
            self.nodes.append(helper.make_node("Identity", [name], [name + "_copy"]))
            name += "_copy"
        return name

    def weights(self, *shape):
        return self.constant(self.random.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:]))))

    def node(self, kind, inputs, shape, stem=None, **attributes):
        output = self.name(stem or kind.lower())
        name = self.draw("", f"{kind}.{len(self.nodes)}", output)
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        self.values[output] = tuple(int(d) for d in shape)
        return output

    def add_operator(self):
        operators = [
            (self.add_conv, 4), (self.add_batch_norm, 2), (self.add_activation, 5), (self.add_pool, 2),
            (self.add_global_pool, 0.7), (self.add_sum, 2), (self.add_concat, 2), (self.add_alias, 3),
            (self.add_reshape, 1), (self.add_with_constant, 2), (self.add_mismatch, 0.3), (self.add_product, 1.5),
            (self.add_split, 1), (self.add_slice, 0.7), (self.add_shuffle, 0.7), (self.add_pad, 0.7),
            (self.add_resize, 0.7), (self.add_shape_arithmetic, 0.7),
        ]  # fmt: skip
        weights = np.array([weight for _, weight in operators], float)
        operators[int(self.random.choice(len(operators), p=weights / weights.sum()))][0]()

    # ---- operators

    def window(self, size, kernels, dilations=(1, 1, 1, 2, 3)):
        """Kernel, stride, padding at both ends, dilation and the number of outputs along one axis."""
        kernel = self.draw(*kernels)
        begin = self.number(0, kernel - 1)
        end = begin if self.chance(0.7) else self.number(0, kernel - 1)
        dilation = self.draw(*dilations)
        extent = (kernel - 1) * dilation + 1
        if size + begin + end < extent:
            return 1, 1, 0, 0, 1, size
        stride = self.number(1, 3)
        return kernel, stride, begin, end, dilation, (size + begin + end - extent) // stride + 1

    def automatic(self, attributes, shape, kernels, strides):
        """SAME_UPPER or SAME_LOWER instead of pads; gives the output's height and width."""
        attributes.pop("pads", None)
        attributes["auto_pad"] = self.draw("SAME_UPPER", "SAME_LOWER")
        return [-(-size // stride) for size, stride in zip(shape[2:], strides)]

    def add_conv(self):
        source = self.pick()
        if source is None:
            return
        n, c, h, w = self.values[source]
        kh, sh, top, bottom, dh, oh = self.window(h, (1, 1, 2, 3, 3, 5))
        kw, sw, left, right, dw, ow = self.window(w, (1, 1, 2, 3, 3, 5))
        groups = self.draw(*[g for g in range(1, c + 1) if c % g == 0])
        out = groups * self.number(1, 3)
        inputs = [source, self.weights(out, c // groups, kh, kw)]
        if self.chance(0.5):
            inputs.append(self.weights(out))
        attributes = {}
        if self.chance(0.7) or (kh, kw) == (1, 1):
            attributes["kernel_shape"] = [kh, kw]
        if (sh, sw) != (1, 1) or self.chance(0.3):
            attributes["strides"] = [sh, sw]
        if (top, left, bottom, right) != (0, 0, 0, 0) or self.chance(0.3):
            attributes["pads"] = [top, left, bottom, right]
        if groups > 1 or self.chance(0.3):
            attributes["group"] = groups
        if (dh, dw) != (1, 1):
            attributes["dilations"] = [dh, dw]
        elif self.chance(0.1):
            oh, ow = self.automatic(attributes, (n, c, h, w), (kh, kw), (sh, sw))
        self.node("Conv", inputs, (n, out, oh, ow), **attributes)

    def add_batch_norm(self):
        source = self.pick(lambda shape: len(shape) == 4 or (len(shape) == 2 and shape[0] == self.batch))
        if source is None or (len(self.values[source]) == 2 and not self.is_flat_image(source)):
            return
        c = self.values[source][1]
        inputs = [source, self.constant(0.5 + self.random.random(c)), self.weights(c), self.weights(c)]
        inputs.append(self.constant(0.5 + self.random.random(c)))
        self.node("BatchNormalization", inputs, self.values[source], epsilon=self.draw(1e-5, 1e-2))

    def is_flat_image(self, name):
        """Is this 2D value one number a channel? Only values that were so from the start are sure to be."""
        return name.startswith(("gemm", "squeezed"))

    def add_activation(self):
        source = self.pick(lambda shape: True)
        kind, inputs, attributes = self.activation()
        stem = "gemm" if self.is_flat_image(source) else None
        self.node(kind, [source, *inputs], self.values[source], stem=stem, **attributes)

    def activation(self):
        """Node, further inputs, attributes."""
        kinds = "Relu Relu Tanh Sigmoid LeakyRelu Elu HardSigmoid HardSwish Softplus Clip PRelu".split()
        kind = self.draw(*[k for k in kinds if k != "HardSwish" or self.opset >= 14])
        inputs, attributes = [], {}
        if kind in ("LeakyRelu", "Elu", "HardSigmoid") and self.chance(0.6):
            attributes["alpha"] = self.draw(0.1, 0.25, 1 / 6)
        if kind == "HardSigmoid" and self.chance(0.3):
            attributes["beta"] = 0.3
        if kind == "PRelu":
            inputs = [self.constant([0.2])]
        if kind == "Clip":
            inputs = self.draw([], [""], ["low"], ["low", "high"], ["", "high"])
            limits = {"": lambda: "", "low": lambda: self.constant(-0.5), "high": lambda: self.constant(1.5)}
            inputs = [limits[limit]() for limit in inputs]
        return kind, inputs, attributes

    def add_pool(self):
        source = self.pick()
        if source is None:
            return
        n, c, h, w = self.values[source]
        kind = self.draw("MaxPool", "AveragePool")
        dilations = (1, 1, 1, 2) if kind == "MaxPool" or self.opset >= 19 else (1,)
        kh, sh, top, bottom, dh, oh = self.window(h, (1, 2, 3), dilations)
        kw, sw, left, right, dw, ow = self.window(w, (1, 2, 3), dilations)
        if (dh, dw) != (1, 1):  # a window that lies in the padding has no value
            top, left, bottom, right = 0, 0, 0, 0
            oh, ow = (h - (kh - 1) * dh - 1) // sh + 1, (w - (kw - 1) * dw - 1) // sw + 1
            if oh < 1 or ow < 1:
                return
        attributes = {"kernel_shape": [kh, kw], "strides": [sh, sw], "pads": [top, left, bottom, right]}
        if (dh, dw) != (1, 1):
            attributes["dilations"] = [dh, dw]
        if kind == "AveragePool":
            attributes["count_include_pad"] = self.number(0, 1)
        self.node(kind, [source], (n, c, oh, ow), **attributes)

    def add_global_pool(self):
        source = self.pick()
        if source is None:
            return
        n, c, _, _ = self.values[source]
        if self.chance(0.5):
            self.node(self.draw("GlobalAveragePool", "GlobalMaxPool"), [source], (n, c, 1, 1))
            return
        keep = self.number(0, 1)
        axes = self.draw([2, 3], [-1, -2], [-2, 3])
        shape = (n, c, 1, 1) if keep else (n, c)
        if self.opset >= 18:
            self.node("ReduceMean", [source, self.constant(axes, np.int64)], shape, stem="squeezed", keepdims=keep)
        else:
            self.node("ReduceMean", [source], shape, stem="squeezed", axes=axes, keepdims=keep)

    def like(self, source, want):
        return [name for name, shape in self.values.items() if want(shape, self.values[source])]

    def add_sum(self):
        source = self.pick()
        if source is None:
            return
        alike = self.like(source, lambda a, b: a == b)
        others = [self.draw(*alike) for _ in range(self.number(1, 3))]
        if len(others) > 1:
            self.node("Sum", [source, *others], self.values[source])
        else:
            self.node(self.draw("Add", "Add", "Sub"), [source, others[0]], self.values[source])

    def add_concat(self):
        source = self.pick()
        if source is None:
            return
        alike = self.like(source, lambda a, b: len(a) == 4 and a[0] == b[0] and a[2:] == b[2:])
        parts = [source] + [self.draw(*alike) for _ in range(self.number(0, 2))]
        self.random.shuffle(parts)
        n, _, h, w = self.values[source]
        channels = sum(self.values[part][1] for part in parts)
        if channels <= 24:
            self.node("Concat", [str(part) for part in parts], (n, channels, h, w), axis=self.draw(1, -3))

    def add_alias(self):
        source = self.pick(lambda shape: True)
        kind = self.draw("Identity", "Dropout")
        self.node(kind, [source], self.values[source], stem="gemm" if self.is_flat_image(source) else None)

    def add_reshape(self):
        """A flattened value, perhaps worked on, perhaps as an image again."""
        source = self.pick()
        if source is None:
            return
        shape = self.values[source]
        size = int(np.prod(shape[1:]))
        if self.chance(0.5):
            flat = self.node("Flatten", [source], (self.batch, size))
        else:
            wish = self.draw([0, -1], [self.batch, -1], [self.batch, size], [-1, size])
            flat = self.node("Reshape", [source, self.constant(wish, np.int64)], (self.batch, size))
        if self.chance(0.5):
            flat = self.node(self.draw("Relu", "Tanh", "Identity"), [flat], (self.batch, size))
        if self.chance(0.5):
            self.node("Reshape", [flat, self.constant([self.batch, *shape[1:]], np.int64)], shape)

    def add_with_constant(self):
        source = self.pick()
        if source is None:
            return
        _, c, _, _ = self.values[source]
        shape = self.draw((c, 1, 1), (1, c, 1, 1), (1,), (), (1, 1, 1, 1))
        values = self.random.choice([-1, 1]) * (0.5 + self.random.random(shape))
        kind = self.draw("Add", "Sub", "Mul", "Div")
        inputs = [source, self.constant(values)]
        if kind != "Div" and self.chance(0.3):
            inputs.reverse()
        self.node(kind, inputs, self.values[source])

    def add_product(self):
        """A value times one of its size, times a gate of a number a channel or pixel, or times its own sigmoid."""
        source = self.pick()
        if source is None:
            return
        shape = self.values[source]
        if self.chance(0.3):
            gate = self.node(self.draw("Sigmoid", "HardSigmoid"), [source], shape, alpha=1 / 6)
            if self.nodes[-1].op_type == "Sigmoid":
                del self.nodes[-1].attribute[:]
            return self.node("Mul", [source, gate] if self.chance(0.5) else [gate, source], shape)
        fits = lambda a, b: len(a) == 4 and a[0] == b[0] and all(x in (1, y) for x, y in zip(a[1:], b[1:]))
        gates = self.like(source, fits)
        if self.chance(0.5):
            gates = [self.node("GlobalAveragePool", [source], (*shape[:2], 1, 1))]
            if self.chance(0.5):
                gates = [self.node("Sigmoid", gates, (*shape[:2], 1, 1))]
        inputs = [source, self.draw(*gates)]
        if self.chance(0.5):
            inputs.reverse()
        self.node("Mul", inputs, shape)

    def add_split(self):
        source = self.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
        if source is None:
            return
        n, c, h, w = self.values[source]
        parts = self.number(2, min(3, c))
        cuts = sorted(self.random.choice(np.arange(1, c), parts - 1, replace=False).tolist())
        sizes = [b - a for a, b in zip([0, *cuts], [*cuts, c])]
        axis = self.draw(1, -3)
        if c % parts == 0 and self.chance(0.5):
            sizes = [c // parts] * parts
            inputs = [source]
            attributes = {"num_outputs": parts} if self.opset >= 18 else {}
        else:
            inputs, attributes = [source, self.constant(sizes, np.int64)], {}
        names = [f"split{len(self.values)}_{i}" for i in range(parts)]
        self.nodes.append(helper.make_node("Split", inputs, names, axis=axis, **attributes))
        for name, size in zip(names, sizes):
            self.values[name] = (n, size, h, w)

    def add_slice(self):
        source = self.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
        if source is None:
            return
        n, c, h, w = self.values[source]
        begin = self.number(0, c - 1)
        end = self.number(begin + 1, c)
        lists = [[begin - self.draw(0, c)], [self.draw(end, end - c - 1 if end < c else 1 << 62)], [self.draw(1, -3)]]
        if lists[1][0] < 0:
            lists[1][0] = end - c if end < c else 1 << 62
        if self.chance(0.3):
            lists.append([1])
        self.node("Slice", [source, *[self.constant(values, np.int64) for values in lists]], (n, end - begin, h, w))

    def add_shuffle(self):
        source = self.pick(lambda shape: len(shape) == 4 and shape[1] > 1)
        if source is None:
            return
        n, c, h, w = self.values[source]
        groups = self.draw(*[g for g in range(1, c + 1) if c % g == 0])
        apart = self.node("Reshape", [source, self.constant([n, groups, -1, h, w], np.int64)], (n, groups, c // groups, h, w))
        mixed = self.node("Transpose", [apart], (n, c // groups, groups, h, w), perm=[0, 2, 1, 3, 4])
        self.node("Reshape", [mixed, self.constant([n, c, h, w], np.int64)], (n, c, h, w))

    def add_pad(self):
        source = self.pick()
        if source is None:
            return
        n, c, h, w = self.values[source]
        top, left, bottom, right = [self.number(0, 2) for _ in range(4)]
        inputs = [source, self.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)]
        if self.chance(0.5):
            inputs.append(self.constant(0.0))
        padded = self.node("Pad", inputs, (n, c, h + top + bottom, w + left + right))
        if self.chance(0.6):
            out = self.number(1, 4)
            self.node("Conv", [padded, self.weights(out, c, 1, 1)], (n, out, *self.values[padded][2:]))

    def add_resize(self):
        source = self.pick()
        if source is None:
            return
        n, c, h, w = self.values[source]
        if h * w > 60:
            return
        mode = self.draw("nearest", "linear")
        where = self.draw("half_pixel", "asymmetric", "align_corners")
        attributes = {"mode": mode, "coordinate_transformation_mode": where}
        if mode == "nearest":
            attributes["nearest_mode"] = self.draw("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        scales = [self.draw(1, 2, 3), self.draw(1, 2, 2)]
        size = (n, c, h * scales[0], w * scales[1])
        if self.chance(0.5):
            inputs = [source, "", self.constant([1, 1, *scales])]
        else:
            if mode == "linear":
                size = (n, c, self.number(1, 2 * h), self.number(1, 2 * w))
            inputs = [source, "", "", self.constant(size, np.int64)]
        self.node("Resize", inputs, size, **attributes)

    def add_shape_arithmetic(self):
        """A flattening whose shape the model works out."""
        source = self.pick()
        if source is None:
            return
        size = int(np.prod(self.values[source][1:]))
        stem = self.name("shape")
        one = lambda value: self.constant(value, np.int64)
        nodes = [helper.make_node("Shape", [source], [stem])]
        if self.chance(0.5):
            nodes.append(helper.make_node("Gather", [stem, one(0)], [stem + "n"], axis=0))
            nodes.append(helper.make_node("Unsqueeze", [stem + "n", one([0])], [stem + "u"]))
        else:
            nodes.append(helper.make_node("Slice", [stem, one([0]), one([1])], [stem + "u"]))
        nodes.append(helper.make_node("Concat", [stem + "u", one([-1])], [stem + "c"], axis=0))
        nodes.append(helper.make_node("Cast", [stem + "c"], [stem + "i"], to=TensorProto.INT64))
        self.nodes += nodes
        self.node("Reshape", [source, stem + "i"], (self.batch, size))

    def add_mismatch(self):
        """Broadcasting that may be refused, but never computed wrongly."""
        source = self.pick()
        if source is None:
            return
        fits = lambda a, b: all(x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b)))
        other = self.draw(*self.like(source, fits))
        shape = np.broadcast_shapes(self.values[source], self.values[other])
        if shape != self.values[source] or shape != self.values[other]:
            self.may_be_refused = True
        if len(shape) == 4 and shape[0] == self.batch:
            self.node("Add", [source, other], shape)

    def add_head(self):
        source = self.pick(lambda shape: shape[0] == self.batch and len(shape) in (2, 4))
        shape = self.values[source]
        size = int(np.prod(shape[1:]))
        flat = source if len(shape) == 2 else self.node("Flatten", [source], (self.batch, size))
        for _ in range(self.number(1, 2)):
            out = self.number(1, 6)
            transposed = self.number(0, 1)
            inputs = [flat, self.weights(*((out, size) if transposed else (size, out)))]
            if self.chance(0.2):
                flat = self.node("MatMul", [flat, self.weights(size, out)], (self.batch, out), stem="gemm")
            else:
                attributes = {"transB": transposed} if transposed or self.chance(0.3) else {}
                if self.chance(0.7):
                    bias = self.draw((out,), (1, out), (1,), (1, 1), (), (self.batch, 1))
                    self.may_be_refused |= bias == (self.batch, 1) and self.batch > 1
                    inputs.append(self.weights(*bias) if bias else self.constant(0.3))
                if self.chance(0.3):
                    attributes.update(alpha=0.5, beta=1.5)
                flat = self.node("Gemm", inputs, (self.batch, out), **attributes)
            size = out
            if self.chance(0.5):
                flat = self.node(self.draw("Relu", "Tanh"), [flat], (self.batch, size), stem="gemm")

    # ---- the model

    def finish(self):
        computed = [name for name in self.values if name not in dict(self.inputs)] or [self.inputs[0][0]]
        read = {name for node in self.nodes for name in node.input}
        ends = [name for name in computed if name not in read]
        outputs = ends if self.chance(0.7) else []
        for _ in range(self.number(0 if outputs else 1, 2)):
            outputs.append(self.draw(*computed))
        outputs = list(dict.fromkeys(outputs))
        self.random.shuffle(outputs)
        first = "N" if self.symbolic else self.batch
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "random",
            [value(name, TensorProto.FLOAT, [first, *shape[1:]]) for name, shape in self.inputs],
            [value(str(name), TensorProto.FLOAT, None) for name in outputs],
            [tensor for tensor in self.constants if tensor is not None],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def feeds(self):
        return {name: self.random.standard_normal(shape).astype(np.float32) for name, shape in self.inputs}
