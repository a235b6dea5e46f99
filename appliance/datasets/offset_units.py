"""What the offsets of a label file count: found by agreement with the labels' own text, else asked for.

A unit says what one step is (a code point, a UTF-16 unit, a byte of UTF-8, a grapheme), whether a line end of
two characters is one step, and whether the end of a label still belongs to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import regex

from appliance.datasets.label_errors import DatasetError

COUNTED: Final = ("code-points", "utf16", "bytes", "graphemes")
_CRLF, _INCLUSIVE = "crlf-as-one", "inclusive"
_FEW: Final = 3
"""Labels that may cut words in a file before the unit is in doubt: some languages label parts of words."""
_BETTER: Final = 4
"""A likely unit cuts at most one for this many that the usual one cuts."""
_SPACE: Final = regex.compile(r"\s+")
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}]")
# Scripts without spaces between words: an edge between two letters says nothing there.
_UNSPACED: Final = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)


@dataclass(frozen=True, slots=True)
class OffsetUnit:
    """What offsets count.

    Attributes:
        counted: One of `COUNTED`.
        crlf_as_one: A carriage return and a line feed together are one step.
        inclusive: The end is the last step of the label, not the one after it.
    """

    counted: str = "code-points"
    crlf_as_one: bool = False
    inclusive: bool = False

    def __str__(self) -> str:
        """Render as `--offset-unit` takes it."""
        words = [self.counted, *([_CRLF] if self.crlf_as_one else [])]
        return "+".join([*words, *([_INCLUSIVE] if self.inclusive else [])])

    @classmethod
    def parse(cls, text: str) -> "OffsetUnit":
        """Read what `__str__` writes.

        Raises:
            DatasetError: It names no unit.
        """
        counted, *more = text.split("+")
        if counted not in COUNTED or not set(more) <= {_CRLF, _INCLUSIVE}:
            raise DatasetError(
                f"{text[:60]!r} is no unit of offsets",
                hint=f"say one of {', '.join(COUNTED)}, and add +{_CRLF} or +{_INCLUSIVE} where it holds",
            )
        # A carriage return and a line feed are one grapheme in any case.
        return cls(counted, _CRLF in more and counted != "graphemes", _INCLUSIVE in more)


CODE_POINTS: Final = OffsetUnit()
UTF16: Final = OffsetUnit("utf16")
CANDIDATES: Final = tuple(
    OffsetUnit(counted, crlf, inclusive)
    for inclusive in (False, True)
    for crlf in (False, True)
    for counted in COUNTED
    if not (crlf and counted == "graphemes")
)


class Spot(NamedTuple):
    """A label's place in the unit of its file, and its text where the file holds it."""

    start: int
    end: int
    said: str | None = None


Texts = Sequence[tuple[str, Sequence[Spot]]]
"""Texts with the labels of each."""


def places(text: str, unit: OffsetUnit) -> list[int] | None:
    """Return the code point at each step of a text, its end included; None if they are the same.

    A step inside of a character is -1: no label may begin or end there.
    """
    crlf = unit.crlf_as_one and "\r\n" in text
    if not crlf and (unit.counted == "code-points" or (text.isascii() and unit.counted != "graphemes")):
        return None
    found: list[int] = []
    for at, step in _steps(text, unit.counted):
        if crlf and text[at] == "\n" and at and text[at - 1] == "\r":
            continue
        found += [at, *[-1] * (step - 1)]
    return [*found, len(text)]


def _steps(text: str, counted: str) -> Iterator[tuple[int, int]]:
    """Yield where each character begins, and how many steps it takes."""
    if counted == "graphemes":
        for cluster in regex.finditer(r"\X", text):
            yield cluster.start(), 1
        return
    for at, character in enumerate(text):
        if counted == "utf16":
            yield at, 1 + (character >= "\U00010000")
        elif counted == "bytes":
            yield at, len(character.encode("utf-8", "surrogatepass"))
        else:
            yield at, 1


def span(spot: Spot, steps: Sequence[int] | None, size: int, unit: OffsetUnit) -> tuple[int, int] | None:
    """Return the code points that a label covers, or None where it has no place in the text."""
    start, end = spot.start, spot.end + unit.inclusive
    if start < 0 or end <= start or end > (size if steps is None else len(steps) - 1):
        return None
    if steps is not None:
        start, end = steps[start], steps[end]
    return (start, end) if start >= 0 and end > start else None


def same_words(one: str, other: str) -> bool:
    """Whether two spellings of a label's text are equal but for the kind of white space in them."""
    return one == other or _SPACE.sub(" ", one) == _SPACE.sub(" ", other)


def cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a label begins or ends inside of a word, or with white space."""
    if text[start].isspace() or text[end - 1].isspace():
        return True
    return any(
        0 < edge < len(text) and _is_word(text[edge - 1]) and _is_word(text[edge]) for edge in (start, end)
    )


def _is_word(character: str) -> bool:
    return _WORD.match(character) is not None and _UNSPACED.match(character) is None


@dataclass(frozen=True, slots=True)
class Choice:
    """The unit of a file, and a line that says why where it is not the usual one."""

    unit: OffsetUnit
    note: str = ""


def choose(texts: Texts, usual: OffsetUnit, name: str) -> Choice:
    """Find what the offsets of a file count.

    Args:
        texts: Its texts with their labels.
        usual: What the format says.
        name: What the file is called.

    Raises:
        DatasetError: Many labels cut words, another unit is likely, and no label's text tells.
    """
    told = [
        (text, [spot for spot in spots if spot.said])
        for text, spots in texts
        if any(spot.said for spot in spots)
    ]
    count = sum(len(spots) for _, spots in told)
    if count:
        return _by_agreement(told, usual, count)
    count = sum(len(spots) for _, spots in texts)
    bad = _wrong(texts, usual, count)
    if bad <= _FEW and 2 * bad <= count:
        return Choice(usual)
    likely, least = _best(texts, usual, bad)
    if least * _BETTER > bad:
        return Choice(usual)
    raise DatasetError(
        f"{name}: {bad} of {count} labels cut words or lie outside the text if offsets count {usual}, "
        f"{least} if they count {likely}",
        hint=f"add --offset-unit {likely} to the command, or {usual} if the labels are meant so",
    )


def _by_agreement(told: Texts, usual: OffsetUnit, count: int) -> Choice:
    bad = _wrong(told, usual, count)
    if not bad:
        return Choice(usual)
    likely, least = _best(told, usual, bad)
    if 2 * least > count or least == bad:
        return Choice(usual)
    return Choice(likely, f"offsets count {likely}: so {count - least} of {count} labels hold their own text")


def _best(texts: Texts, usual: OffsetUnit, bad: int) -> tuple[OffsetUnit, int]:
    best = usual
    for unit in CANDIDATES:
        wrong = _wrong(texts, unit, bad)
        if wrong < bad:
            best, bad = unit, wrong
    return best, bad


def _wrong(texts: Texts, unit: OffsetUnit, most: int) -> int:
    """Count the labels that a unit gives no sense; stops after `most`, where it can no longer win."""
    wrong = 0
    for text, spots in texts:
        steps = places(text, unit) if spots else None
        for spot in spots:
            found = span(spot, steps, len(text), unit)
            if found is None:
                wrong += 1
            elif spot.said:
                wrong += not same_words(text[slice(*found)], spot.said)
            else:
                wrong += cuts_word(text, *found)
            if wrong > most:
                return wrong
    return wrong
