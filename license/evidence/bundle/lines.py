"""The lines of an export that are not entries: gaps, hashes that do not fit, and signed heads."""

import re
from collections.abc import Iterable
from typing import Final

from license.encoding.fields import Fields
from license.encoding.strict import clean_text, decode_base64, encode_base64, parse_json, parse_time
from license.errors import Malformed
from license.evidence.log.source import Gap

MAX_LINES_BYTES: Final = 64 * 1024 * 1024
_HEAD_LINE: Final = re.compile(
    r"(?:checkpoint of ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z): )?(offline-appliance/[^\n]*)"
)


def render_gap(gap: Gap) -> str:
    """Return the line of a gap."""
    hashes = ",".join(f'"{encode_base64(value)}"' for value in gap.hashes)
    return f'{{"gap":{gap.first},"count":{gap.count},"h":[{hashes}]}}'


def parse_gap(text: str) -> Gap:
    """Read the line of a gap; raises `Malformed` if it is none."""
    top = Fields(parse_json(text))
    hashes = tuple(decode_base64(value) for value in top.texts("h"))
    first, count = top.number("gap"), top.number("count")
    if first < 0 or count < 1 or not hashes or any(len(value) != 32 for value in hashes):
        raise Malformed("a gap has a first entry, a count and hashes of 32 bytes")
    return Gap(first=first, count=count, hashes=hashes)


def render_leaf(n: int, leaf: bytes) -> str:
    """Return the line that tells the stored hash of the next entry, where it is not that of its text."""
    return f'{{"leaf":{n},"h":"{encode_base64(leaf)}"}}'


def parse_leaf(text: str) -> bytes:
    """Read that line; raises `Malformed` if it is none."""
    leaf = Fields(parse_json(text)).base64("h")
    if len(leaf) != 32:
        raise Malformed("a leaf hash has 32 bytes")
    return leaf


def render_head_lines(notes: Iterable[bytes]) -> bytes:
    """Return signed heads one a line, in the form in which the service writes them to its journal."""
    return b"".join(note.rstrip(b"\n").replace(b"\n", b" | ") + b"\n" for note in notes)


def parse_head_lines(data: bytes) -> list[bytes]:
    """Read such lines; whatever stands before `offline-appliance/` in a line, as in a journal, is dropped."""
    return list(parse_journal(data))


def parse_journal(data: bytes) -> dict[bytes, int | None]:
    """Read such lines, each with the effective time that the service wrote before it, in Unix seconds.

    Whatever else stands before `offline-appliance/` in a line is dropped. Lines of older software have no
    time.
    """
    text = clean_text(data, max_bytes=MAX_LINES_BYTES)
    # One line at a time, and each once: a list of all lines can take many times the memory of the text.
    found: dict[str, int | None] = {}
    for match in _HEAD_LINE.finditer(text):
        if " |  | " in match[2]:
            found.setdefault(match[2].rstrip(), None if match[1] is None else _time(match[1]))
    return {line.replace(" | ", "\n").encode("utf-8") + b"\n": at for line, at in found.items()}


def _time(text: str) -> int | None:
    try:
        return parse_time(text)
    except Malformed:
        return None


def index_of(text: str, expected: int) -> int:
    """The index that an entry's text says, for the place it is taken at; the expected one if it says none."""
    match = re.match(r'\{"k":"[a-z]+","n":(0|[1-9][0-9]{0,17}),', text)
    index = int(match[1]) if match else expected
    return max(index, expected)
