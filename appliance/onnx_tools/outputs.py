"""A graph with fewer outputs: what is computed but never read keeps onnxruntime from fusing operators."""

from collections.abc import Collection, Iterator

from appliance.onnx_tools import shapes
from appliance.onnx_tools.wire import fields, sub_message, text

_GRAPH = 7  # of ModelProto
_OUTPUT = 12  # of GraphProto
_NAME = 1  # of ValueInfoProto


def with_outputs(data: bytes, names: Collection[str]) -> bytes:
    """Return an ONNX model without the outputs that are not among `names`; as it is where all or none are.

    Args:
        data: The bytes of a model, already checked.
        names: Outputs to keep.

    Raises:
        MalformedGraphError: The bytes are no ONNX model.
    """
    model = list(fields(memoryview(data), shapes.MODEL))
    graph = next((sub_message(value) for number, value in model if number == _GRAPH), memoryview(b""))
    whole = list(fields(graph, shapes.GRAPH))
    kept = [(number, value) for number, value in whole if number != _OUTPUT or _name(value) in names]
    if len(kept) == len(whole) or not any(number == _OUTPUT for number, _ in kept):
        return data
    return b"".join(_with_graph(model, list(_encoded(kept))))


def _with_graph(
    model: Collection[tuple[int, int | memoryview]], graph: Collection[bytes | memoryview]
) -> Iterator[bytes | memoryview]:
    """The bytes of a model with another graph, in pieces: weights are copied once, when all is joined."""
    for number, value in model:
        if number == _GRAPH:
            yield _head(number, sum(len(piece) for piece in graph))
            yield from graph
        else:
            yield from _encoded([(number, value)])


def _name(output: int | memoryview) -> str:
    found = dict(fields(sub_message(output), shapes.VALUE_INFO))
    return text(found.get(_NAME, memoryview(b"")))


def _encoded(message: Collection[tuple[int, int | memoryview]]) -> Iterator[bytes | memoryview]:
    """The bytes of fields that are numbers or messages, as `fields` has read them."""
    for number, value in message:
        if isinstance(value, int):
            yield _varint(number << 3) + _varint(value)
        else:
            yield _head(number, len(value))
            yield value


def _head(number: int, length: int) -> bytes:
    """What stands before the bytes of a message."""
    return _varint(number << 3 | 2) + _varint(length)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
