"""Entities found against entities labelled: exact spans, by category, with what was taken for what."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from appliance.datasets.document import Label

NOTHING = "$none"
"""Stands in the confusion table for "no entity", as in the evaluation of the authoring API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of entities: found and right, found, and labelled; shares between 0 and 1."""

    right: int
    found: int
    labelled: int

    @property
    def precision(self) -> float:
        """Share of the found that are right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the labelled that were found."""
        return self.right / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.found + self.labelled
        return 2 * self.right / both if both else 0.0


def added(counts: Iterable[Counts]) -> Counts:
    """Return the counts of all documents together."""
    every = list(counts)
    return Counts(
        right=sum(one.right for one in every),
        found=sum(one.found for one in every),
        labelled=sum(one.labelled for one in every),
    )


def pooled_f1(counts: Iterable[Counts]) -> float:
    """Return F1 over all documents together, 0…1."""
    return added(counts).f1


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageScores:
    """How many test documents are in a language, and what was found in them."""

    documents: int
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The outcome of a test.

    Attributes:
        micro: Over all categories.
        categories: By category, sorted.
        confusion: (labelled category, found category) and how often; `NOTHING` stands for no entity.
        languages: By language of the documents, sorted; empty unless they are in several.
    """

    micro: Counts
    categories: dict[str, Counts] = field(hash=False)
    confusion: dict[tuple[str, str], int] = field(hash=False)
    languages: dict[str, LanguageScores] = field(default_factory=dict, hash=False)

    @property
    def macro_f1(self) -> float:
        """Mean of the categories' F1."""
        return _mean([value.f1 for value in self.categories.values()])

    @property
    def macro_precision(self) -> float:
        """Mean of the categories' precision."""
        return _mean([value.precision for value in self.categories.values()])

    @property
    def macro_recall(self) -> float:
        """Mean of the categories' recall."""
        return _mean([value.recall for value in self.categories.values()])


def score(pairs: Iterable[tuple[Sequence[Label], Sequence[Label]]]) -> Scores:
    """Compare (labelled, found) of each document; a span is right when its ends and its category are."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    confusion: Counter[tuple[str, str]] = Counter()
    for wanted, answered in pairs:
        found.update(label.category for label in answered)
        labelled.update(label.category for label in wanted)
        right.update(label.category for label in set(wanted) & set(answered))
        confusion.update(confused(wanted, answered))
    names = sorted(set(found) | set(labelled))
    return Scores(
        micro=Counts(right=right.total(), found=found.total(), labelled=labelled.total()),
        categories={
            name: Counts(right=right[name], found=found[name], labelled=labelled[name]) for name in names
        },
        confusion=dict(sorted(confusion.items())),
    )


def score_by_language(
    languages: Iterable[str], pairs: Iterable[tuple[Sequence[Label], Sequence[Label]]]
) -> dict[str, LanguageScores]:
    """Compare the documents of each language on their own.

    Args:
        languages: Language of each document.
        pairs: (labelled, found) of each document.

    Returns:
        By language, sorted; nothing unless there are several, since the scores of all say the same.
    """
    apart: defaultdict[str, list[tuple[Sequence[Label], Sequence[Label]]]] = defaultdict(list)
    for language, pair in zip(languages, pairs, strict=True):
        apart[language].append(pair)
    if len(apart) < 2:
        return {}
    return {
        name: LanguageScores(documents=len(apart[name]), counts=score(apart[name]).micro)
        for name in sorted(apart)
    }


def confused(wanted: Sequence[Label], answered: Sequence[Label]) -> list[tuple[str, str]]:
    """Pair each labelled entity with the found one that shares most of it, and list what is left alone."""
    pairs: list[tuple[str, str]] = []
    free = list(answered)
    for label in wanted:
        best = max(free, key=lambda other: _shared(label, other), default=None)
        if best is None or not _shared(label, best):
            pairs.append((label.category, NOTHING))
            continue
        free.remove(best)
        pairs.append((label.category, best.category))
    return pairs + [(NOTHING, label.category) for label in free]


def _shared(one: Label, other: Label) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
