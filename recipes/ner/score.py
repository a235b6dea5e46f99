"""Entity-level scores, and the decoding used while training: the best sequence of labels that BIO allows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.ner.corpora import SERVED_LABELS, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts of entities: found and right, found, and in the gold standard."""

    right: int
    found: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of found entities that are right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of gold entities that were found."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.right / (self.found + self.gold) if self.found + self.gold else 0.0


def scores(pairs: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> dict[str, Score]:
    """Count exact matches of (gold, found) spans, by kind and over all kinds (`micro`)."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for wanted, answered in pairs:
        for span in set(wanted) & set(answered):
            right.update([span.kind, "micro"])
        for span in set(answered):
            found.update([span.kind, "micro"])
        for span in set(wanted):
            gold.update([span.kind, "micro"])
    kinds = sorted(found | gold, key=lambda kind: (kind == "micro", kind))
    return {kind: Score(right=right[kind], found=found[kind], gold=gold[kind]) for kind in kinds}


def best_labels(logits: NDArray[np.float32]) -> list[int]:
    """Return the allowed label sequence of highest score for logits [words, served labels]."""
    if not len(logits):
        return []
    allowed = np.zeros((len(SERVED_LABELS), len(SERVED_LABELS)), dtype=np.float32)
    for after, label in enumerate(SERVED_LABELS):
        if label.startswith("I-"):
            allowed[:, after] = -np.inf
            allowed[[after - 1, after], after] = 0
    best = logits[0] + np.where([label.startswith("I-") for label in SERVED_LABELS], -np.inf, 0)
    back = []
    for row in logits[1:]:
        total = best[:, None] + allowed
        back.append(total.argmax(axis=0))
        best = total.max(axis=0) + row
    path = [int(best.argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return path[::-1]


def spans(labels: Sequence[int], places: Sequence[tuple[int, int]]) -> list[Span]:
    """Join labels of words, with the words' places in the text, to entities."""
    found: list[Span] = []
    for number, (start, end) in zip(labels, places, strict=True):
        prefix, _, kind = SERVED_LABELS[number].partition("-")
        if prefix == "I":
            found[-1] = Span(found[-1].start, end, kind)
        elif prefix == "B":
            found.append(Span(start, end, kind))
    return found
