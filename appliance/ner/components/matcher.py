"""What a model's components add to, and take from, what the network found in a text."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from appliance.datasets.components.components import LEARNED, LIST, REGEX, Components, EntityComponents
from appliance.datasets.components.expressions import compiled
from appliance.ner.components.composition import Found, composed
from appliance.ner.components.lists import ListMatcher
from appliance.ner.decoding import Entity

MAX_MATCHES: Final = 1_000
"""Matches of one expression in one text. RE2 may read the rest of a text for each."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class ComponentMatcher:
    """Applies components; safe to share between threads.

    Args:
        components: Of the model.

    Raises:
        ValueError: An expression is none of RE2.
    """

    def __init__(self, components: Components) -> None:
        self._threshold = components.threshold
        self._entities = {one.category: one for one in components.entities}
        self._lists = ListMatcher({one.category: one.synonyms for one in components.entities})
        self._patterns = [
            (one.category, compiled(pattern)) for one in components.entities for pattern in one.patterns
        ]

    def apply(self, text: str, entities: Sequence[Entity]) -> list[Entity]:
        """Return what is answered for a text, in order.

        Args:
            text: The text.
            entities: What the network found in it.
        """
        found: defaultdict[str, list[Found]] = defaultdict(list)
        answered = []
        for entity in entities:
            if entity.score < self._threshold:
                continue
            if entity.category in self._entities:
                found[entity.category].append(Found(entity.start, entity.end, LEARNED, entity.score))
            else:
                answered.append(entity)
        for category, spans in self._lists.spans(text).items():
            found[category] += [Found(start, end, LIST, 1.0) for start, end in spans]
        for category, start, end in self._matches(text):
            found[category].append(Found(start, end, REGEX, 1.0))
        for category, own in found.items():
            answered += _entities(own, self._entities[category])
        return sorted(answered, key=lambda entity: (entity.start, entity.end, entity.category))

    def _matches(self, text: str) -> Iterator[tuple[str, int, int]]:
        if not self._patterns:
            return
        text = _SURROGATE.sub("\ufffd", text)
        for category, pattern in self._patterns:
            for number, match in enumerate(pattern.finditer(text)):
                if number == MAX_MATCHES:
                    break
                start, end = match.span()
                if start < end:
                    yield category, start, end


def _entities(found: Sequence[Found], how: EntityComponents) -> Iterator[Entity]:
    for start, end, score in composed(found, how):
        yield Entity(start=start, end=end, category=how.category, score=score)
