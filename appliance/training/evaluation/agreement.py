"""How far two people agree who labelled the same documents: F1 of their spans, and kappa over words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import regex

from appliance.datasets.document import Label
from appliance.training.evaluation.scoring import NOTHING, Scores, score

_UNSPACED: Final = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_WORD: Final = regex.compile(rf"{_UNSPACED}|(?:(?!{_UNSPACED})[\w\p{{M}}])+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """One document that two people labelled; offsets are code points."""

    text: str
    first: Sequence[Label]
    second: Sequence[Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two people agree.

    Attributes:
        documents: Documents that both labelled.
        scores: The second person's spans against the first's; F1 is the same the other way round.
        words: Words of these documents.
        kappa: Cohen's kappa of the categories of words, "no category" among them; None without words.
    """

    documents: int
    scores: Scores
    words: int
    kappa: float | None


def agreement(documents: Iterable[Twice]) -> Agreement:
    """Compare two people's labels; a span agrees when its ends and its category do."""
    every = list(documents)
    pairs: Counter[tuple[str, str]] = Counter()
    for one in every:
        places = [found.start() for found in _WORD.finditer(one.text)]
        pairs.update(zip(_categories(places, one.first), _categories(places, one.second), strict=True))
    return Agreement(
        documents=len(every),
        scores=score((one.first, one.second) for one in every),
        words=pairs.total(),
        kappa=kappa(pairs),
    )


def kappa(pairs: Counter[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of counted pairs, -1…1; None of no pairs, 1 where nothing can differ."""
    total = pairs.total()
    if not total:
        return None
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    same = sum(count for (one, other), count in pairs.items() if one == other) / total
    chance = sum(first[name] * second[name] for name in first) / total**2
    return 1.0 if chance == 1 else (same - chance) / (1 - chance)


def _categories(places: Sequence[int], labels: Sequence[Label]) -> list[str]:
    """Return the category at each of some places in order; labels are sorted and disjoint."""
    found = [NOTHING] * len(places)
    index = 0
    for label in labels:
        while index < len(places) and places[index] < label.start:
            index += 1
        while index < len(places) and places[index] < label.end:
            found[index] = label.category
            index += 1
    return found
