"""Changes to training text: other names in a sentence, another letter case, neighbours in one window."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from recipes.ner.corpora import TYPES, Sentence, Span

PACKED_CHARACTERS = 440
"""About 100 subwords."""


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
