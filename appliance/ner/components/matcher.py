"""What a model's components add to, and take from, what the network found in a text."""

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from appliance.datasets.components.components import LEARNED, LIST, REGEX, Components, EntityComponents
from appliance.datasets.components.expressions import check_all, compiled, steps_of
from appliance.datasets.language_tags import fits, stated
from appliance.ner.components.composition import Found, composed
from appliance.ner.components.lists import ListMatcher, Term
from appliance.ner.components.scanning import MAX_MATCH, MAX_MATCHES, Again, Scan, character_spans
from appliance.ner.decoding import Entity
from appliance.ner.text_request import TextRequest

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Expression(NamedTuple):
    """An expression of a category, its language (empty for any), and its steps."""

    category: str
    language: str
    pattern: Any
    steps: int


_log = logging.getLogger("appliance.inference.components")


class ComponentMatcher:
    """Applies components; safe to share between threads.

    Args:
        components: Of the model.
        language: BCP 47 tag of the model: what texts are in whose sender names no language.

    Raises:
        ValueError: An expression is none of RE2, or they would take too long.
    """

    def __init__(self, components: Components, *, language: str = "") -> None:
        self._components = components
        self._language = language
        self._entities = {one.category: one for one in components.entities}
        self._lists = ListMatcher(
            Term(one.category, part.language, value)
            for one in components.entities
            for part in one.parts
            for value in part.synonyms
        )
        check_all(components.patterns)
        patterns = (
            _Expression(one.category, part.language, compiled(pattern), steps_of(pattern))
            for one in components.entities
            for part in one.parts
            for pattern in part.patterns
        )
        # The cheap ones first: what a dear one reads again is never at their cost.
        self._patterns = sorted(patterns, key=lambda one: one.steps)
        self._tags = {part.language for one in components.entities for part in one.parts}
        self._told: set[str] = set()

    def apply(self, request: TextRequest, entities: Sequence[Entity]) -> list[Entity]:
        """Return what is answered for a text, in order.

        Args:
            request: The text and its language.
            entities: What the network found in it.
        """
        found: defaultdict[str, list[Found]] = defaultdict(list)
        answered = []
        for entity in entities:
            if entity.score < self._components.threshold_of(entity.category):
                continue
            if entity.category in self._entities:
                found[entity.category].append(Found(entity.start, entity.end, LEARNED, entity.score))
            else:
                answered.append(entity)
        tags = self._spoken(stated(request.language) or stated(self._language))
        for category, spans in self._lists.spans(request.text, tags).items():
            found[category] += [Found(start, end, LIST, 1.0) for start, end in spans]
        for category, start, end in self._matches(request.text, tags):
            found[category].append(Found(start, end, REGEX, 1.0))
        for category, own in found.items():
            answered += _entities(own, self._entities[category])
        return sorted(answered, key=lambda entity: (entity.start, entity.end, entity.category))

    def _spoken(self, language: str) -> frozenset[str]:
        """Return the languages whose synonyms and expressions are looked for; all where none is known."""
        return frozenset(tag for tag in self._tags if not tag or not language or fits(tag, language))

    def _matches(self, text: str, tags: Collection[str]) -> Iterator[tuple[str, int, int]]:
        chosen = [one for one in self._patterns if one.language in tags]
        data = _SURROGATE.sub("\ufffd", text).encode() if chosen else b""
        again = Again.of(len(data))
        for one in chosen:
            scan = Scan(one.pattern, data, one.steps, again)
            for start, end in character_spans(data, scan.spans()):
                if start < end:
                    yield one.category, start, end
            if scan.cut:
                self._tell(one.category)

    def _tell(self, category: str) -> None:
        if category not in self._told:
            self._told.add(category)
            _log.warning(
                "an expression of the category %s matches more than %d times in a text, or more than "
                "%d bytes at once, or too often for its many steps; what is more is left out",
                category,
                MAX_MATCHES,
                MAX_MATCH,
            )


def _entities(found: Sequence[Found], how: EntityComponents) -> Iterator[Entity]:
    for start, end, score in composed(found, how):
        yield Entity(start=start, end=end, category=how.category, score=score)
