"""What an ONNX file asks for, read from its bytes before onnxruntime sees them, without the `onnx` package.

An ONNX file is one protobuf message. Walking its wire format needs a screenful of code and answers what a
careful host asks first: does it point at other files (external data), does it want operators from somebody's
shared library (custom domains), which operators does it use; and what kind of model it is: its inputs,
outputs and metadata. Weights are stepped over, never read.

Shapes, types and sense of the graph are left to onnxruntime. Field numbers: onnx.proto3 of ONNX 1.x.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
"""Operator domains that onnxruntime implements itself; anything else needs a library of machine code."""

BATCH_SCALED = frozenset(
    {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulInteger", "DynamicQuantizeLSTM"}
)
"""Operators that choose one scale for the whole batch, so that rows sharing a batch disturb one another."""

_MAX_DEPTH = 16  # graphs inside graphs (If, Loop, Scan); real exports stay below four

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class MalformedGraphError(ValueError):
    """The bytes are not a protobuf message of the expected kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """What was found in an ONNX file.

    Attributes:
        external_data: Whether weights lie in other files.
        domains: Operator domains.
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
    def batch_scaled(self) -> bool:
        """Whether a row's result depends on the rows that share its batch."""
        return bool(self.operators & BATCH_SCALED)

    @property
    def unknown_domains(self) -> tuple[str, ...]:
        """Operator domains that onnxruntime does not implement itself, sorted."""
        return tuple(sorted(self.domains - KNOWN_DOMAINS))


def read_graph(data: bytes | memoryview) -> GraphFacts:
    """Walk an ONNX model and return its facts.

    Raises:
        MalformedGraphError: The bytes are no ONNX model.
    """
    walk = _Walk()
    graphs = 0
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    for number, value in _fields(memoryview(data)):
        if number == 7:
            graphs += 1
            walk.graph(_message(value), 0)
            inputs, outputs = _ends(_message(value))
        elif number == 8:
            walk.domains.update(_text(v) for f, v in _fields(_message(value)) if f == 1)
        elif number == 14:
            pair = {f: _text(v) for f, v in _fields(_message(value)) if f in (1, 2)}
            metadata[pair.get(1, "")] = pair.get(2, "")
        elif number == 25:
            walk.function(_message(value))
    if graphs != 1 or not walk.operators:
        raise MalformedGraphError("no graph inside")
    return GraphFacts(
        external_data=walk.external_data,
        domains=frozenset(walk.domains),
        operators=frozenset(walk.operators),
        inputs=inputs,
        outputs=outputs,
        metadata=metadata,
    )


def _ends(graph: memoryview) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of a graph's inputs and outputs; older files list weights among the inputs."""
    named: dict[int, list[str]] = {11: [], 12: []}
    weights: set[str] = set()
    for number, value in _fields(graph):
        if number in named:
            named[number] += [_text(v) for f, v in _fields(_message(value)) if f == 1]
        elif number == 5:
            weights.update(_text(v) for f, v in _fields(_message(value)) if f == 8)
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
        for field, value in _fields(message):
            if field == 1:
                self.node(_message(value), depth)
            elif field == 5:
                self.tensor(_message(value))
            elif field == 15:
                self.sparse(_message(value))

    def function(self, message: memoryview) -> None:
        for field, value in _fields(message):
            if field == 7:
                self.node(_message(value), 0)
            elif field == 9:
                self.domains.update(_text(v) for f, v in _fields(_message(value)) if f == 1)
            elif field == 11:
                self.attribute(_message(value), 0)

    def node(self, message: memoryview, depth: int) -> None:
        for field, value in _fields(message):
            if field == 4:
                self.operators.add(_text(value))
            elif field == 7:
                self.domains.add(_text(value))
            elif field == 5:
                self.attribute(_message(value), depth)

    def attribute(self, message: memoryview, depth: int) -> None:
        for field, value in _fields(message):
            if field in (5, 10):
                self.tensor(_message(value))
            elif field in (6, 11):
                self.graph(_message(value), depth + 1)
            elif field in (22, 23):
                self.sparse(_message(value))

    def tensor(self, message: memoryview) -> None:
        for field, value in _fields(message):
            if field == 13 or (field == 14 and value != 0):
                self.external_data = True

    def sparse(self, message: memoryview) -> None:
        for field, value in _fields(message):
            if field in (1, 2):
                self.tensor(_message(value))


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of one message: an integer for a varint, a view for everything else."""
    at, size = 0, len(message)
    while at < size:
        key, at = _varint(message, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield field, number
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise MalformedGraphError("unknown wire type")
        if at + length > size:
            raise MalformedGraphError("a field runs past the end")
        yield field, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise MalformedGraphError("a number is cut short")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise MalformedGraphError("a number stands where a message belongs")
    return value


def _text(value: int | memoryview) -> str:
    try:
        return str(_message(value), "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedGraphError("a name is not UTF-8") from error
