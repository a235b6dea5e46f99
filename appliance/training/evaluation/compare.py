"""Two models on the same labelled documents: who is better at what, how surely, and where they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.datasets.document import Label, LabelledDocument, line_of
from appliance.statistics.paired_bootstrap import Difference
from appliance.training.evaluation.bootstrap import paired_bootstrap
from appliance.training.evaluation.report import UNSTATED, in_sentence
from appliance.training.evaluation.scoring import Counts, Scores, added, score


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """One entity that one model found and the other did not.

    Attributes:
        document: Where.
        line: Line of the document, from 1.
        found: The entity.
        by: 0 for the first model, 1 for the second.
        right: Whether it is labelled so.
        sentence: The sentence around it, with the entity in brackets.
    """

    document: str
    line: int
    found: Label
    by: int
    right: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InLanguage:
    """How both models did on the documents of one language."""

    documents: int
    sides: tuple[Counts, Counts]
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The outcome.

    Attributes:
        scores: Of both.
        all: Difference of F1 over all categories, the second less the first.
        categories: The same by category, sorted.
        languages: The same by language of the documents, sorted; empty unless they are in several.
        documents: How many were compared.
        unlike: Entities of one model alone, in the order of the documents.
    """

    scores: tuple[Scores, Scores]
    all: Difference
    categories: Mapping[str, Difference] = field(hash=False)
    languages: Mapping[str, InLanguage] = field(hash=False)
    documents: int
    unlike: tuple[Unlike, ...]

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the documents in which the two differ."""
        return tuple(dict.fromkeys(one.document for one in self.unlike))


def compare(
    documents: Sequence[LabelledDocument],
    first: Sequence[Sequence[Label]],
    second: Sequence[Sequence[Label]],
) -> Comparison:
    """Compare what two models found in labelled documents.

    Args:
        documents: With labels that are trimmed as answers are.
        first, second: What each found, a sequence for each document.
    """
    wanted = [document.labels for document in documents]
    sides = (
        [score([pair]) for pair in zip(wanted, first, strict=True)],
        [score([pair]) for pair in zip(wanted, second, strict=True)],
    )
    scores = score(zip(wanted, first, strict=True)), score(zip(wanted, second, strict=True))
    names = sorted({*scores[0].categories, *scores[1].categories})
    return Comparison(
        scores=scores,
        all=paired_bootstrap(*([one.micro for one in side] for side in sides)),
        categories={
            name: paired_bootstrap(*([counts_of(one, name) for one in side] for side in sides))
            for name in names
        },
        languages=_languages([document.language for document in documents], sides),
        documents=len(documents),
        unlike=tuple(
            one
            for document, ours, theirs in zip(documents, first, second, strict=True)
            for one in _unlike(document, ours, theirs)
        ),
    )


def _languages(languages: Sequence[str], sides: tuple[list[Scores], list[Scores]]) -> dict[str, InLanguage]:
    names = sorted(set(languages))
    if len(names) < 2:
        return {}
    found = {}
    for name in names:
        ours, theirs = (
            [one.micro for one, language in zip(side, languages, strict=True) if language == name]
            for side in sides
        )
        found[name] = InLanguage(
            documents=len(ours),
            sides=(added(ours), added(theirs)),
            difference=paired_bootstrap(ours, theirs),
        )
    return found


def counts_of(scores: Scores, category: str) -> Counts:
    """Return the counts of a category; zeros where nothing has it."""
    return scores.categories.get(category, Counts(right=0, found=0, labelled=0))


def _unlike(document: LabelledDocument, ours: Sequence[Label], theirs: Sequence[Label]) -> list[Unlike]:
    alone = [(label, 0) for label in set(ours) - set(theirs)]
    alone += [(label, 1) for label in set(theirs) - set(ours)]
    wanted = set(document.labels)
    return [
        Unlike(
            document=document.name,
            line=line_of(document.text, label.start),
            found=label,
            by=by,
            right=label in wanted,
            sentence=in_sentence(document.text, label),
        )
        for label, by in sorted(alone)
    ]


def comparison_lines(found: Comparison, names: tuple[str, str], shown: int) -> list[str]:
    """Lay a comparison out in lines for a terminal, with at most `shown` of the entities that differ."""
    width = max([len("category"), *map(len, found.categories)])
    lines = [
        *(f"{letter} = {name}" for letter, name in zip("AB", names, strict=True)),
        f"{'category':{width}} {'F1 A':>6} {'F1 B':>6} {'B less A':>9} {'95 % between':>15} {'support':>8}",
    ]
    for name, difference in found.categories.items():
        lines.append(_row(name, tuple(counts_of(one, name) for one in found.scores), difference, width))
    lines += [_row("all", tuple(one.micro for one in found.scores), found.all, width)]
    lines += [*_language_lines(found), _verdict(found)]
    if not found.unlike:
        return lines
    lines.append(
        f"they differ in {len(found.differing)} of {found.documents} documents,"
        f" in {len(found.unlike)} entities" + (f"; the first {shown}:" if len(found.unlike) > shown else ":")
    )
    return lines + [
        f"  {one.document}, line {one.line}: only {'AB'[one.by]}"
        f" ({'right' if one.right else 'wrong'}) {one.found.category}: {one.sentence}"
        for one in found.unlike[:shown]
    ]


def _language_lines(found: Comparison) -> list[str]:
    if not found.languages:
        return []
    names = {name: name or UNSTATED for name in found.languages}
    width = max([len("language"), *map(len, names.values())])
    head = (
        f"{'language':{width}} {'F1 A':>6} {'F1 B':>6} {'B less A':>9} {'95 % between':>15} {'support':>8}"
        f" {'documents':>10}"
    )
    return [
        head,
        *(
            f"{_row(names[name], one.sides, one.difference, width)} {one.documents:10}"
            for name, one in found.languages.items()
        ),
    ]


def _row(name: str, sides: Sequence[Counts], difference: Difference, width: int) -> str:
    ends = f"{100 * difference.low:+.1f} … {100 * difference.high:+.1f}"
    figures = " ".join(f"{100 * side.f1:6.1f}" for side in sides)
    return f"{name:{width}} {figures} {100 * difference.value:+9.1f} {ends:>15} {sides[0].labelled:8}"


def _verdict(found: Comparison) -> str:
    if not found.unlike:
        return "both answer the same"
    if found.all.sure:
        return f"{'B' if found.all.value > 0 else 'A'} is better, and these documents are enough to say so"
    return "these documents are too few to say which is better"


def comparison_object(found: Comparison, names: tuple[str, str], shown: int) -> dict[str, Any]:
    """Return a comparison as JSON; it quotes at most `shown` sentences of the documents."""
    languages = {
        name: {"documents": one.documents, **_numbers(one.sides, one.difference)}
        for name, one in found.languages.items()
    }
    return {
        "a": names[0],
        "b": names[1],
        "all": _numbers(tuple(one.micro for one in found.scores), found.all),
        "categories": {
            name: _numbers(tuple(counts_of(one, name) for one in found.scores), difference)
            for name, difference in found.categories.items()
        },
        **({"languages": languages} if languages else {}),
        "documents": found.documents,
        "differing": list(found.differing),
        "entitiesThatDiffer": len(found.unlike),
        "shown": [
            {
                "document": one.document,
                "line": one.line,
                "foundBy": "ab"[one.by],
                "category": one.found.category,
                "right": one.right,
                "sentence": one.sentence,
            }
            for one in found.unlike[:shown]
        ],
    }


def _numbers(sides: Sequence[Counts], difference: Difference) -> dict[str, float]:
    return {
        "f1A": sides[0].f1,
        "f1B": sides[1].f1,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "support": sides[0].labelled,
    }
