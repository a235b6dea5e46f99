"""A float32 ONNX graph to 8-bit weights, in standard operators, keeping the rows of a batch apart.

Each product with a constant matrix becomes: scale every row (token) of the left side by its own largest
value, round to 8 bits, multiply integers, scale back. The usual dynamic quantisation takes one scale for the
whole batch instead, and then a text's answer depends on its neighbours. Large tables of embeddings become
8-bit numbers with a scale a row. What is small (the last layer, positions) stays as it is.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import ModelError
from appliance.onnx_tools.bert_graph import quantized

TOLERATED: Final = 0.005
"""The most F1 (0…1) that 8 bits may cost."""

SMALL: Final = 64 * 64
"""Constants of fewer numbers stay in float32: little is won, and the last layer's precision matters most."""

LAST: Final = 48
"""A matrix with at most so many columns is taken for the layer that gives the labels."""

_INTEGER_PRODUCTS: Final = frozenset(
    {"MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul", "DynamicQuantizeMatMul", "MatMulNBits"}
)
_FACTORS: Final = frozenset({"alpha", "beta"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The new model, and how many products and tables were changed."""

    model: bytes
    products: int
    tables: int


class _Rewriter:
    """Builds the new list of nodes; constants that are no longer used are dropped at the end."""

    def __init__(self, graph: onnx.GraphProto, opset: int) -> None:
        self._graph = graph
        self._opset = opset
        self._constants = {constant.name: constant for constant in graph.initializer}
        self._nodes: list[onnx.NodeProto] = []
        self._made: dict[str, onnx.TensorProto] = {}
        self._matrices: dict[tuple[str, bool], tuple[str, str]] = {}
        self.products = self.tables = 0

    def run(self) -> None:
        """Rewrite the graph in place."""
        for node in self._graph.node:
            if not (self._product(node) or self._table(node)):
                self._nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [constant for constant in self._graph.initializer if constant.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend([*kept, *self._made.values()])

    def _value(self, name: str) -> NDArray[Any] | None:
        constant = self._constants.get(name)
        if constant is None or constant.data_type != TensorProto.FLOAT or len(constant.dims) != 2:
            return None
        return None if np.prod(constant.dims) < SMALL else numpy_helper.to_array(constant)

    def _product(self, node: onnx.NodeProto) -> bool:
        plain = node.op_type == "MatMul"
        gemm = node.op_type == "Gemm" and _plain_gemm(node)
        if not (plain or gemm) or node.domain not in ("", "ai.onnx") or len(node.input) < 2:
            return False
        weights = self._value(node.input[1])
        if weights is None:
            return False
        turned = gemm and any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        if turned:
            weights = weights.T
        if weights.shape[1] <= LAST:
            return False
        numbers, scale = self._matrix(node.input[1], weights, turned=turned)
        bias = node.input[2] if gemm and len(node.input) > 2 and node.input[2] else ""
        self._emit(node, numbers, scale, bias)
        self.products += 1
        return True

    def _matrix(self, name: str, weights: NDArray[Any], *, turned: bool) -> tuple[str, str]:
        key = name, turned
        if key not in self._matrices:
            numbers, scale = quantized(weights.astype(np.float32))
            self._matrices[key] = self._constant(numbers), self._constant(scale)
        return self._matrices[key]

    def _emit(self, node: onnx.NodeProto, numbers: str, scale: str, bias: str) -> None:
        value = node.input[0]
        size = self._one("Abs", value)
        if self._opset >= 18:
            top = self._one("ReduceMax", size, self._constant(np.array([-1])), keepdims=1)
        else:
            top = self._one("ReduceMax", size, axes=[-1], keepdims=1)
        # A row of zeros must not be divided by zero.
        top = self._one("Max", top, self._constant(np.array(1e-12, np.float32)))
        factor = self._one("Mul", top, self._constant(np.array(1 / 127, np.float32)))
        middle = self._constant(np.array(128, np.uint8))
        rounded = self._one(
            "QuantizeLinear", self._one("Div", value, factor), self._constant(np.array(1, np.float32)), middle
        )
        whole = self._one("MatMulInteger", rounded, numbers, middle)
        real = self._one("Mul", self._one("Cast", whole, to=TensorProto.FLOAT), factor)
        if bias:
            self._put("Add", [self._one("Mul", real, scale), bias], node.output[0])
        else:
            self._put("Mul", [real, scale], node.output[0])

    def _table(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "Gather" or any(
            attribute.name == "axis" and attribute.i for attribute in node.attribute
        ):
            return False
        table = self._value(node.input[0])
        if table is None or len(table) < 2048:  # positions and token types stay
            return False
        numbers, scale = quantized(np.ascontiguousarray(table.T.astype(np.float32)), levels=128)
        rows = self._one("Gather", self._constant(np.ascontiguousarray(numbers.T)), node.input[1])
        factors = self._one("Gather", self._constant(scale[:, None]), node.input[1])
        self._put("Mul", [self._one("Cast", rows, to=TensorProto.FLOAT), factors], node.output[0])
        self.tables += 1
        return True

    def _constant(self, value: NDArray[Any]) -> str:
        key = (
            f"eight_bit_{value.dtype}_{value.tolist()}" if value.size == 1 else f"eight_bit_{len(self._made)}"
        )
        if key not in self._made:
            self._made[key] = numpy_helper.from_array(np.ascontiguousarray(value), key)
        return key

    def _one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"eight_bit_value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _put(self, kind: str, inputs: list[str], output: str) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output]))


def eight_bit(data: bytes) -> Rewritten:
    """Rewrite a float32 model.

    Args:
        data: The bytes of `model.onnx`, already checked (`ModelFolder`).

    Raises:
        ModelError: There is nothing to rewrite, or the graph is too old for these operators.
    """
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own error class is no part of its interface
        raise ModelError(f"model.onnx cannot be read: {error}") from error
    opset = max((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), default=1)
    if opset < 11:
        raise ModelError(
            f"model.onnx is of operator set {opset}, and 8-bit products need 11",
            hint="export it with --opset 17",
        )
    rewriter = _Rewriter(model.graph, opset)
    rewriter.run()
    if not rewriter.products:
        if any(node.op_type in _INTEGER_PRODUCTS for node in model.graph.node):
            raise ModelError(
                "the weights of model.onnx have 8 bits or fewer already",
                hint="serve it as it is, or quantise the float32 model that it was made from",
            )
        raise ModelError(
            f"model.onnx has no float32 matrix of {SMALL:,} weights or more that could become 8-bit",
            hint="quantise the float32 export; a model so small would gain nothing",
        )
    del model.graph.value_info[:]
    return Rewritten(model=model.SerializeToString(), products=rewriter.products, tables=rewriter.tables)


def _plain_gemm(node: onnx.NodeProto) -> bool:
    return not any(
        (attribute.name in _FACTORS and attribute.f != 1.0) or (attribute.name == "transA" and attribute.i)
        for attribute in node.attribute
    )
