"""Labels as a model can answer them: whole words, without outer space and punctuation."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.datasets.document import Label, LabelledDocument, line_of
from appliance.ner.decoding import trim
from appliance.ner.tokenizer import Document, TextTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Documents whose labels can be answered exactly, and what was changed.

    Attributes:
        documents: With the fitted labels.
        trimmed: Labels that only lost space or punctuation at their ends.
        widened: Places (document and line) of labels that cut words, and now hold whole ones.
        lost: Places of labels that are left out: they hold no word, or none that an earlier one left.
    """

    documents: tuple[LabelledDocument, ...]
    trimmed: int
    widened: tuple[str, ...]
    lost: tuple[str, ...]

    def notes(self) -> list[str]:
        """Say what was changed, in a line for each kind."""
        labels = sum(len(document.labels) for document in self.documents) + len(self.lost)
        notes = []
        if self.trimmed:
            notes.append(
                f"{self.trimmed} of {labels} labels begin or end with space or punctuation,"
                " which answers never do: trimmed"
            )
        for places, what in (
            (self.widened, "cut words: widened to whole ones"),
            (self.lost, "hold no word of their own: left out"),
        ):
            if places:
                more = ", …" if len(places) > 3 else ""
                notes.append(f"{len(places)} of {labels} labels {what} ({', '.join(places[:3])}{more})")
        return notes


def trim_labels(document: LabelledDocument) -> tuple[Label, ...]:
    """Return a document's labels without what answers never have at their ends; ends stay inside words."""
    spans = [(*trim(document.text, label.start, label.end), label.category) for label in document.labels]
    return tuple(Label(start, end, category) for start, end, category in spans if start < end)


def fit_labels(documents: Sequence[LabelledDocument], tokenizer: TextTokenizer) -> Fitted:
    """Fit the labels of documents to the words of a tokenizer.

    Args:
        documents: With labels that are sorted and disjoint.
        tokenizer: Cuts words as the model will.
    """
    cuts = tokenizer.cut([document.text for document in documents])
    changes = _Changes()
    fitted = tuple(
        replace(document, labels=tuple(_fit(document, cut, changes)))
        for document, cut in zip(documents, cuts, strict=True)
    )
    return Fitted(
        documents=fitted,
        trimmed=changes.trimmed,
        widened=tuple(changes.widened),
        lost=tuple(changes.lost),
    )


class _Changes:
    def __init__(self) -> None:
        self.trimmed = 0
        self.widened: list[str] = []
        self.lost: list[str] = []


def _fit(document: LabelledDocument, cut: Document, changes: _Changes) -> list[Label]:
    fitted: list[Label] = []
    free = 0  # the first word that no label has
    for label in document.labels:
        start, end = trim(document.text, label.start, label.end)
        first, last = max(free, bisect_right(cut.ends, start)), bisect_left(cut.starts, end) - 1
        wide = (
            trim(document.text, cut.starts[first], cut.ends[last])
            if start < end and first <= last
            else (0, 0)
        )
        if wide[0] >= wide[1]:
            changes.lost.append(_place(document, label))
            continue
        if wide != (start, end):
            changes.widened.append(_place(document, label))
        elif wide != (label.start, label.end):
            changes.trimmed += 1
        fitted.append(Label(*wide, label.category))
        free = last + 1
    return fitted


def _place(document: LabelledDocument, label: Label) -> str:
    return f"{document.name} line {line_of(document.text, label.start)}"
