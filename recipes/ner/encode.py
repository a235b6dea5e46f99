"""Sentences to the numbers a model is trained on; words and case classes are those of the serving code."""

from collections.abc import Iterator
from dataclasses import dataclass

from recipes.ner.corpora import LABELS, NAMES_OTHERS, OTHER, UNKNOWN, Sentence
from recipes.ner.vocabulary import Vocabulary

IGNORED = -100
O_OR_OTHER = len(LABELS)
"""The target of a word that may be part of a name of another kind, for all its source says."""

SERVED_TOKENS = 126
"""Subwords of a window, without special tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One window without special tokens: ids, case classes, and a target on each word's first subword."""

    ids: list[int]
    classes: list[int]
    targets: list[int]


def encode(item: Sentence, vocabulary: Vocabulary, *, with_others: bool = True) -> Iterator[Example]:
    """Yield the windows of a sentence: one, or consecutive ones cut between words where it is long.

    `with_others` false: names of other kinds are plain O, as if they had never been marked.
    """
    encoding = vocabulary.encode(item.text)
    classes = list(vocabulary.classes(item.text, encoding))
    targets = [IGNORED] * len(classes)
    plain = 0 if item.source in NAMES_OTHERS or not with_others else O_OR_OTHER
    spans = iter(item.spans)
    span = next(spans, None)
    inside = False
    cuts = [0]
    last = 0
    for word in vocabulary.words(item.text, encoding):
        while span and span.end <= word.start:
            span, inside = next(spans, None), False
        if span and span.start < word.end and span.kind != UNKNOWN and (with_others or span.kind != OTHER):
            targets[word.first] = LABELS.index(f"{'I' if inside else 'B'}-{span.kind}")
            inside = True
        else:
            unknown = span is not None and span.start < word.end and span.kind == UNKNOWN
            targets[word.first] = O_OR_OTHER if unknown and with_others else plain
        if word.last - cuts[-1] > SERVED_TOKENS:
            cuts.append(last)
        last = word.last
    for start, end in zip(cuts, [*cuts[1:], len(classes)], strict=True):
        if start < end <= start + SERVED_TOKENS:
            yield Example(ids=encoding.ids[start:end], classes=classes[start:end], targets=targets[start:end])
