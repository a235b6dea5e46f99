"""Texts as they are said, so that models which write differently are compared by what they heard.

Lower case, no punctuation, numbers in words; the same for what was said and what was heard. One model writes
`5%`, `Mr. Smith` and `1966`, a transcript `five per cent`, `mister smith` and `nineteen sixty six`.

Some of what is written can be said in several ways: `748` one by one or as a number, `USA` as letters or as a
word. In what was said, one way is taken. Up to three digits, and such as end with three zeros or are cut by
commas, are cardinals; four digits from 1100 to 2099 are years; other long numbers, and those joined by
hyphens, are read one by one; capitals are a word. Of what was heard, all ways are given, and the one that
fits is taken (`word_errors.best_reading`). Numbers of other languages than English stay as they are.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Final
from unicodedata import normalize

import regex

from appliance.speech.evaluation.number_words import (
    DIGITS,
    LARGEST,
    NUMBERS,
    SCALES,
    as_ordinal,
    cardinal,
    digits,
    ordinal,
    plural,
    year,
)
from appliance.speech.evaluation.word_errors import Readings

Match = regex.Match[str]

_MARKS: Final = str.maketrans("\u2019\u2018\u02bc`\u2212\u2010", "''''--")
"""Typographic apostrophes and hyphens, as they are after NFKC."""
_VULGAR: Final = {"½": "half", "¼": "quarter", "¾": "three quarters"}
_UNITS: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
_SIGNS: Final = {"%": "percent", "&": "and", "+": "plus", "@": "at", "=": "equals", "°": "degrees"}
_WORDS: Final = {"mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay"}
_MONTHS: Final = frozenset(
    (
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
        "november", "december",
    )
)  # fmt: skip
_PLAIN: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*")

_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
_READ: Final = regex.compile(
    rf"""
    (?P<letters>\b(?:\p{{L}}\.){{2,}})
  | (?P<money>(?P<unit>[$£€])\s?(?P<amount>{_NUMBER})(?:\.(?P<cents>\d+))?
        (?:\s(?P<scale>hundred|thousand|million|billion|trillion)\b)?)
  | (?P<time>\b(?P<hour>\d{{1,2}}):(?P<minute>[0-5]\d)(?![\d:]))
  | (?P<decade>\b(?P<tens>\d{{1,3}}0)'?s\b)
  | (?P<ordinal>(?P<place>{_NUMBER})(?:st|nd|rd|th)\b)
  | (?P<joined>\b\d+(?:-\d+)+\b)
  | (?P<number>(?P<minus>(?<![\p{{L}}\p{{N}}-])-)?(?P<whole>{_NUMBER})(?:\.(?P<part>\d+))?)
  | (?P<point>\.(?P<after>\d+))
  | (?P<word>[\p{{L}}\p{{M}}]+(?:'[\p{{L}}\p{{M}}]+)*)
  | (?P<sign>[%&+@=°])
  | (?P<count>\#(?=\d))
    """,
    regex.VERBOSE | regex.IGNORECASE,
)


class _Word(str):
    """A word of a piece that can be read in other ways too; `piece` is its number."""

    __slots__ = ("piece",)
    piece: int


def spoken_words(text: str, *, english: bool = True) -> list[str]:
    """Return the words of a text as they are said.

    Args:
        text: As a person or a model wrote it.
        english: Whether numbers, signs and abbreviations are those of English; otherwise they stay.
    """
    return [word for readings in spoken_readings(text, english=english) for word in readings[0]]


def spoken_readings(text: str, *, english: bool = True) -> list[Readings]:
    """Return the pieces of a text with all the ways in which each can be said, the usual one first.

    Args:
        text, english: As `spoken_words` takes them.
    """
    for sign, word in _VULGAR.items():
        text = regex.sub(rf"(\d)\s*{sign}", rf"\1 and {'' if ' ' in word else 'a '}{word}", text)
        text = text.replace(sign, f" {word} ")
    plain = normalize("NFKC", text).translate(_MARKS)
    if not english:
        return [(_PLAIN.findall(plain.lower()),)]
    words: list[str] = []
    others: dict[int, list[list[str]]] = {}
    for piece, match in enumerate(_READ.finditer(plain)):
        usual, *rest = _READERS[match.lastgroup](match)
        others[piece] = [one for one in rest if one != usual]
        words += [_marked(word, piece) for word in usual] if others[piece] else usual
    return [
        (list(group), *others.get(piece, ()))
        for piece, group in groupby(_settled(words), lambda word: getattr(word, "piece", -1))
    ]


def _marked(word: str, piece: int) -> str:
    marked = _Word(word)
    marked.piece = piece
    return marked


def _number(text: str) -> list[list[str]]:
    """A whole number, perhaps cut by commas."""
    plain = text.replace(",", "")
    value, size = int(plain), len(plain)
    if value > LARGEST or (size > 1 and plain[0] == "0"):
        return [digits(plain)]
    if "," in text or size < 4 or plain.endswith("000"):
        first = cardinal(value)
    elif size == 4 and 1100 <= value < 2100:
        first = year(value)
    else:
        first = cardinal(value) if size == 4 and plain.endswith("00") else digits(plain)
    return [first, cardinal(value), digits(plain), *([year(value)] if size in (3, 4) else [])]


def _cardinal(text: str) -> list[str]:
    plain = text.replace(",", "")
    return cardinal(int(plain)) if int(plain) <= LARGEST else digits(plain)


def _letters(match: Match) -> list[list[str]]:
    letters = match["letters"].lower().replace(".", " ").split()
    return [letters, ["".join(letters)]]


def _word(match: Match) -> list[list[str]]:
    written = match["word"]
    word = written.lower()
    plain = [_WORDS.get(word, word)]
    return [plain, list(word)] if len(word) > 1 and written.isupper() and written.isalpha() else [plain]


def _money(match: Match) -> list[list[str]]:
    one, many, cent, cents = _UNITS[match["unit"]]
    amount, part, scale = match["amount"], match["cents"] or "", match["scale"]
    if scale or len(part) > 2:
        fraction = ["point", *digits(part)] if part else []
        return [[*_cardinal(amount), *fraction, *([scale.lower()] if scale else []), many]]
    whole = [*_cardinal(amount), one if int(amount.replace(",", "")) == 1 else many]
    small = int(part.ljust(2, "0")) if part else 0
    rest = [*cardinal(small), cent if small == 1 else cents] if small else []
    return [rest if rest and not int(amount.replace(",", "")) else whole + rest]


def _time(match: Match) -> list[list[str]]:
    hour, minute = cardinal(int(match["hour"])), match["minute"]
    if minute == "00":
        half = regex.match(r"\s*[ap]\.?m\b", match.string, regex.IGNORECASE, pos=match.end())
        return [hour] if half else [[*hour, "o'clock"], hour]
    return [[*hour, *(["oh"] if minute[0] == "0" else []), *cardinal(int(minute))]]


def _decade(match: Match) -> list[list[str]]:
    tens = match["tens"]
    return [plural(year(int(tens)) if len(tens) == 4 else cardinal(int(tens)))]


def _ordinal(match: Match) -> list[list[str]]:
    value = int(match["place"].replace(",", ""))
    return [ordinal(value) if value <= LARGEST else digits(match["place"].replace(",", ""))]


def _joined(match: Match) -> list[list[str]]:
    parts = match["joined"].split("-")
    one_by_one, numbers = digits("".join(parts)), [word for part in parts for word in _number(part)[0]]
    years = all(len(part) == 4 and 1100 <= int(part) < 2100 for part in parts)
    return [numbers, one_by_one] if years else [one_by_one, numbers]


def _decimal(match: Match) -> list[list[str]]:
    before, part = (["minus"] if match["minus"] else []), match["part"]
    if part is None:
        return [before + words for words in _number(match["whole"])]
    return [[*before, *_cardinal(match["whole"]), "point", *digits(part)]]


_READERS: Final[dict[str | None, Callable[[Match], list[list[str]]]]] = {
    "letters": _letters,
    "money": _money,
    "time": _time,
    "decade": _decade,
    "ordinal": _ordinal,
    "joined": _joined,
    "number": _decimal,
    "point": lambda match: [["point", *digits(match["after"])]],
    "word": _word,
    "sign": lambda match: [[_SIGNS[match["sign"]]]],
    "count": lambda _: [["number"]],
}
"""What reads a match, by the name of its outermost group, which is the one that `lastgroup` names."""


def _settled(words: list[str]) -> list[str]:
    """Make one of what is said in two ways: zeros, `and` in numbers, `a hundred`, `pm`, days of a month."""
    _zero(words)
    found: list[str] = []
    for at, word in enumerate(words):
        before, after = (found[-1] if found else ""), (words[at + 1] if at + 1 < len(words) else "")
        if word == "a" and after in SCALES:
            found.append("one")
        elif word == "cent" and before == "per":
            found[-1] = "percent"
        elif word == "pm" or (word == "am" and before in NUMBERS):
            found += list(word)
        elif not (word == "and" and before in SCALES and after in NUMBERS):
            found.append(word)
    return _dated(found)


def _zero(words: list[str]) -> None:
    """Read `oh` beside a digit, and `o` between two, as zero."""
    count = len(words)
    for step in (1, -1):
        for at in range(count)[::step]:
            beside = at - step
            if words[at] == "oh" and 0 <= beside < count and words[beside] in DIGITS:
                words[at] = "zero"
    for at in range(1, count - 1):
        if words[at] == "o" and words[at - 1] in DIGITS and words[at + 1] in DIGITS:
            words[at] = "zero"


def _dated(words: list[str]) -> list[str]:
    """Days behind the name of a month as ordinals: `january twelve` is the twelfth."""
    found: list[str] = []
    at = 0
    while at < len(words):
        found.append(words[at])
        at += 1
        if found[-1] not in _MONTHS:
            continue
        for size in (2, 1):
            day = words[at : at + size]
            if any(day == cardinal(number) for number in range(1, 32)):
                found += as_ordinal(day)
                at += size
                break
    return found
