"""Synonyms in texts: exact, whole words, the longest at each place, of all categories in one walk."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import regex

_PIECES: Final = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
    r"|[[\p{L}\p{M}\p{N}_]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]+"
    r"|(?P<space>\s+)"
    r"|.",
    regex.VERSION1 | regex.DOTALL,
)
"""A word, a letter of a script without spaces between words, white space, or a sign: what is never cut."""
_ENDS: Final = ""  # no piece is empty

Span = tuple[int, int]


class Term(NamedTuple):
    """A synonym of a category, and the language that it is of; the empty string where it is of any."""

    category: str
    language: str
    value: str


class ListMatcher:
    """Finds the synonyms of categories.

    Args:
        terms: Of all categories. White space of any kind and length is the same as any other.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self._root: dict[str, Any] = {}
        for term in terms:
            node = self._root
            for text, _, _ in _pieces(term.value.strip()):
                node = node.setdefault(text, {})
            node.setdefault(_ENDS, set()).add((term.category, term.language))

    def spans(self, text: str, languages: Collection[str]) -> dict[str, list[Span]]:
        """Return the spans of each category that has any, in order; those of one category do not overlap.

        Args:
            text: The text.
            languages: Those whose terms are looked for.
        """
        if not self._root:
            return {}
        found: dict[str, list[Span]] = {}
        pieces = _pieces(text)
        for number, (first, start, _) in enumerate(pieces):
            if first not in self._root:
                continue
            for category, end in self._longest(pieces, number, languages).items():
                own = found.setdefault(category, [])
                if not own or own[-1][1] <= start:
                    own.append((start, end))
        return found

    def _longest(
        self, pieces: Sequence[tuple[str, int, int]], number: int, languages: Collection[str]
    ) -> dict[str, int]:
        """Return the end of the longest synonym of each category that begins with a piece."""
        ends: dict[str, int] = {}
        node = self._root
        while number < len(pieces):
            text, _, end = pieces[number]
            if text not in node:
                break
            node = node[text]
            ends.update((category, end) for category, tag in node.get(_ENDS, ()) if tag in languages)
            number += 1
        return ends


def _pieces(text: str) -> list[tuple[str, int, int]]:
    return [
        (" " if match["space"] else match[0], match.start(), match.end()) for match in _PIECES.finditer(text)
    ]
