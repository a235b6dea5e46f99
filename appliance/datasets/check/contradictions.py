"""Labels that teach against each other: one string in several categories, or labelled here and not there."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.datasets.document import LabelledDocument, line_of

_FEWEST: Final = 3
"""Labelled occurrences from which the unlabelled ones of a string are counted."""
_SHARE: Final = 0.25
"""Share of unlabelled occurrences from which they are said."""
_LONGEST: Final = 8
"""Words of the longest strings that are looked for."""
_WORD: Final = re.compile(r"\w+")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One string that is labelled in several ways.

    Attributes:
        text: The string, its white space folded.
        ways: How often it stands in each category; in the empty one where it is not labelled.
        places: A document and line of each way.
    """

    text: str
    ways: Mapping[str, int]
    places: Mapping[str, str]

    @property
    def minority(self) -> int:
        """Occurrences outside its most frequent way."""
        return sum(self.ways.values()) - max(self.ways.values())


class _Strings:
    """Occurrences of strings by what they are labelled as."""

    def __init__(self) -> None:
        self.texts: dict[Words, str] = {}
        self.ways: defaultdict[Words, Counter[str]] = defaultdict(Counter)
        self.places: defaultdict[Words, dict[str, str]] = defaultdict(dict)

    def add(self, words: Words, way: str, document: LabelledDocument, start: int) -> None:
        self.ways[words][way] += 1
        if way not in self.places[words]:
            self.places[words][way] = f"{document.name} line {line_of(document.text, start)}"


def contradictions(documents: Sequence[LabelledDocument]) -> tuple[list[Contradiction], list[Contradiction]]:
    """Return strings of several categories, and strings that are often labelled and often not.

    Both lists begin with what contradicts itself most often.
    """
    labelled = _labelled(documents)
    between = [words for words, ways in labelled.ways.items() if len(ways) > 1]
    whole = _Strings()
    wanted = {
        words
        for words, ways in labelled.ways.items()
        if len(ways) == 1 and ways.total() >= _FEWEST and len(words) <= _LONGEST and len("".join(words)) > 2
    }
    _count_unlabelled(documents, wanted, whole)
    missed = []
    for words in wanted & whole.ways.keys():
        if whole.ways[words].total() >= _SHARE * (whole.ways[words].total() + labelled.ways[words].total()):
            labelled.ways[words].update(whole.ways[words])
            labelled.places[words].update(whole.places[words])
            missed.append(words)
    return _worst(labelled, between), _worst(labelled, missed)


def _worst(strings: _Strings, chosen: Sequence[Words]) -> list[Contradiction]:
    found = [
        Contradiction(
            text=strings.texts[words],
            ways=dict(strings.ways[words].most_common()),
            places=dict(strings.places[words]),
        )
        for words in chosen
    ]
    return sorted(found, key=lambda one: (-one.minority, one.text))


def _labelled(documents: Sequence[LabelledDocument]) -> _Strings:
    strings = _Strings()
    for document in documents:
        for label in document.labels:
            text = document.text[label.start : label.end]
            words = tuple(_WORD.findall(text))
            if words:
                strings.texts.setdefault(words, " ".join(text.split()))
                strings.add(words, label.category, document, label.start)
    return strings


def _count_unlabelled(documents: Sequence[LabelledDocument], wanted: set[Words], into: _Strings) -> None:
    by_first: defaultdict[str, set[int]] = defaultdict(set)
    for words in wanted:
        by_first[words[0]].add(len(words))
    for document in documents:
        found = list(_WORD.finditer(document.text))
        texts = [one.group() for one in found]
        labels = iter([*document.labels, None])
        label = next(labels)
        for number, word in enumerate(found):
            while label is not None and label.end <= word.start():
                label = next(labels)
            for size in by_first.get(texts[number], ()):
                words = tuple(texts[number : number + size])
                if words not in wanted or len(words) < size:
                    continue
                if label is None or label.start >= found[number + size - 1].end():
                    into.add(words, "", document, word.start())
