"""The outcome of a training: scores by category, what was taken for what, and the worst mistakes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.datasets.document import Label, LabelledDocument, line_of
from appliance.training.evaluation.examine import Answers
from appliance.training.evaluation.scoring import NOTHING, Counts, Scores

WORST: Final = 20
UNSTATED: Final = "not stated"
"""Language of documents that name none, tested with a model that names none either."""
_AROUND: Final = 60
_SENTENCE_END: Final = re.compile(r"[.!?]\s|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One entity that was found wrongly, or not at all.

    Attributes:
        document: Where.
        line: Line of the document, from 1.
        kind: `missed`, `invented`, `other category` or `other ends`.
        labelled: The label, if there is one.
        found: What was found, if anything.
        score: How sure the model was, 0…1; 0 for what it missed.
        sentence: The sentence around it, with the entity in brackets.
    """

    document: str
    line: int
    kind: str
    labelled: Label | None
    found: Label | None
    score: float
    sentence: str


def worst(documents: Sequence[LabelledDocument], given: Answers, count: int = WORST) -> list[Wrong]:
    """Return the mistakes of which the model was surest, then what it missed."""
    wrong: list[Wrong] = []
    for document, found, scores in zip(documents, given.found, given.scores, strict=True):
        wrong += _wrong(document, dict(zip(found, scores, strict=True)))
    wrong.sort(key=lambda mistake: (-mistake.score, mistake.document, mistake.line))
    return wrong[:count]


def _wrong(document: LabelledDocument, found: dict[Label, float]) -> Iterator[Wrong]:
    wanted = set(document.labels)
    touched: set[Label] = set()
    for label, score in found.items():
        if label in wanted:
            continue
        near = next(
            (other for other in document.labels if other.start < label.end and label.start < other.end), None
        )
        kind = "invented"
        if near is not None:
            touched.add(near)
            kind = "other ends" if near.category == label.category else "other category"
        yield _told(document, kind, near, label, score)
    for label in document.labels:
        if label not in found and label not in touched:
            yield _told(document, "missed", label, None, 0.0)


def _told(
    document: LabelledDocument, kind: str, labelled: Label | None, found: Label | None, score: float
) -> Wrong:
    place = found or labelled or Label(0, 0, "")
    return Wrong(
        document=document.name,
        line=line_of(document.text, place.start),
        kind=kind,
        labelled=labelled,
        found=found,
        score=score,
        sentence=in_sentence(document.text, place),
    )


def in_sentence(text: str, label: Label) -> str:
    """Return the words around an entity, the entity in brackets, on one line."""
    before = text[max(0, label.start - _AROUND) : label.start]
    after = text[label.end : label.end + _AROUND]
    ends = list(_SENTENCE_END.finditer(before))
    if ends:
        before = before[ends[-1].end() :]
    begins = _SENTENCE_END.search(after)
    if begins:
        after = after[: begins.start() + 1]
    return " ".join(f"{before}[{text[label.start : label.end]}]{after}".split())


def score_lines(scores: Scores) -> list[str]:
    """Lay the scores out in lines for a terminal."""
    width = max([len("category"), *map(len, scores.categories)])
    head = f"{'category':{width}} {'precision':>9} {'recall':>7} {'F1':>6} {'support':>8}"
    rows = [_row(name, counts, width) for name, counts in scores.categories.items()]
    return [head, *rows, _row("all", scores.micro, width), *_language_lines(scores)]


def _language_lines(scores: Scores) -> list[str]:
    if not scores.languages:
        return []
    names = {name: name or UNSTATED for name in scores.languages}
    width = max([len("language"), *map(len, names.values())])
    head = f"{'language':{width}} {'precision':>9} {'recall':>7} {'F1':>6} {'support':>8} {'documents':>10}"
    rows = [
        f"{_row(names[name], one.counts, width)} {one.documents:10}" for name, one in scores.languages.items()
    ]
    return ["", head, *rows]


def _row(name: str, counts: Counts, width: int) -> str:
    shares = f"{100 * counts.precision:9.1f} {100 * counts.recall:7.1f} {100 * counts.f1:6.1f}"
    return f"{name:{width}} {shares} {counts.labelled:8}"


def confusion_lines(scores: Scores) -> list[str]:
    """Name what was taken for what, the most frequent first; what was right is left out."""
    pairs = sorted(
        ((count, pair) for pair, count in scores.confusion.items() if pair[0] != pair[1]), reverse=True
    )
    return [
        f"{count:5} x {_named(wanted)} taken for {_named(found)}" for count, (wanted, found) in pairs[:15]
    ]


def _named(category: str) -> str:
    return "nothing" if category == NOTHING else category


def wrong_lines(wrong: Sequence[Wrong]) -> list[str]:
    """Lay mistakes out in lines for a terminal."""
    return [
        f"{mistake.document}, line {mistake.line}: {_what(mistake)}: {mistake.sentence}" for mistake in wrong
    ]


def _what(mistake: Wrong) -> str:
    wanted = mistake.labelled.category if mistake.labelled else ""
    found = mistake.found.category if mistake.found else ""
    sure = f" ({mistake.score:.2f})"
    match mistake.kind:
        case "missed":
            return f"missed {wanted}"
        case "invented":
            return f"invented {found}{sure}"
        case "other ends":
            return f"{found} with other ends{sure}"
        case _:
            return f"{wanted} taken for {found}{sure}"


def evaluation_object(scores: Scores, wrong: Sequence[Wrong]) -> dict[str, Any]:
    """Return the evaluation as JSON, as it lies beside the model (`evaluation.json`).

    It quotes sentences of the test documents, so it is as confidential as they are.
    """
    return {
        "micro": _numbers(scores.micro),
        "macro": {
            "precision": scores.macro_precision,
            "recall": scores.macro_recall,
            "f1": scores.macro_f1,
        },
        "categories": {name: _numbers(counts) for name, counts in scores.categories.items()},
        **_languages(scores),
        "confusion": [
            {"labelled": wanted, "found": found, "count": count}
            for (wanted, found), count in scores.confusion.items()
        ],
        "worst": [
            {
                "document": mistake.document,
                "line": mistake.line,
                "kind": mistake.kind,
                "labelled": mistake.labelled and mistake.labelled.category,
                "found": mistake.found and mistake.found.category,
                "score": round(mistake.score, 4),
                "sentence": mistake.sentence,
            }
            for mistake in wrong
        ],
    }


def _languages(scores: Scores) -> dict[str, Any]:
    if not scores.languages:
        return {}
    return {
        "languages": {
            name: {"documents": one.documents, **_numbers(one.counts)}
            for name, one in scores.languages.items()
        }
    }


def _numbers(counts: Counts) -> dict[str, float]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "right": counts.right,
        "found": counts.found,
        "support": counts.labelled,
    }
