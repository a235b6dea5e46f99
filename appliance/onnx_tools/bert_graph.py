"""The network as an ONNX graph, written node by node: float32, or with 8-bit weights.

A hand-written graph is plain (no exporter's leftovers), has the hidden layers among its outputs, and says
itself how activations are scaled. Every operator is of the standard set; onnxruntime fuses them at load.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]

OPSET = 20
IR_VERSION = 9
MASKED = -1e4
HIDDEN = (2, 4, 6)
"""Layers that custom models build on."""
BLOCK = 32
"""Numbers of a table of words in 4 bits that share a scale."""
HALF_RANGE = 64
"""Weights use 7 of their 8 bits. Two products of an unsigned and a signed byte then never overflow 16 bits,
so processors without dot-product instructions give the very numbers that processors with them give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of the encoder that a graph needs and weights do not tell."""

    layers: int
    heads: int
    epsilon: float


class Graph:
    """Nodes and constants of a graph under construction; names are numbered behind `prefix`."""

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def constant(self, value: Array) -> str:
        """Add a constant and return its name."""
        name = f"{self._prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        names = (
            [name] if name else [f"{self._prefix}n{len(self.nodes)}_{number}" for number in range(outputs)]
        )
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node of one output and return that output's name."""
        return self.add(kind, *inputs, name=name, **attributes)[0]


def quantized(weights: Array, levels: int = HALF_RANGE) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return [in, out] weights as signed bytes and one scale per column, that of the least squared error."""
    top = np.abs(weights).max(axis=0)
    best_scale = np.maximum(top, 1e-12) / (levels - 1)
    best_error = np.full(top.shape, np.inf)
    for share in np.linspace(0.7, 1.0, 13):
        scale = np.maximum(top, 1e-12) * share / (levels - 1)
        error = ((np.clip(np.round(weights / scale), -levels, levels - 1) * scale - weights) ** 2).sum(axis=0)
        best_scale = np.where(error < best_error, scale, best_scale)
        best_error = np.minimum(error, best_error)
    numbers = np.clip(np.round(weights / best_scale), -levels, levels - 1).astype(np.int8)
    return numbers, best_scale.astype(np.float32)


def quantized_rows(table: Array) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Return a table [rows, width] in 4 bits, as blocks of 32 numbers of a row, in the manner of GGML's q4_0.

    The number of largest magnitude of a block becomes -8 or 8, so a table that was made in this way comes out
    as it was.

    Returns:
        Bytes [rows, width / 32, 16]: byte j has number j in its low half and number j + 16 in its high half,
        both with 8 added. Scales [rows, width / 32, 1].
    """
    blocks = table.reshape(len(table), -1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1, keepdims=True), -1)
    scales = (largest / -8).astype(np.float16)
    factors = np.where(scales == 0, 1, scales.astype(np.float32))
    numbers = (np.clip(np.round(blocks / factors), -8, 7) + 8).astype(np.uint8)
    half = BLOCK // 2
    packed: NDArray[np.uint8] = numbers[..., :half] | numbers[..., half:] << np.uint8(4)
    return packed, scales


