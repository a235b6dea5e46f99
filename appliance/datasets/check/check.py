"""Statistics of labelled documents, and what of them hinders training."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from appliance.datasets.check.contradictions import Contradiction, contradictions
from appliance.datasets.check.encoder_facts import EncoderFacts
from appliance.datasets.check.report import CategoryCounts, CheckReport, Finding
from appliance.datasets.check.same_texts import Pair, groups, same_texts
from appliance.datasets.conversion_report import counts
from appliance.datasets.document import Labelled, LabelledDocument
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.split import Split, split

TO_LEARN: Final = 10
"""Labels below which a category is seldom learnt; the cloud asks for as many."""
TO_MEASURE: Final = 5
"""Labels in the test below which one mistake is more than 20 points of recall."""
LEAKED: Final = 0.05
"""Share of test documents that may be learnt from before the evaluation says nothing."""
CUT: Final = 0.1
"""Share of labels that cut words from which their offsets are likely to count something else."""
LONG_WORD: Final = 64
"""Characters of a word from which the service warns too."""
LONG_DOCUMENT: Final = 125_000
"""Characters of the longest document that the service takes."""
SHOWN: Final = 5
"""Examples of a finding."""
_LONGEST: Final = 5


def check(
    labelled: Labelled, facts: EncoderFacts, *, test_share: float = 0.2, by_file: bool | None = None
) -> CheckReport:
    """Look at everything that decides how well documents can be learnt from.

    Args:
        labelled: The documents, and the categories they may use.
        facts: What the encoder makes of these documents.
        test_share: As training is told.
        by_file: As training is told.
    """
    documents = labelled.documents
    parts, unsplit = _parts(documents, test_share, by_file)
    same, near = same_texts([document.text for document in documents])
    leaked = _leaked(documents, parts, [*same, *near])
    between, missed = contradictions(documents)
    categories = _categories(labelled, parts)
    findings = [
        *unsplit,
        *_of_languages(facts),
        *_of_leakage(leaked, parts),
        *_of_ends(facts, sum(len(document.labels) for document in documents)),
        *_of_categories(categories, split=parts is not None),
        *_of_duplicates(documents, same, near),
        *_of_contradictions(between, missed),
        *_of_length(documents, facts),
    ]
    by_words = sorted(zip(facts.words, documents, strict=True), key=lambda one: (-one[0], one[1].name))
    return CheckReport(
        documents=len(documents),
        words=sum(facts.words),
        labels=sum(len(document.labels) for document in documents),
        split=parts.how if parts else "",
        train=len(parts.train) if parts else 0,
        test=len(parts.test) if parts else 0,
        categories=categories,
        same=_names(documents, same),
        near=_names(documents, near),
        leaked=tuple(leaked),
        between=tuple(between),
        missed=tuple(missed),
        languages=facts.languages,
        window_tokens=facts.window_tokens,
        windows=sum(facts.windows),
        long=sum(count > 1 for count in facts.windows),
        longest=tuple((document.name, words) for words, document in by_words[:_LONGEST]),
        findings=tuple(sorted(findings, key=lambda one: not one.hinders)),
    )


def _parts(
    documents: Sequence[LabelledDocument], test_share: float, by_file: bool | None
) -> tuple[Split | None, list[Finding]]:
    try:
        return split(documents, test_share=test_share, by_file=by_file), []
    except DatasetError as error:
        return None, [
            Finding(code="NoSplit", hinders=True, message=error.message, remedy=error.hint or "label more")
        ]


def _more(found: Sequence[object]) -> int:
    return max(0, len(found) - SHOWN)


def _names(documents: Sequence[LabelledDocument], pairs: Sequence[Pair]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(documents[number].name for number in group) for group in groups(pairs))


def _categories(labelled: Labelled, parts: Split | None) -> dict[str, CategoryCounts]:
    every = _labels_of(labelled.documents)
    train = _labels_of(parts.train) if parts else Counter[str]()
    test = _labels_of(parts.test) if parts else Counter[str]()
    holding = Counter(
        name for document in labelled.documents for name in {label.category for label in document.labels}
    )
    return {
        name: CategoryCounts(labels=every[name], documents=holding[name], train=train[name], test=test[name])
        for name in labelled.categories
    }


def _labels_of(documents: Sequence[LabelledDocument]) -> Counter[str]:
    return Counter(label.category for document in documents for label in document.labels)


def _leaked(documents: Sequence[LabelledDocument], parts: Split | None, pairs: Sequence[Pair]) -> list[str]:
    """Return the test documents that share a group with a document that teaches."""
    if parts is None:
        return []
    test = {document.name for document in parts.test}
    found = []
    for group in groups(pairs):
        names = [documents[number].name for number in group]
        if any(name not in test for name in names):
            found += [name for name in names if name in test]
    return sorted(found)


def _of_leakage(leaked: Sequence[str], parts: Split | None) -> Iterator[Finding]:
    if not leaked or parts is None:
        return
    share = len(leaked) / len(parts.test)
    yield Finding(
        code="Leakage",
        hinders=share > LEAKED,
        message=f"{len(leaked)} of {len(parts.test)} test documents ({share:.0%}) stand in the training part"
        " too, the same or nearly: the score on them is leakage, even an F1 of 100",
        remedy="take them out of one of the two parts",
        examples=tuple(leaked[:SHOWN]),
        more=_more(leaked),
    )


def _of_languages(facts: EncoderFacts) -> Iterator[Finding]:
    for one in facts.languages.values():
        if one.refused:
            yield Finding(
                code="Language",
                hinders=True,
                message=one.refused,
                remedy=one.remedy,
            )
        elif one.note:
            yield Finding(
                code="Language",
                hinders=False,
                message=one.note,
                remedy="look at the score of this language by itself",
            )


def _of_ends(facts: EncoderFacts, labels: int) -> Iterator[Finding]:
    if facts.widened:
        share = len(facts.widened) / labels
        yield Finding(
            code="CutWords",
            hinders=share > CUT,
            message=f"{len(facts.widened)} of {labels} labels cut words: training widens them to whole ones",
            remedy="if they look shifted, name what offsets count: --offset-unit; else label whole words",
            examples=facts.widened[:SHOWN],
            more=_more(facts.widened),
        )
    if facts.trimmed:
        yield Finding(
            code="OuterSpaces",
            hinders=False,
            message=f"{facts.trimmed} of {labels} labels begin or end with space or punctuation, which"
            " answers never do: training trims them",
            remedy="nothing need be done",
        )
    if facts.lost:
        yield Finding(
            code="NoWords",
            hinders=len(facts.lost) == labels,
            message=f"{len(facts.lost)} of {labels} labels hold no word of their own:"
            " training leaves them out",
            remedy="remove them, or label whole words",
            examples=facts.lost[:SHOWN],
            more=_more(facts.lost),
        )


def _of_categories(categories: Mapping[str, CategoryCounts], *, split: bool) -> Iterator[Finding]:
    unused = {name: 0 for name, counts in categories.items() if not counts.labels}
    if unused:
        yield _rare(
            "UnusedCategories", unused, "no label at all", "label some text with them, or remove them"
        )
    if not split:
        return
    few = {name: one.train for name, one in categories.items() if one.labels and one.train < TO_LEARN}
    if few:
        what = f"fewer than {TO_LEARN} labels to learn from"
        yield _rare("RareInTraining", few, what, "label more of them")
    unmeasured = {name: one.test for name, one in categories.items() if one.labels and one.test < TO_MEASURE}
    if unmeasured:
        what = f"fewer than {TO_MEASURE} labels in the test, so that their score says little"
        yield _rare("RareInTest", unmeasured, what, "label more of them, or test on more documents")


def _rare(code: str, names: Mapping[str, int], what: str, remedy: str) -> Finding:
    listed = ", ".join(f"{name} ({count})" for name, count in sorted(names.items(), key=lambda one: one[1]))
    subject = "1 category has" if len(names) == 1 else f"{len(names)} categories have"
    return Finding(code=code, hinders=False, message=f"{subject} {what}", remedy=remedy, examples=(listed,))


def _of_duplicates(
    documents: Sequence[LabelledDocument], same: Sequence[Pair], near: Sequence[Pair]
) -> Iterator[Finding]:
    differing = [pair for pair in same if documents[pair[0]].labels != documents[pair[1]].labels]
    for code, pairs, what, remedy in (
        ("SameText", same, "the same text as an earlier one", "keep one of each"),
        (
            "NearlySameText",
            near,
            "nearly the same text as another",
            "keep one of each, or keep them in one part",
        ),
        (
            "SameTextOtherLabels",
            differing,
            "the same text as an earlier one, with other labels",
            "decide which labels are right",
        ),
    ):
        if pairs:
            yield Finding(
                code=code,
                hinders=False,
                message=f"{len({pair[1] for pair in pairs})} of {len(documents)} documents hold {what}",
                remedy=remedy,
                examples=tuple(
                    f"{documents[one].name} and {documents[other].name}" for one, other in pairs[:SHOWN]
                ),
                more=_more(pairs),
            )


def _of_contradictions(
    between: Sequence[Contradiction], missed: Sequence[Contradiction]
) -> Iterator[Finding]:
    for code, found, what in (
        ("SeveralCategories", between, "labelled in several categories"),
        ("SometimesLabelled", missed, "labelled in some places and not in others"),
    ):
        if found:
            strings = "1 string is" if len(found) == 1 else f"{len(found)} strings are"
            yield Finding(
                code=code,
                hinders=False,
                message=f"{strings} {what}",
                remedy="look at the places: either the meaning differs there, or a label is wrong",
                examples=tuple(said(one) for one in found[:SHOWN]),
                more=_more(found),
            )


def said(contradiction: Contradiction) -> str:
    """Return a contradiction in one line: the string, and each way with its count and a place."""
    ways = ", ".join(
        f"{way or 'not labelled'} {counts(count, 'time')} ({contradiction.places[way]})"
        for way, count in contradiction.ways.items()
    )
    return f"“{contradiction.text[:60]}”: {ways}"


def _of_length(documents: Sequence[LabelledDocument], facts: EncoderFacts) -> Iterator[Finding]:
    over = [
        document.name
        for document, size in zip(documents, facts.longest_words, strict=True)
        if size > LONG_WORD
    ]
    if over:
        yield Finding(
            code="LongWords",
            hinders=False,
            message=f"{len(over)} documents hold a word of more than {LONG_WORD} characters, of which the"
            " model sees little",
            remedy="take out what is no text, such as encoded files",
            examples=tuple(over[:SHOWN]),
            more=_more(over),
        )
    long = [document.name for document in documents if len(document.text) > LONG_DOCUMENT]
    if long:
        yield Finding(
            code="LongDocuments",
            hinders=False,
            message=f"{len(long)} documents have more than {LONG_DOCUMENT} characters, and the service takes"
            " no longer ones",
            remedy="cut them as your program will cut them",
            examples=tuple(long[:SHOWN]),
            more=_more(long),
        )


__all__ = ["check", "said"]
