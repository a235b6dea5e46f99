"""What a reader found to labelled documents: units chosen, places checked, overlaps told, all counted."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from appliance.datasets.conversion_report import FileReport
from appliance.datasets.document import Label, LabelledDocument, line_of
from appliance.datasets.formats.format import Contents, RawDocument, ReadOptions
from appliance.datasets.label_errors import (
    DISCONTINUOUS,
    OVERLAPS,
    Claim,
    DatasetError,
    Mistake,
    overlap,
    place_claims,
)
from appliance.datasets.offset_units import Choice, OffsetUnit, Spot, choose, places, same_words

MAX_TEXT: Final = 8 * 2**20
"""Code points of a document."""
MAX_LABELS: Final = 5_000_000
_MAX_CATEGORY: Final = 256
_EXCERPT: Final = 40


def settle(
    contents: Contents, name: str, title: str, options: ReadOptions, *, drop: Collection[str] = ()
) -> tuple[list[LabelledDocument], list[Mistake], FileReport]:
    """Turn a file's raw documents into labelled ones.

    Args:
        contents: What its reader found.
        name: What the file is called.
        title: Its format.
        options: The unit of offsets, if somebody said it.
        drop: Kinds of labels that may be left out.

    Returns:
        Documents, whatever is wrong but for what may be left out, and the count of all.

    Raises:
        DatasetError: The file is too large, or its offsets may count two things.
    """
    _require_bounds(contents.documents, name)
    choice = _unit(contents, name, options)
    mistakes = [one for one in contents.mistakes if one.kind not in drop]
    dropped = Counter(one.kind for one in contents.mistakes if one.kind in drop)
    documents: list[LabelledDocument] = []
    read = sum(one.kind == DISCONTINUOUS for one in contents.mistakes)
    twice = 0
    for raw in contents.documents:
        spans = tuple(dict.fromkeys(raw.spans))
        read += len(raw.spans)
        twice += len(raw.spans) - len(spans)
        document, wrong, left = _document(replace(raw, spans=spans), choice.unit, drop)
        documents.append(document)
        mistakes += wrong
        dropped[OVERLAPS] += left
    notes = [*contents.notes, *([choice.note] if choice.note else [])]
    if twice:
        notes.append(f"{twice} labels stand there twice, word for word, and are taken once")
    report = FileReport(
        name=name,
        title=title,
        documents=len(documents),
        read=read,
        kept=sum(len(document.labels) for document in documents) + twice,
        dropped=+dropped,
        notes=tuple(notes),
    )
    return documents, mistakes, report


def _require_bounds(documents: Sequence[RawDocument], name: str) -> None:
    count = 0
    for document in documents:
        count += len(document.spans)
        if len(document.text) > MAX_TEXT:
            raise DatasetError(
                f"{document.name} is a text of more than {MAX_TEXT} characters",
                hint="cut it into several documents",
            )
    if count > MAX_LABELS:
        raise DatasetError(f"{name} holds more than {MAX_LABELS} labels", hint="cut it into several files")


def _unit(contents: Contents, name: str, options: ReadOptions) -> Choice:
    if contents.unit_sure:
        return Choice(contents.unit)
    if options.unit is not None:
        return Choice(options.unit)
    texts = [
        (document.text, [Spot(one.start, one.end, one.said) for one in document.spans])
        for document in contents.documents
    ]
    return choose(texts, contents.unit, name)


def _document(
    raw: RawDocument, unit: OffsetUnit, drop: Collection[str]
) -> tuple[LabelledDocument, list[Mistake], int]:
    steps = places(raw.text, unit) if raw.spans else None
    labels: list[Label] = []
    mistakes: list[Mistake] = []
    for one in raw.spans:
        if mistake := _category(raw, one.category):
            mistakes.append(mistake)
            continue
        length = one.end - one.start + unit.inclusive
        claim = Claim(category=one.category, offset=one.start, length=length)
        placed, wrong = place_claims(raw.name, raw.text, [claim], frozenset((one.category,)), steps)
        mistakes += wrong
        if placed and one.said and not same_words(raw.text[placed[0].start : placed[0].end], one.said):
            mistakes.append(_contradiction(raw, placed[0], one.said, unit))
            continue
        labels += placed
    kept, overlaps = _disjoint(raw, labels)
    left = len(overlaps) if OVERLAPS in drop else 0
    document = LabelledDocument(
        name=raw.name, text=raw.text, labels=kept, dataset=raw.dataset, language=raw.language
    )
    return document, [*mistakes, *([] if left else overlaps)], left


def _category(raw: RawDocument, category: str) -> Mistake | None:
    if category and len(category) <= _MAX_CATEGORY and category.isprintable():
        return None
    shown = "".join(character if character.isprintable() else "?" for character in category[:_EXCERPT])
    return Mistake(
        document=raw.name,
        line=0,
        reason=f"the category {shown!r} is empty, longer than {_MAX_CATEGORY} characters, or does not print",
        remedy="rename it in the file",
    )


def _contradiction(raw: RawDocument, label: Label, said: str, unit: OffsetUnit) -> Mistake:
    there = raw.text[label.start : label.end]
    return Mistake(
        document=raw.name,
        line=line_of(raw.text, label.start),
        reason=f"the label {label.category} at character {label.start} (offsets in {unit}) has another text "
        "than stands there",
        remedy="correct its offsets or its text, or say what offsets count with --offset-unit",
        excerpt=f"{said[:_EXCERPT]!r} is said, {there[:_EXCERPT]!r} stands there",
    )


def _disjoint(raw: RawDocument, labels: Sequence[Label]) -> tuple[tuple[Label, ...], list[Mistake]]:
    """Keep the outer of two labels that overlap, the first of two of the same length."""
    kept: list[Label] = []
    overlaps: list[Mistake] = []
    for label in sorted(set(labels), key=lambda one: (one.start, -one.end)):
        if not kept or label.start >= kept[-1].end:
            kept.append(label)
            continue
        inner, outer = sorted((label, kept[-1]), key=lambda one: (one.end - one.start, -one.start))
        kept[-1] = outer
        overlaps.append(overlap(raw.name, raw.text, outer, inner))
    return tuple(kept), overlaps