def unpacked_rows(bytes_: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the table [rows, width] that `quantized_rows` packed."""
    numbers = np.concatenate([bytes_ & 15, bytes_ >> 4], axis=-1).astype(np.float32) - 8
    table: NDArray[np.float32] = (numbers * scales.astype(np.float32)).reshape(len(bytes_), -1)
    return table


def linear(graph: Graph, value: str, weights: Array, bias: Array, scaling: str) -> str:
    """Add value [.., in] x weights [in, out] + bias.

    `scaling` of the value to 8 bits: one scale per `token` (then no row depends on another row of its batch),
    one per `tensor`, or none (`float`: 32-bit weights).
    """
    if scaling == "float":
        product = graph.one("MatMul", value, graph.constant(weights))
        return graph.one("Add", product, graph.constant(bias))
    numbers, scale = quantized(weights)
    if scaling == "tensor":
        bytes_, factor, zero = graph.add("DynamicQuantizeLinear", value, outputs=3)
        whole = graph.one("MatMulInteger", bytes_, graph.constant(numbers), zero)
        product = graph.one(
            "Mul",
            graph.one("Cast", whole, to=TensorProto.FLOAT),
            graph.one("Mul", factor, graph.constant(scale)),
        )
        return graph.one("Add", product, graph.constant(bias))
    top = graph.one("ReduceMax", graph.one("Abs", value), graph.constant(np.array([-1])), keepdims=1)
    factor = graph.one("Mul", top, graph.constant(np.array(1 / 127, np.float32)))
    bytes_ = graph.one(
        "QuantizeLinear",
        graph.one("Div", value, factor),
        graph.constant(np.array(1, np.float32)),
        graph.constant(np.array(128, np.uint8)),
    )
    whole = graph.one(
        "MatMulInteger", bytes_, graph.constant(numbers), graph.constant(np.array(128, np.uint8))
    )
    product = graph.one(
        "Mul", graph.one("Mul", graph.one("Cast", whole, to=TensorProto.FLOAT), factor), graph.constant(scale)
    )
    return graph.one("Add", product, graph.constant(bias))


def build(
    weights: dict[str, Array],
    shape: Shape,
    scaling: str,
    hidden: tuple[int, ...] = HIDDEN,
    *,
    served_labels: int | None = None,
    word_bits: int | None = None,
) -> onnx.ModelProto:
    """Return the model for weights named as in `NerModel`; for inputs and outputs see `docs/training.md`.

    `served_labels`: how many of the head's labels, the first ones, are outputs; the others count as O.
    None: all of them are, as they come. `word_bits`: of the table of words, 32, 8 or 4. None: 32 if
    `scaling` is `float`, 8 otherwise.
    """
    graph = Graph()
    bits = word_bits or (32 if scaling == "float" else 8)
    value, bias = _embeddings(graph, weights, shape, bits=bits)
    for number in range(shape.layers):
        layer = {
            name.partition(f"layer.{number}.")[2]: array
            for name, array in weights.items()
            if f"layer.{number}." in name
        }
        name = f"hidden_{number + 1}" if number + 1 in hidden else ""
        value = _layer(graph, value, bias, layer, shape, scaling, name)
    if served_labels is None:
        product = graph.one("MatMul", value, graph.constant(weights["head.weight"].T))
        graph.one("Add", product, graph.constant(weights["head.bias"]), name="logits")
    else:
        _head(graph, value, weights, served_labels)
    labels, width = weights["head.weight"].shape
    sizes = [
        ("logits", labels if served_labels is None else served_labels),
        *((f"hidden_{number}", width) for number in hidden),
    ]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "ner",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
                for name in ("input_ids", "attention_mask", "token_type_ids")
            ],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "tokens", size])
                for name, size in sizes
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="appliance.training",
    )
    onnx.checker.check_model(model)
    return model


def _norm(
    graph: Graph, value: str, weights: dict[str, Array], prefix: str, epsilon: float, name: str = ""
) -> str:
    scale, shift = (graph.constant(weights[f"{prefix}.{part}"]) for part in ("weight", "bias"))
    return graph.one("LayerNormalization", value, scale, shift, axis=-1, epsilon=epsilon, name=name)


def _words(graph: Graph, table: Array, bits: int) -> str:
    """Look tokens up in the table of words, which is kept in so many bits."""
    if bits == 32:
        return graph.one("Gather", graph.constant(table), "input_ids")
    if bits == 8:
        numbers, scale = quantized(table.T, levels=128)
        rows = graph.one("Gather", graph.constant(numbers.T), "input_ids")
        factors = graph.one("Gather", graph.constant(scale[:, None]), "input_ids")
        return graph.one("Mul", graph.one("Cast", rows, to=TensorProto.FLOAT), factors)
    bytes_, scales = quantized_rows(table)
    rows = graph.one("Gather", graph.constant(bytes_), "input_ids")
    low = graph.one("BitwiseAnd", rows, graph.constant(np.array(15, np.uint8)))
    high = graph.one("BitShift", rows, graph.constant(np.array(4, np.uint8)), direction="RIGHT")
    both = graph.one("Cast", graph.one("Concat", low, high, axis=-1), to=TensorProto.FLOAT)
    signed = graph.one("Sub", both, graph.constant(np.array(8, np.float32)))
    factors = graph.one("Gather", graph.constant(scales), "input_ids")
    value = graph.one("Mul", signed, graph.one("Cast", factors, to=TensorProto.FLOAT))
    return graph.one("Reshape", value, graph.constant(np.array([0, 0, table.shape[1]])))


def _embeddings(graph: Graph, weights: dict[str, Array], shape: Shape, *, bits: int) -> tuple[str, str]:
    """Return the embedded tokens, and the attention bias of padding [batch, 1, 1, tokens]."""
    prefix = "encoder.embeddings."
    value = _words(graph, weights[f"{prefix}word_embeddings.weight"], bits)
    size = graph.one("Shape", "input_ids", start=1, end=2)
    places = graph.one(
        "Slice",
        graph.constant(weights[f"{prefix}position_embeddings.weight"]),
        graph.constant(np.array([0])),
        size,
        graph.constant(np.array([0])),
    )
    classes = graph.one(
        "Gather", graph.constant(weights[f"{prefix}token_type_embeddings.weight"]), "token_type_ids"
    )
    value = graph.one("Add", graph.one("Add", value, classes), places)
    shown = graph.one("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = graph.one(
        "Mul",
        graph.one("Sub", graph.constant(np.array(1, np.float32)), shown),
        graph.constant(np.array(MASKED, np.float32)),
    )
    bias = graph.one("Unsqueeze", hidden, graph.constant(np.array([1, 2])))
    return _norm(graph, value, weights, f"{prefix}LayerNorm", shape.epsilon), bias


def _layer(
    graph: Graph, value: str, bias: str, weights: dict[str, Array], shape: Shape, scaling: str, name: str
) -> str:
    """Add one layer. The three projections are one product; the scores' factor is in the queries' weights."""
    part = "attention.self."
    width = weights[f"{part}query.weight"].shape[0]
    size = width // shape.heads
    root = np.float32(1 / np.sqrt(size))
    rows, shifts = (
        [weights[f"{part}query.{kind}"] * root, weights[f"{part}key.{kind}"], weights[f"{part}value.{kind}"]]
        for kind in ("weight", "bias")
    )
    joint = linear(graph, value, np.concatenate(rows).T, np.concatenate(shifts), scaling)
    thirds = graph.add("Split", joint, outputs=3, axis=-1, num_outputs=3)
    cut = graph.constant(np.array([0, 0, shape.heads, size]))
    query, key, content = (
        graph.one("Transpose", graph.one("Reshape", third, cut), perm=order)
        for third, order in zip(thirds, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    chances = graph.one("Softmax", graph.one("Add", graph.one("MatMul", query, key), bias), axis=-1)
    mixed = graph.one("Transpose", graph.one("MatMul", chances, content), perm=[0, 2, 1, 3])
    mixed = graph.one("Reshape", mixed, graph.constant(np.array([0, 0, width])))
    mixed = linear(
        graph,
        mixed,
        weights["attention.output.dense.weight"].T,
        weights["attention.output.dense.bias"],
        scaling,
    )
    value = _norm(graph, graph.one("Add", mixed, value), weights, "attention.output.LayerNorm", shape.epsilon)
    wide = linear(
        graph, value, weights["intermediate.dense.weight"].T, weights["intermediate.dense.bias"], scaling
    )
    wide = graph.one("Gelu", wide)
    narrow = linear(graph, wide, weights["output.dense.weight"].T, weights["output.dense.bias"], scaling)
    return _norm(graph, graph.one("Add", narrow, value), weights, "output.LayerNorm", shape.epsilon, name)


def _head(graph: Graph, value: str, weights: dict[str, Array], served: int) -> None:
    """Add `logits` over the served labels; O, the first, takes the chances of labels not served."""
    scores = linear(graph, value, weights["head.weight"].T, weights["head.bias"], "float")
    parts = graph.constant(np.array([1, served - 1, len(weights["head.weight"]) - served]))
    plain, kinds, others = graph.add("Split", scores, parts, outputs=3, axis=-1)
    joint = graph.one("Concat", plain, others, axis=-1)
    plain = graph.one("ReduceLogSumExp", joint, graph.constant(np.array([-1])), keepdims=1)
    graph.one("Concat", plain, kinds, axis=-1, name="logits")
