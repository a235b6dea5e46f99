"""Positions in the three units a caller may ask for, and the text elements that are metered.

Inside the service a position is a count of Unicode code points. A text element is an extended grapheme
cluster (UAX #29) as `\\X` of the `regex` package finds it: the official clients' expectations for emoji
sequences, flags and combining marks agree with that and not with the Unicode 8 tables the name
`TextElements_v8` suggests.

One element may go on for ever: marks upon marks. What is metered, and what an answer quotes, therefore ends
after a starter and 30 marks, as in Unicode's stream-safe text format (UAX #15, section 13). Offsets in text
elements do not: there clients count such an element as one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Final

import regex

_ELEMENT: Final = regex.compile(r"\X")
# Below U+0300 no code point joins its neighbour but LF after CR, and neither do printed dashes, quotes and
# currency signs, so most Western text needs no segmentation.
_JOINS: Final = regex.compile(r"\r\n|[^\u0000-\u02ff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf]")
LONGEST_ELEMENT: Final = 31
"""Code points of one text element as it is metered: a starter and 30 that join it."""
_ASTRAL: Final = regex.compile(r"[\U00010000-\U0010ffff]")


class StringIndexType(StrEnum):
    """Unit of `offset` and `length`, by its name in the API."""

    TEXT_ELEMENTS = "TextElements_v8"
    CODE_POINTS = "UnicodeCodePoint"
    UTF16 = "Utf16CodeUnit"

    @classmethod
    def from_name(cls, name: str) -> "StringIndexType | None":
        """Look a unit up as callers spell it: any case, and `TextElement_v8` beside the plural."""
        return _NAMES.get(name.lower())


_NAMES: Final = {member.value.lower(): member for member in StringIndexType} | {
    "textelement_v8": StringIndexType.TEXT_ELEMENTS
}


def _may_join(text: str) -> bool:
    """Whether several code points of a text may be one text element; of ASCII only CR LF is."""
    return "\r\n" in text if text.isascii() else _JOINS.search(text) is not None


class TextIndex:
    """Positions of one text, in code points, converted to the unit a caller asked for.

    Args:
        text: The document as it was sent.
        unit: The unit of the positions that `locate` returns.
    """

    __slots__ = ("_convert", "_pieces", "_starts", "text")

    def __init__(self, text: str, unit: StringIndexType) -> None:
        self.text = text
        self._starts: list[int] | None = None
        if _may_join(text):
            self._starts = [match.start() for match in _ELEMENT.finditer(text)]
        self._pieces = None if self._starts is None else _pieces(self._starts, len(text))
        self._convert = self._converter(unit)

    def locate(self, start: int, end: int) -> tuple[str, int, int]:
        """Describe the span `[start, end)` of code points.

        The span is widened to whole text elements first, so that it is the same piece of text in every unit;
        within an element of more than `LONGEST_ELEMENT` code points, to whole pieces of that many.

        Returns:
            The exact slice of the text, its offset and its length in the unit asked for.
        """
        if self._pieces is not None:
            start = self._pieces[max(0, bisect_right(self._pieces, start) - 1)]
            after = bisect_left(self._pieces, end)
            end = self._pieces[after] if after < len(self._pieces) else len(self.text)
        offset = self._convert(start)
        if self._pieces is not self._starts:  # a piece inside an element begins where that element does
            offset = min(offset, self._convert(start + 1) - 1)
        return self.text[start:end], offset, self._convert(end) - offset

    @property
    def text_elements(self) -> int:
        """Number of text elements in the text, as they are metered."""
        return len(self.text) if self._pieces is None else len(self._pieces)

    def _converter(self, unit: StringIndexType) -> Callable[[int], int]:
        if unit is StringIndexType.TEXT_ELEMENTS and self._starts is not None:
            starts = self._starts
            return lambda position: bisect_left(starts, position)
        if unit is StringIndexType.UTF16 and _ASTRAL.search(self.text):
            widths = [0, *accumulate(2 if ord(c) > 0xFFFF else 1 for c in self.text)]
            return widths.__getitem__
        return lambda position: position


def _pieces(starts: list[int], length: int) -> list[int]:
    """Where text elements begin, those that are too long in pieces; mostly the same list."""
    if length - len(starts) < LONGEST_ELEMENT:  # no element can be that long
        return starts
    ends = pairwise([*starts, length])
    return [piece for start, end in ends for piece in range(start, end, LONGEST_ELEMENT)]
