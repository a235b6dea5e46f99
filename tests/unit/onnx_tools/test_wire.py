import pytest

from appliance.onnx_tools.wire import BYTES, FIXED32, VARINT, MalformedGraphError, Shape, fields, text

SHAPE = Shape("Thing", one={1: VARINT, 2: BYTES, 3: FIXED32, 200: BYTES}, many={5: VARINT})


def read(data: bytes) -> list[tuple[int, int | bytes]]:
    return [
        (number, value if isinstance(value, int) else bytes(value))
        for number, value in fields(memoryview(data), SHAPE)
    ]


def test_fields_are_read_in_order() -> None:
    data = b"\x08\x96\x01\x12\x02hi\x1d\x00\x00\x80\x3f\xc2\x0c\x01x\x28\x01\x28\x00\x2a\x02\x01\x02"
    assert read(data) == [
        (1, 150),
        (2, b"hi"),
        (3, b"\x00\x00\x80?"),
        (200, b"x"),
        (5, 1),
        (5, 0),
        (5, b"\x01\x02"),
    ]


def test_the_largest_number_is_read() -> None:
    assert read(b"\x08" + b"\xff" * 9 + b"\x01") == [(1, 2**64 - 1)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x88\x00\x01", "more bytes than it needs"),  # an overlong tag
        (b"\x08\x81\x00", "more bytes than it needs"),  # an overlong number
        (b"\x12\x81\x00x", "more bytes than it needs"),  # an overlong length
        (b"\x08" + b"\xff" * 9 + b"\x02", "more bytes than it needs"),  # 65 bits
        (b"\xea\x80\x80\x80\x80\x01\x00", "too long"),  # field 13 with bits above the 32 of a tag
        (b"\x92\x80\x80\x80\x10\x01x", "does not know"),  # field 2 with the one bit that a tag has left
        (b"\x08" + b"\x80" * 10 + b"\x01", "too long"),
        (b"\x08\x80", "cut short"),
        (b"\x12\x05abc", "past the end"),
        (b"\x1d\x00\x00", "past the end"),
        (b"\x00\x01", "does not know"),  # field 0
        (b"\x30\x01", "does not know"),
        (b"\x0b\x0c", "wire type 3"),  # a group
        (b"\x0f", "wire type 7"),
        (b"\x0d\x00\x00\x00\x00", "wire type 5"),
        (b"\x29" + b"\x00" * 8, "wire type 1"),
        (b"\x08\x01\x08\x02", "appears twice"),
    ],
)
def test_every_other_spelling_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedGraphError, match=reason):
        read(data)


def test_a_text_is_utf_8() -> None:
    assert text(memoryview("é".encode())) == "é"
    with pytest.raises(MalformedGraphError, match="UTF-8"):
        text(memoryview(b"\xff"))
    with pytest.raises(MalformedGraphError, match="number"):
        text(1)
