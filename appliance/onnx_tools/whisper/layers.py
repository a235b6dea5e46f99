"""Parts of the network as ONNX nodes: projections, normalisation, attention, and the silence that it sees."""

import math
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from appliance.onnx_tools.whisper.silence import EPSILON, STRIDE
from appliance.onnx_tools.whisper.weights import Array, Weights
from appliance.onnx_tools.whisper.whole_numbers import rows

OPSET: Final = 18
IR_VERSION: Final = 9
TABLE: Final = "decoder.embed_tokens"


class Layers:
    """Nodes under construction, and the weights that they use, each stored once under its name.

    Args:
        weights: Of the network.
        bits: Of the weights of products, 7 or 8; None leaves all weights in float32.
        prefix: Begins the names of values.
        outer: The graph around this one, which keeps the weights.
    """

    def __init__(
        self, weights: Weights, *, bits: int | None, prefix: str = "", outer: "Layers | None" = None
    ) -> None:
        self.weights = weights
        self.bits = bits
        self.nodes: list[onnx.NodeProto] = []
        self.stored: dict[str, onnx.TensorProto] = {} if outer is None else outer.stored
        self._prefix = prefix
        self._rounded: dict[str, list[str]] = {}

    def add(self, kind: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        number = len(self.nodes)
        names = [name] if name else [f"{self._prefix}n{number}_{each}" for each in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node of one output and return that output's name."""
        return self.add(kind, *inputs, name=name, **attributes)[0]

    def keep(self, name: str, value: Array) -> str:
        """Store a weight, if it is not there yet, and return its name."""
        if name not in self.stored:
            self.stored[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def half(self, name: str, value: Array) -> str:
        """Store a weight in 16 bits and widen it; onnxruntime does that once, when it loads."""
        if self.bits is None:
            return self.keep(name, value.astype(np.float32))
        return self.one("Cast", self.keep(name, value.astype(np.float16)), to=TensorProto.FLOAT)

    def whole(self, *values: int) -> str:
        """Store whole numbers as a vector."""
        return self.keep(f"whole_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def lone(self, value: int) -> str:
        """Store a whole number as a scalar."""
        return self.keep(f"lone_{value}", np.array(value, np.int64))

    def number(self, value: float) -> str:
        """Store a number."""
        return self.keep(f"number_{value}", np.array(value, np.float32))

    def length(self, value: str, axis: int) -> str:
        """One size of a value, as a vector of one."""
        return self.one("Shape", value, start=axis, end=axis + 1)

    def product(self, value: str, weight: str, scale: str) -> str:
        """Value, rounded to 8 bits, times weights in 8 bits [in, out] with a factor for each output."""
        if value not in self._rounded:
            self._rounded[value] = self.add("DynamicQuantizeLinear", value, outputs=3)
        numbers, factor, zero = self._rounded[value]
        whole = self.one("Cast", self.one("MatMulInteger", numbers, weight, zero), to=TensorProto.FLOAT)
        return self.one("Mul", whole, self.one("Mul", factor, scale))

    def linear(self, value: str, name: str, weight: Array, bias: Array) -> str:
        """Value [.., in] times weight [in, out] plus bias."""
        if self.bits is None:
            found = self.one("MatMul", value, self.keep(f"{name}.weight", weight))
        else:
            numbers, scale = rows(weight.T, self.bits)
            kept = self.keep(f"{name}.weight_quantized", numbers.T)
            found = self.product(value, kept, self.keep(f"{name}.weight_scale", scale))
        return self.one("Add", found, self.keep(f"{name}.bias", bias))

    def norm(self, value: str, name: str, at: str, output: str = "") -> str:
        """Layer normalisation with the factor and bias that `weights` calls `at`."""
        gamma, beta = self.weights.norm(at)
        factor, bias = self.keep(f"{name}.weight", gamma), self.keep(f"{name}.bias", beta)
        return self.one("LayerNormalization", value, factor, bias, name=output, axis=-1, epsilon=EPSILON)

    def gelu(self, value: str) -> str:
        """Value times the share of a normal distribution below it."""
        error = self.one("Erf", self.one("Div", value, self.number(math.sqrt(2))))
        doubled = self.one("Mul", value, self.one("Add", error, self.number(1.0)))
        return self.one("Mul", doubled, self.number(0.5))

    def feed_forward(self, value: str, name: str, at: str) -> str:
        """The dense half of a layer, added to its input."""
        inner = self.norm(value, f"{name}.final_layer_norm", f"{at}/ffn/layer_norm")
        grown = self.gelu(self.linear(inner, f"{name}.fc1", *self.weights.linear(f"{at}/ffn/linear_0")))
        return self.one(
            "Add", value, self.linear(grown, f"{name}.fc2", *self.weights.linear(f"{at}/ffn/linear_1"))
        )

    def by_head(self, value: str) -> str:
        """[batch, positions, width] to [batch, heads, positions, size]."""
        shape = self.whole(0, 0, self.weights.heads, self.weights.size)
        return self.one("Transpose", self.one("Reshape", value, shape), perm=[0, 2, 1, 3])

    def split(self, value: str, parts: int) -> list[str]:
        """Stacked parts of a projection, each by head."""
        found = self.add("Split", value, outputs=parts, axis=-1, num_outputs=parts)
        return [self.by_head(part) for part in found]

    def attention(self, query: str, key: str, value: str, bias: str = "") -> tuple[str, str]:
        """Return what attention gives [batch, positions, width], and its shares [.., positions, keys]."""
        score = self.one("MatMul", query, self.one("Transpose", key, perm=[0, 1, 3, 2]))
        if bias:
            score = self.one("Add", score, bias)
        shares = self.one("Softmax", score, axis=-1)
        mixed = self.one("Transpose", self.one("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self.one("Reshape", mixed, self.whole(0, 0, self.weights.width)), shares


class Silence:
    """Keys and values of silence behind those of a window, as many as are left out of the longest one.

    Args:
        layers: Where nodes are added.
        length: Positions of the window, a vector of one.
        batch: Size of the batch, a vector of one.
        states: States of silence that are remembered for the longest window.

    Attributes:
        bias: What scores of the window, then of silence, have added: 0, and the logarithm of `STRIDE`.
    """

    def __init__(self, layers: Layers, length: str, batch: str, states: int) -> None:
        self._layers = layers
        rounded = layers.one("Add", length, layers.whole(STRIDE - 1))
        self._first = layers.one("Div", rounded, layers.whole(STRIDE))
        rest = layers.one("Sub", layers.whole(states), self._first)
        parts = [
            layers.one(
                "ConstantOfShape", size, value=helper.make_tensor("v", TensorProto.FLOAT, [1], [score])
            )
            for size, score in ((length, 0.0), (rest, math.log(STRIDE)))
        ]
        self.bias = layers.one("Concat", *parts, axis=0)
        self._shape = layers.one("Concat", batch, layers.whole(1, 1, 1), axis=0)

    def behind(self, found: str, name: str, still: Array) -> str:
        """Return keys or values, and behind them the needed ones of `still` [1, heads, states, size]."""
        layers = self._layers
        kept = layers.half(name, still)
        needed = layers.one("Slice", kept, self._first, layers.whole(still.shape[2]), layers.whole(2))
        return layers.one("Concat", found, layers.one("Expand", needed, self._shape), axis=2)


def made_model(
    layers: Layers, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    """Return the checked model of finished nodes."""
    graph = helper.make_graph(layers.nodes, name, inputs, outputs, list(layers.stored.values()))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="offline-appliance",
    )
    onnx.checker.check_model(model)
    return model


def floats(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    """Describe an input or output of float32; names stand for sizes that vary."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
