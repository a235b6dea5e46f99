"""Reading protobuf messages strictly: one spelling for each message, and no field that a table does not name.

The parser inside onnxruntime is lenient. It takes numbers in more bytes than they need, cuts a tag to 32
bits, merges a field that stands twice, and steps over what it does not know. Each of these lets a file say
one thing to a careful reader and another to that parser, so each is refused here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_MAX_TAG_BYTES: Final = 5
_MAX_VARINT_BYTES: Final = 10
_MAX_VARINT: Final = 2**64 - 1


class MalformedGraphError(ValueError):
    """The bytes are not a protobuf message of the expected kind, spelt in the one accepted way."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one kind of message.

    Attributes:
        name: What the message is called, for messages of errors.
        one: Wire type of each field that may stand once.
        many: Wire type of each field that may be repeated; numbers may also stand packed, as bytes.
    """

    name: str
    one: Mapping[int, int] = field(default_factory=dict)
    many: Mapping[int, int] = field(default_factory=dict)


def fields(message: memoryview, shape: Shape) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of one message: an integer for a varint, a view for everything else.

    Raises:
        MalformedGraphError: The message has another spelling than the canonical one, or a field that
            `shape` does not name.
    """
    at, size = 0, len(message)
    seen: set[int] = set()
    while at < size:
        number, kind, at = _tag(message, at)
        _admit(number, kind, shape, seen)
        if kind == VARINT:
            value, at = _varint(message, at, _MAX_VARINT_BYTES)
            yield number, value
            continue
        length = 4 if kind == FIXED32 else 8
        if kind == BYTES:
            length, at = _varint(message, at, _MAX_TAG_BYTES)
        if at + length > size:
            raise MalformedGraphError("a field runs past the end")
        yield number, message[at : at + length]
        at += length


def _tag(message: memoryview, at: int) -> tuple[int, int, int]:
    first = message[at]
    if first < 0x80:  # nearly every field of ONNX
        return first >> 3, first & 7, at + 1
    key, at = _varint(message, at, _MAX_TAG_BYTES)
    return key >> 3, key & 7, at


def _admit(number: int, kind: int, shape: Shape, seen: set[int]) -> None:
    """Refuse a field that the table does not name, in another wire type, or a second time."""
    if number in shape.many:
        wanted = shape.many[number]
        if kind not in (wanted, BYTES):
            raise MalformedGraphError(f"field {number} of {shape.name} is of wire type {kind}, not {wanted}")
        return
    if number not in shape.one:
        raise MalformedGraphError(f"{shape.name} has a field {number} that this version does not know")
    if kind != shape.one[number]:
        raise MalformedGraphError(
            f"field {number} of {shape.name} is of wire type {kind}, not {shape.one[number]}"
        )
    if number in seen:
        raise MalformedGraphError(f"field {number} of {shape.name} appears twice")
    seen.add(number)


def _varint(message: memoryview, at: int, most: int) -> tuple[int, int]:
    number = 0
    for shift, byte in enumerate(message[at : at + most]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte >= 0x80:
            continue
        if (byte == 0 and shift) or number > _MAX_VARINT:
            raise MalformedGraphError("a number is written in more bytes than it needs")
        return number, at + shift + 1
    raise MalformedGraphError("a number is cut short or too long")


def sub_message(value: int | memoryview) -> memoryview:
    """The bytes of a field that holds a message.

    Raises:
        MalformedGraphError: It holds a number.
    """
    if isinstance(value, int):
        raise MalformedGraphError("a number where a message is expected")
    return value


def text(value: int | memoryview) -> str:
    """The text of a field.

    Raises:
        MalformedGraphError: It holds a number, or is not UTF-8.
    """
    try:
        return str(sub_message(value), "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedGraphError("a name is not UTF-8") from error
