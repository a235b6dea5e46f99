"""Changes to training text: other names, letter case, spacing, symbols, lists, neighbours in one window."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from recipes.ner.corpora import TYPES, Sentence, Span

PACKED_CHARACTERS = 440
"""About 100 subwords."""


_SPACED = re.compile(r" (?=[.,;:!?)\]%]|'(?:s|re|ve|d|ll|m)\b|n't\b)|(?<=[(\[$£€]) ")
"""Spaces that a corpus of tokens has and a written text has not."""

SYMBOLS = (
    "\u2764\ufe0f",
    "\U0001f1e9\U0001f1ea",
    "1\ufe0f\u20e3",
    "\u2502",
    "|",
    "\u2022",
    "\u2192",
    "\u2605",
    "#",
    "*",
)
"""What stands beside a name without a space: emoji, lines of a table, bullets."""

SEPARATORS = ("\n", "\n", "\r\n", "\t", ", ", ", ", " & ", " | ", "; ", " - ")


class Names:
    """The names of a training set by source and kind, to put in place of one another."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        found: dict[tuple[str, str], set[str]] = {}
        for item in sentences:
            for span in item.gold:
                name = item.text[span.start : span.end]
                for source in (item.source, ""):
                    found.setdefault((source, span.kind), set()).add(name)
        self._names = {key: sorted(names) for key, names in found.items()}
        self._kinds = [kind for kind in TYPES if ("", kind) in found]

    def swapped(self, item: Sentence, random: Random, *, each: float = 0.5, abroad: float = 0.2) -> Sentence:
        """Replace a share `each` of names by others of their kind, a share `abroad` of them of any source."""
        pieces: list[str] = []
        spans: list[Span] = []
        end = length = 0
        for span in item.spans:
            name = item.text[span.start : span.end]
            if span.kind in TYPES and random.random() < each:
                name = random.choice(self._names["" if random.random() < abroad else item.source, span.kind])
            pieces += [item.text[end : span.start], name]
            length += span.start - end
            spans.append(Span(length, length + len(name), span.kind))
            length += len(name)
            end = span.end
        return replace(item, text="".join([*pieces, item.text[end:]]), spans=tuple(spans))

    def listed(self, source: str, random: Random) -> Sentence:
        """Return names alone, two to six, with line breaks, tabs, commas and the like between them."""
        separator = random.choice(SEPARATORS)
        text, spans = "", []
        for number in range(random.randint(2, 6)):
            kind = random.choice(self._kinds)
            name = random.choice(self._names.get((source, kind)) or self._names["", kind])
            text += separator if number else ""
            spans.append(Span(len(text), len(text) + len(name), kind))
            text += name
        return Sentence(source=source, text=text, spans=tuple(spans))


def written(item: Sentence) -> Sentence:
    """Return the sentence without the spaces that a list of tokens has before and behind punctuation."""
    cuts = [match.start() for match in _SPACED.finditer(item.text)]
    pieces = (
        item.text[start:end]
        for start, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, None], strict=True)
    )
    spans = tuple(
        Span(span.start - bisect_left(cuts, span.start), span.end - bisect_left(cuts, span.end), span.kind)
        for span in item.spans
    )
    return replace(item, text="".join(pieces), spans=spans)


def decorated(item: Sentence, random: Random) -> Sentence:
    """Return the sentence with a symbol that touches each name, before or behind it or on both sides."""
    pieces: list[str] = []
    spans: list[Span] = []
    end = length = 0
    for span in item.spans:
        symbol, side = random.choice(SYMBOLS), random.randint(1, 3) if span.kind in TYPES else 0
        pieces += [item.text[end : span.start], symbol * (side & 1)]
        length += span.start - end + len(pieces[-1])
        spans.append(Span(length, length + span.end - span.start, span.kind))
        pieces += [item.text[span.start : span.end], symbol * (side >> 1)]
        length += span.end - span.start + len(pieces[-1])
        end = span.end
    return replace(item, text="".join([*pieces, item.text[end:]]), spans=tuple(spans))


def recased(item: Sentence, *, upper: bool) -> Sentence:
    """Return the sentence in one letter case; as it is where that would move offsets."""
    text = item.text.upper() if upper else item.text.lower()
    return replace(item, text=text) if len(text) == len(item.text) else item


def packed(items: Sequence[Sentence], random: Random, share: float) -> Iterator[Sentence]:
    """Join neighbours of a source to windows of at most some 100 subwords, from a `share` of them on."""
    index = 0
    while index < len(items):
        first = items[index]
        index += 1
        if random.random() >= share:
            yield first
            continue
        room = random.uniform(0.3, 1.0) * PACKED_CHARACTERS
        text, spans = first.text, list(first.spans)
        while (
            index < len(items)
            and items[index].source == first.source
            and len(text) + len(items[index].text) < room
        ):
            shift = len(text) + 1
            text += " " + items[index].text
            spans += [Span(span.start + shift, span.end + shift, span.kind) for span in items[index].spans]
            index += 1
        yield replace(first, text=text, spans=tuple(spans))
