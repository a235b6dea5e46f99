"""What an ONNX file asks for, read from its bytes before onnxruntime sees them, without the `onnx` package.

An ONNX file is one protobuf message. Walking its wire format needs a screenful of code and answers what a
careful host asks first: does it point at other files (external data), does it want operators from somebody's
shared library (custom domains), which operators does it use; and what kind of model it is: its inputs,
outputs and metadata. Weights are stepped over, never read.

Shapes, types and sense of the graph are left to onnxruntime. Field numbers: onnx.proto3 of ONNX 1.x.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.onnx_tools import shapes
from appliance.onnx_tools.wire import MalformedGraphError, Shape, fields, sub_message, text

KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
"""Operator domains that onnxruntime implements itself; anything else needs a library of machine code."""

BATCH_SCALED = frozenset(
    {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulInteger", "DynamicQuantizeLSTM"}
)
"""Operators that choose one scale for the whole batch, so that rows sharing a batch disturb one another."""

EIGHT_BIT = BATCH_SCALED | frozenset(
    {"DequantizeLinear", "MatMulIntegerToFloat", "QAttention", "QGemm", "QLinearConv", "QLinearMatMul"}
)
"""Operators that multiply weights of 8 bits, or widen them first."""

PADDING_READ = frozenset({"Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "MaxPool", "AveragePool"})
"""Operators that look at neighbours, so that the padding of a shorter row comes into its last words."""

_MAX_DEPTH = 16  # graphs inside graphs (If, Loop, Scan); real exports stay below four

_ATTRIBUTE_TYPES = range(15)

__all__ = ["GraphFacts", "MalformedGraphError", "read_graph"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """What was found in an ONNX file.

    Attributes:
        external_data: Whether weights lie in other files.
        domains: Domains of the operators that nodes use.
        operators: Names of operators.
        inputs: Names of what the caller must give, in order.
        outputs: Names of what can be asked for, in order.
        metadata: Texts that the exporter left in the file.
    """

    external_data: bool
    domains: frozenset[str]
    operators: frozenset[str]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)

    @property
    def mixes_rows(self) -> bool:
        """Whether a row's result may depend on the rows that share its batch."""
        return bool(self.operators & BATCH_SCALED) or self.reads_padding

    @property
    def eight_bit(self) -> bool:
        """Whether it multiplies 8-bit weights."""
        return bool(self.operators & EIGHT_BIT)

    @property
    def reads_padding(self) -> bool:
        """Whether the padding of a shorter row may come into its words."""
        return bool(self.operators & PADDING_READ)

    @property
    def unknown_domains(self) -> tuple[str, ...]:
        """Operator domains that onnxruntime does not implement itself, sorted."""
        return tuple(sorted(self.domains - KNOWN_DOMAINS))


def read_graph(data: bytes | memoryview) -> GraphFacts:
    """Walk an ONNX model and return its facts.

    Raises:
        MalformedGraphError: The bytes are no ONNX model, or not spelt in the one accepted way.
    """
    walk = _Walk()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    for number, value in fields(memoryview(data), shapes.MODEL):
        if number == 7:
            walk.graph(sub_message(value), 0)
            inputs, outputs = _ends(sub_message(value))
        elif number == 8:
            walk.operator_set(sub_message(value))
        elif number == 14:
            key, text_value = _pair(sub_message(value))
            if key in metadata:
                raise MalformedGraphError("a name of the metadata appears twice")
            metadata[key] = text_value
        elif number == 20:
            walk.training(sub_message(value))
        elif number == 25:
            walk.function(sub_message(value))
    if not walk.operators:
        raise MalformedGraphError("no graph inside")
    return GraphFacts(
        external_data=walk.external_data,
        domains=frozenset(walk.domains),
        operators=frozenset(walk.operators),
        inputs=inputs,
        outputs=outputs,
        metadata=metadata,
    )


def _pair(message: memoryview) -> tuple[str, str]:
    found = {number: text(value) for number, value in fields(message, shapes.PAIR)}
    return found.get(1, ""), found.get(2, "")


def _name(message: memoryview, shape: Shape, field: int) -> str:
    """The name in a message; empty where it has none, as for every reader of ONNX."""
    # To the last field, so that a second name is refused and not passed over.
    names = [text(value) for number, value in fields(message, shape) if number == field]
    return names[0] if names else ""


def _ends(graph: memoryview) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of a graph's inputs and outputs; older files list weights among the inputs."""
    named: dict[int, list[str]] = {11: [], 12: []}
    weights: set[str] = set()
    for number, value in fields(graph, shapes.GRAPH):
        if number in named:
            named[number].append(_name(sub_message(value), shapes.VALUE_INFO, 1))
        elif number == 5:
            weights.add(_name(sub_message(value), shapes.TENSOR, 8))
    return tuple(name for name in named[11] if name not in weights), tuple(named[12])


class _Walk:
    """Collects facts while descending through graphs, nodes, attributes and tensors."""

    def __init__(self) -> None:
        self.external_data = False
        self.domains: set[str] = set()
        self.operators: set[str] = set()

    def graph(self, message: memoryview, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise MalformedGraphError("graphs are nested too deeply")
        for number, value in fields(message, shapes.GRAPH):
            if number == 1:
                self.node(sub_message(value), depth)
            elif number == 5:
                self.tensor(sub_message(value))
            elif number == 15:
                self.sparse(sub_message(value))

    def training(self, message: memoryview) -> None:
        for number, value in fields(message, shapes.TRAINING):
            if number in (1, 2):
                self.graph(sub_message(value), 0)

    @staticmethod
    def operator_set(message: memoryview) -> None:
        """Read past a declared domain: what matters is which one a node uses; optimisers declare them all."""
        for number, value in fields(message, shapes.OPERATOR_SET):
            if number == 1:
                text(value)

    def function(self, message: memoryview) -> None:
        for number, value in fields(message, shapes.FUNCTION):
            if number == 7:
                self.node(sub_message(value), 0)
            elif number == 9:
                self.operator_set(sub_message(value))
            elif number == 11:
                self.attribute(sub_message(value), 0)

    def node(self, message: memoryview, depth: int) -> None:
        for number, value in fields(message, shapes.NODE):
            if number == 4:
                self.operators.add(text(value))
            elif number == 7:
                self.domains.add(text(value))
            elif number == 5:
                self.attribute(sub_message(value), depth)

    def attribute(self, message: memoryview, depth: int) -> None:
        for number, value in fields(message, shapes.ATTRIBUTE):
            if number == 20 and value not in _ATTRIBUTE_TYPES:
                raise MalformedGraphError("an attribute has a type that this version does not know")
            if number in (5, 10):
                self.tensor(sub_message(value))
            elif number in (6, 11):
                self.graph(sub_message(value), depth + 1)
            elif number in (22, 23):
                self.sparse(sub_message(value))

    def tensor(self, message: memoryview) -> None:
        for number, value in fields(message, shapes.TENSOR):
            if number == 14 and value not in (0, 1):
                raise MalformedGraphError("a tensor lies in a place that this version does not know")
            if number == 13 or (number == 14 and value == 1):
                self.external_data = True

    def sparse(self, message: memoryview) -> None:
        for number, value in fields(message, shapes.SPARSE_TENSOR):
            if number in (1, 2):
                self.tensor(sub_message(value))
