"""English numbers in words: cardinals, ordinals, years, and digits one by one."""

from typing import Final

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_BELOW_TWENTY: Final = (
    *DIGITS, "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES: Final = ("", "thousand", "million", "billion", "trillion")
LARGEST: Final = 10 ** (3 * len(_SCALES)) - 1
"""The largest number that has words."""
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
NUMBERS: Final = frozenset((*_BELOW_TWENTY, *_TENS[2:]))
"""Words of numbers below a hundred."""
SCALES: Final = frozenset(("hundred", *_SCALES[1:]))


def digits(text: str) -> list[str]:
    """Return each digit as a word."""
    return [DIGITS[int(digit)] for digit in text]


def cardinal(number: int) -> list[str]:
    """Return a number from 0 to `LARGEST` in words, without `and`: `two hundred five`."""
    if number < 100:
        return _below_hundred(number)
    parts: list[str] = []
    for power in range(len(_SCALES) - 1, -1, -1):
        group = number // 1000**power % 1000
        if group:
            hundreds, rest = divmod(group, 100)
            parts += [DIGITS[hundreds], "hundred"] if hundreds else []
            parts += _below_hundred(rest) if rest else []
            parts += [_SCALES[power]] if power else []
    return parts


def ordinal(number: int) -> list[str]:
    """Return `first`, `twenty second`, and so on."""
    return as_ordinal(cardinal(number))


def as_ordinal(words: list[str]) -> list[str]:
    """Return the ordinal of a cardinal in words."""
    *before, last = words
    if last.endswith("y"):
        return [*before, last.removesuffix("y") + "ieth"]
    return [*before, _ORDINALS.get(last, last + "th")]


def year(number: int) -> list[str]:
    """Return a number of four digits as years are said: `nineteen oh five`, `two thousand one`."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if not rest:
        return [*_below_hundred(century), "hundred"]
    return [*_below_hundred(century), *(["oh"] if rest < 10 else []), *_below_hundred(rest)]


def plural(words: list[str]) -> list[str]:
    """Return words with the last one in the plural: `nineteen nineties`."""
    *before, last = words
    return [*before, last.removesuffix("y") + "ies" if last.endswith("y") else last + "s"]


def _below_hundred(number: int) -> list[str]:
    if number < 20:
        return [_BELOW_TWENTY[number]]
    tens, rest = divmod(number, 10)
    return [_TENS[tens], *([DIGITS[rest]] if rest else [])]
