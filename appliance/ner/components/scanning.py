"""The matches of one expression in one text, with a bound on the bytes that are read for them.

A search of RE2 may read to the end of the text before it knows where its match ends, and so may the next. So
the text is searched window by window: a match begins in the first half of its window and is no longer than
that. RE2 looks at what lies before and behind a window for `^`, `$` and `\\b`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_MATCHES: Final = 1_000
"""Matches of one expression in one text."""
MAX_MATCH: Final = 500
"""Bytes of UTF-8 of one match."""
MAX_AGAIN: Final = 100_000_000, 8_000
"""Work of reading bytes again, of all expressions in one text: at least, and for each byte of it."""


@dataclass(slots=True)
class Again:
    """How much may still be read again in a text: bytes times the steps of the expression that reads them.

    Behind each match the search begins anew, and may read all of its window once more. A thousand matches
    of an expression of many steps would take seconds in a text that the network reads in a moment.

    Attributes:
        left: Work.
    """

    left: int

    @classmethod
    def of(cls, size: int) -> "Again":
        """Return what a text of so many bytes is allowed."""
        least, more = MAX_AGAIN
        return cls(least + more * size)


@dataclass(slots=True)
class Scan:
    """What one expression finds in one text.

    Attributes:
        pattern: An expression of RE2.
        data: The text in UTF-8.
        steps: Of the expression.
        again: What the expressions of the text together may read again; None for what is one's own.
        cut: Whether matches were left out, by number, length or work; known when all have been read.
    """

    pattern: Any
    data: bytes
    steps: int = 1
    again: Again | None = None
    cut: bool = False

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the spans of matches that are not empty, in bytes, in order."""
        number = base = 0
        again = self.again or Again.of(len(self.data))
        while base < len(self.data):
            window = base + MAX_MATCH
            following = window
            for match in self.pattern.finditer(self.data, base, window + MAX_MATCH):
                start, end = match.span()
                if start >= window:
                    break
                following = max(following, end)
                again.left -= self.steps * (min(window + MAX_MATCH, len(self.data)) - end)
                if number == MAX_MATCHES or again.left < 0:
                    self.cut = True
                    return
                number += 1  # empty and long ones too: finding them took as much
                if end - start > MAX_MATCH:
                    self.cut = True
                elif start < end:
                    yield start, end
            base = self._whole(following)

    def _whole(self, index: int) -> int:
        """Return the first place from `index` on at which a character begins."""
        while index < len(self.data) and self.data[index] & 0xC0 == 0x80:
            index += 1
        return index


def character_spans(data: bytes, spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Turn spans of bytes, in order, into spans of code points."""
    seen = count = 0
    for start, end in spans:
        first = count + _characters(data[seen:start])
        count = first + _characters(data[start:end])
        seen = end
        yield first, count


def _characters(data: bytes) -> int:
    return len(data) - sum(byte & 0xC0 == 0x80 for byte in data) if not data.isascii() else len(data)
