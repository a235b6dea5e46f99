"""The parts of a multipart/form-data body as it arrives: in memory, once; nothing is written to a disk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from appliance.api.errors import Problem, invalid_body

MAX_PARTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its name, the file name or the empty string, and its content."""

    name: str
    filename: str
    content: bytearray


class _Collector:
    """Collects parts as the parser reports them."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._content = bytearray()

    def begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise invalid_body(f"There are more than {MAX_PARTS} parts.")
        self._disposition = b""
        self._content = bytearray()

    def header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def end(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self.parts.append(Part(name=name, filename=filename, content=self._content))
        self._content = bytearray()


async def read_parts(content_type: str, body: AsyncIterator[bytes]) -> dict[str, Part]:
    """Read the parts of a body, by name; of several with one name, the first.

    Args:
        content_type: Value of the header.
        body: The body in pieces of any size.

    Raises:
        Problem: 415 for another media type, 400 for a body that is not of this one; what `body` raises.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem(
            415, "UnsupportedMediaType", "Send multipart/form-data with the parts audio and definition."
        )
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.begin,
                "on_header_field": collector.header,
                "on_header_value": collector.value,
                "on_header_end": collector.header_end,
                "on_part_data": collector.data,
                "on_part_end": collector.end,
            },
        )
        begun = False
        async for chunk in body:
            # Before the first boundary the library looks for one in each piece by itself: whether a body is
            # refused would depend on how it is cut.
            piece = chunk if begun else chunk.lstrip(b"\r\n")
            begun = begun or bool(piece)
            parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise invalid_body("The multipart body cannot be read.") from error
    parts: dict[str, Part] = {}
    for part in collector.parts:
        parts.setdefault(part.name, part)
    return parts
