"""What may be wrong with labels: every mistake with its document, its line and what to do, all at once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from appliance.datasets.document import Label, line_of
from appliance.errors import ApplianceError

SHOWN: Final = 40
OVERLAPS, RELATIONS, DISCONTINUOUS = "overlaps", "relations", "discontinuous"
KINDS: Final = (OVERLAPS, RELATIONS, DISCONTINUOUS)
"""What this software's labels cannot say: a word in two labels, what ties labels, a label with a gap."""
_EXCERPT: Final = 60
_COMMAND: Final = re.compile(r"; (at a terminal|in Python): .*|[^;,(]*--[a-z].*", re.DOTALL)
"""How a hint or remedy names a command, after the step itself; options belong to commands too."""


def _without_command(step: str) -> str:
    return _COMMAND.sub("", step).strip(" ,")


class DatasetError(ApplianceError):
    """Labelled text or recordings cannot be read, or cannot be learnt from."""

    code = "DatasetError"

    @property
    def step(self) -> str:
        """The next step for somebody who has a browser and no terminal; may be empty."""
        return _without_command(self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong.

    Attributes:
        document: Name of the document; the file itself where the mistake is in no document.
        line: Line of the document, from 1; 0 where no line is meant.
        reason: What is wrong, without any text of the document.
        remedy: What to do.
        excerpt: The text in question, for a person at a terminal.
        kind: What cannot be carried (`overlaps`, `relations`, `discontinuous`) and may be left out by wish;
            empty for what must be corrected.
    """

    document: str
    line: int
    reason: str
    remedy: str
    excerpt: str = ""
    kind: str = ""

    def __str__(self) -> str:
        """Render as one line, without text of the document."""
        return self._line(self.remedy)

    @property
    def without_commands(self) -> str:
        """The same for somebody who has a browser and no terminal."""
        return self._line(_without_command(self.remedy))

    def _line(self, remedy: str) -> str:
        place = f"{self.document}, line {self.line}" if self.line else self.document
        return f"{place}: {self.reason}; {remedy}" if remedy else f"{place}: {self.reason}"


class LabellingMistakes(DatasetError):
    """Labels that cannot be learnt from; holds all of them.

    Args:
        mistakes: At least one.
    """

    code = "LabellingMistakes"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        count = len(mistakes)
        documents = len({mistake.document for mistake in mistakes})
        super().__init__(
            f"{count} labelling {'mistake' if count == 1 else 'mistakes'} in {documents} "
            f"{'document' if documents == 1 else 'documents'}",
            hint=_hint(mistakes),
        )
        self.mistakes = tuple(mistakes)


def _hint(mistakes: Sequence[Mistake]) -> str:
    kinds = [kind for kind in KINDS if any(mistake.kind == kind for mistake in mistakes)]
    if not kinds:
        return "correct them all, then run the command again"
    options = " ".join(f"--drop-{kind}" for kind in kinds)
    return f"correct them all, or add {options} to the command: what cannot be carried is left out then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A label as its source wrote it: a place in the source's own unit, not checked yet."""

    category: str
    offset: int
    length: int


def check_claims(
    document: str, text: str, claims: Iterable[Claim], known: frozenset[str], places: Sequence[int] | None
) -> tuple[tuple[Label, ...], list[Mistake]]:
    """Turn claims into labels, and whatever cannot be one into a mistake; none may overlap."""
    labels, mistakes = place_claims(document, text, claims, known, places)
    return labels, [*mistakes, *_overlaps(document, text, labels)]


def place_claims(
    document: str, text: str, claims: Iterable[Claim], known: frozenset[str], places: Sequence[int] | None
) -> tuple[tuple[Label, ...], list[Mistake]]:
    """Turn claims into labels in order, which may overlap, and whatever cannot be one into a mistake.

    Args:
        document: Its name.
        text: Its text.
        claims: The labels of the source.
        known: Categories that were declared.
        places: Code point at each unit of the source's offsets, -1 inside a character; None where the units
            are code points already.
    """
    labels: list[Label] = []
    mistakes: list[Mistake] = []
    for claim in claims:
        label, found = _label(document, text, claim, known, places)
        mistakes += found
        if label is not None:
            labels.append(label)
    return tuple(sorted(labels)), mistakes


def _label(
    document: str, text: str, claim: Claim, known: frozenset[str], places: Sequence[int] | None
) -> tuple[Label | None, list[Mistake]]:
    found: list[Mistake] = []
    named = f"the label {claim.category} at offset {claim.offset}, length {claim.length},"
    span = _span(claim, len(text), places)
    if claim.category not in known:
        close = _closest(claim.category, known)
        found.append(
            Mistake(
                document=document,
                line=line_of(text, span[0]) if span else 0,
                reason=f"{named} has a category that is not declared",
                remedy=f"did you mean {close}?" if close else "declare the category or correct the label",
            )
        )
    if span is None:
        found.append(_nowhere(document, claim, text, places, named))
        return None, found
    start, end = span
    if not text[start:end].strip():
        found.append(
            Mistake(
                document=document,
                line=line_of(text, start),
                reason=f"{named} holds nothing but white space",
                remedy="remove the label or move it to the words that are meant",
            )
        )
        return None, found
    return Label(start, end, claim.category), found


def _nowhere(document: str, claim: Claim, text: str, places: Sequence[int] | None, named: str) -> Mistake:
    """Say why a label has no place in the text."""
    units = len(text) if places is None else len(places) - 1
    line = line_of(text, _before(claim.offset, places)) if 0 <= claim.offset < units else 0
    if claim.length == 0 and line:
        reason, remedy = "is empty", "give the length of what it labels, or remove it"
    elif line and 0 < claim.length <= units - claim.offset:
        reason, remedy = "cuts a character in two", "count offsets in UTF-16 code units"
    else:
        line = 0
        reason = f"lies outside the text, which has {units} characters"
        remedy = "correct offset and length, or use the text that was labelled, with its own line ends"
    return Mistake(document=document, line=line, reason=f"{named} {reason}", remedy=remedy)


def _span(claim: Claim, size: int, places: Sequence[int] | None) -> tuple[int, int] | None:
    start, end = claim.offset, claim.offset + claim.length
    units = size if places is None else len(places) - 1
    if start < 0 or claim.length <= 0 or end > units:
        return None
    if places is not None:
        start, end = places[start], places[end]
    return None if start < 0 or end < 0 else (start, end)


def _before(unit: int, places: Sequence[int] | None) -> int:
    if places is None:
        return unit
    return places[unit] if places[unit] >= 0 else places[unit - 1]


def _overlaps(document: str, text: str, labels: Sequence[Label]) -> list[Mistake]:
    return [
        overlap(document, text, before, after)
        for before, after in pairwise(labels)
        if after.start < before.end
    ]


def overlap(document: str, text: str, before: Label, after: Label) -> Mistake:
    """Return what is wrong with `after`, which overlaps `before`."""
    twice = before[:2] == after[:2]
    return Mistake(
        document=document,
        line=line_of(text, after.start),
        reason=f"the label {after.category} at character {after.start} overlaps "
        f"{before.category} at {before.start}",
        remedy="one of two labels on the same words must go"
        if twice
        else "shorten or remove one of them: a word has one category",
        excerpt=text[min(before.start, after.start) : max(before.end, after.end)][:_EXCERPT],
        kind=OVERLAPS,
    )


def _closest(category: str, known: frozenset[str]) -> str:
    folded = {name.casefold().replace("_", "").replace(" ", ""): name for name in known}
    return folded.get(category.casefold().replace("_", "").replace(" ", ""), "")


def lines(mistakes: Sequence[Mistake], shown: int = SHOWN) -> list[str]:
    """Return one line for each mistake for a terminal, and how many are not shown."""
    told = [
        f"{mistake}" + (f": {mistake.excerpt!r}" if mistake.excerpt else "") for mistake in mistakes[:shown]
    ]
    if len(mistakes) > shown:
        told.append(f"… and {len(mistakes) - shown} more")
    return told
