"""A random valid ONNX model from a seed, with operators of random_layers.py and random_values.py, fan-out, constants in
every form, several inputs, and outputs anywhere."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import random_layers
import random_values


class RandomModel:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs = [], [], []
        self.values = {}  # name -> shape in ONNX
        self.may_be_refused = False
        self.batch = int(self.random.choice([1, 1, 2, 3]))
        self.symbolic = self.batch == 1 and self.chance(0.3)
        self.opset = int(self.random.choice([13, 17, 18, 21]))
        for _ in range(int(self.random.choice([1, 1, 1, 2]))):
            self.add_input()
        for _ in range(int(self.random.integers(3, 14))):
            self.add_operator()
        if self.chance(0.5):
            random_layers.head(self)
        self.model = self.finish()

    # ---- drawing

    def chance(self, probability):
        return self.random.random() < probability

    def draw(self, *options):
        return options[int(self.random.integers(len(options)))]

    def number(self, low, high):
        return int(self.random.integers(low, high + 1))

    def pick(self, want=lambda shape: len(shape) == 4):
        """A random value, more often a later one; None if there is none."""
        names = [name for name, shape in self.values.items() if want(shape)]
        if not names:
            return None
        return names[-min(len(names), 1 + int(self.random.exponential(1.5)))]

    # ---- building

    def name(self, stem):
        # Names that clash, are empty, or look like the names that the importer assigns are all valid.
        return f"{stem}{len(self.nodes)}_{len(self.constants)}"

    def add_input(self):
        shape = (self.batch, self.number(1, 5), self.number(1, 9), self.number(1, 9))
        name = f"in{len(self.inputs)}"
        if self.chance(0.1):  # channels last
            n, c, h, w = shape
            self.inputs.append((name, (n, h, w, c)))
            self.node("Transpose", [name], shape, perm=[0, 3, 1, 2])
            return
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

    def hidden(self, kind, inputs, _shape, **attributes):
        """A node that no others read."""
        output = self.name("step")
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def step(self, kind, inputs, shape, **attributes):
        """A node that others rarely read, because it may be refused on its own."""
        if not self.chance(0.02):
            return self.hidden(kind, inputs, shape, **attributes)
        self.may_be_refused = True
        return self.node(kind, inputs, shape, **attributes)

    def add_operator(self):
        operators = random_layers.OPERATORS + random_values.OPERATORS
        weights = np.array([weight for _, weight in operators])
        operators[int(self.random.choice(len(operators), p=weights / weights.sum()))][0](self)

    def is_flat_image(self, name):
        """Whether this 2D value is one number per channel. Only values made that way are certain to be."""
        return name.startswith(("gemm", "squeezed"))

    def like(self, source, want):
        return [name for name, shape in self.values.items() if want(shape, self.values[source])]

    # ---- the model

    def finish(self):
        computed = [name for name in self.values if name not in dict(self.inputs)] or [list(self.values)[0]]
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
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)

    def feeds(self):
        return {name: self.random.standard_normal(shape).astype(np.float32) for name, shape in self.inputs}
