"""Inverse text normalisation of spoken numbers: `one two three` becomes `123`, `twenty four` becomes `24`.

Numbers that follow one another are written together, as people read out codes and years. A single `one` stays
a word unless it is all that was said, since it seldom is a number. `oh` and `o` are zeros among digits; an
`o` behind a spelled letter is spelled too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = {
    word: value
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
}
_TEENS: Final = {
    word: value
    for value, word in enumerate(
        (
            "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
            "sixteen", "seventeen", "eighteen", "nineteen",
        ),
        10,
    )
}  # fmt: skip
_TENS: Final = {
    word: value * 10
    for value, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2
    )
}
_ORDINALS: Final = frozenset(
    {"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"}
)
_ZEROS: Final = frozenset({"oh", "o"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A written piece, and the words `first` up to `end` that it stands for."""

    text: str
    first: int
    end: int


def write_numbers(words: Sequence[str]) -> list[Written]:
    """Write the numbers among some words in digits.

    Args:
        words: Lower-case words, in order.

    Returns:
        The pieces, each for one word or more; together they cover all words.
    """
    pieces: list[Written] = []
    at = 0
    while at < len(words):
        text, end = _run(words, at)
        pieces.append(Written(text=text or words[at], first=at, end=end if text else at + 1))
        at = pieces[-1].end
    return pieces


def _run(words: Sequence[str], start: int) -> tuple[str, int]:
    """Digits of the numbers that begin here, and the word behind them; no digits where none is meant."""
    digits, at, real = "", start, 0
    if words[start] == "o" and start and len(words[start - 1]) == 1:
        return "", start + 1  # spelled: `g c d o four`
    while at < len(words):
        if words[at] in _ZEROS:
            digits, at = digits + "0", at + 1
            continue
        value, end = _number(words, at)
        if end == at:
            break
        digits, at, real = digits + str(value), end, real + 1
    alone = at - start == 1 and words[start] == "one" and len(words) > 1
    if not real or alone:
        return "", start + 1
    return digits, at


def _number(words: Sequence[str], at: int) -> tuple[int, int]:
    """One number as it is said in one breath, and the word behind it; the same place where there is none."""
    value, end = _below_thousand(words, at)
    if not value or not _is(words, end, "thousand"):
        return value, end
    rest, after = _rest(words, end + 1, _below_thousand, "thousand")
    return value * 1000 + rest, after


def _below_thousand(words: Sequence[str], at: int) -> tuple[int, int]:
    value, end = _below_hundred(words, at)
    if not value or not _is(words, end, "hundred"):
        return value, end
    rest, after = _rest(words, end + 1, _below_hundred, "hundred")
    return value * 100 + rest, after


def _rest(
    words: Sequence[str], at: int, read: Callable[[Sequence[str], int], tuple[int, int]], scale: str
) -> tuple[int, int]:
    """What is added behind a scale, with or without `and`; nothing where it is a multiple of its own."""
    value, end = read(words, at + 1 if _is(words, at, "and") else at)
    return (value, end) if value and not _is(words, end, scale) else (0, at)


def _is(words: Sequence[str], at: int, word: str) -> bool:
    return at < len(words) and words[at] == word


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int]:
    if at >= len(words):
        return 0, at
    word = words[at]
    if word in _DIGITS:
        return _DIGITS[word], at + 1
    if word in _TEENS:
        return _TEENS[word], at + 1
    if word in _TENS:
        if at + 1 < len(words) and words[at + 1] in _ORDINALS:
            return 0, at  # `twenty first` is no `20 first`
        following = _DIGITS.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return _TENS[word] + following, at + (2 if following else 1)
    return 0, at
