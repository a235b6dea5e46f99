"""Tags of words to labels and back: IO, IOB1, IOB2, BIOES, BILOU, BMEWO, with or without prefix.

A scheme is told by the prefixes in use. Where nothing but `O` and names stands (Stanford's files), each run
of one name is a label. `E-MAIL` beside `PHONE` is a name: an end without a beginning belongs to no scheme.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

OUTSIDE: Final = "O"
_PREFIXED: Final = re.compile(r"([BILUESMWbiluesmw])[-_](.+)", re.DOTALL)
_BEGINS: Final = frozenset("BSUW")
_ENDS: Final = frozenset("LESUW")
_NAMES: Final = 100
"""Different names that tags without prefix may have; a column of lemmas has more."""
_SHARE_OUTSIDE: Final = 0.3
CHUNKS: Final = frozenset(
    ("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NX", "QP", "WHNP")
)
"""Categories of a column of chunks, as CoNLL-2000 and 2003 have one beside the names."""

WRITTEN: Final = ("IOB2", "BIOES", "BILOU")
"""The schemes that are written."""
_LETTERS: Final = {
    "IOB2": ("B", "I", "I", "B"),
    "BIOES": ("B", "I", "E", "S"),
    "BILOU": ("B", "I", "L", "U"),
}
"""Letters of the first word, those between, the last, and of a single one."""


class Run(NamedTuple):
    """Words `start:end` of a sentence with a category."""

    start: int
    end: int
    category: str


class Scheme(NamedTuple):
    """How a column of tags is read.

    Attributes:
        name: As messages call it.
        prefixed: Whether a letter before the category says where a label begins and ends.
    """

    name: str
    prefixed: bool


def recognise(tags: Mapping[str, int]) -> Scheme | None:
    """Tell the scheme of a column from its tags and how often each occurs; None if they are no tags.

    A few tags that fit no scheme are left to `parse`, which names them.
    """
    named = {tag: count for tag, count in tags.items() if tag != OUTSIDE}
    total = sum(named.values())
    if not total:
        return Scheme("IOB2", prefixed=True) if tags.get(OUTSIDE) else None
    prefixes: Counter[str] = Counter()
    for tag, count in named.items():
        if matched := _PREFIXED.fullmatch(tag):
            prefixes[matched[1]] += count
    # In small letters, `i-phone` is a name where nothing begins with `b-`.
    if not any(letter.isupper() for letter in prefixes) and "b" not in prefixes:
        prefixes.clear()
    letters = frozenset("".join(prefixes).upper())
    if 2 * prefixes.total() >= total and (letters & frozenset("BISUW")):
        return Scheme(_name(letters), prefixed=True)
    outside = tags.get(OUTSIDE, 0) / (total + tags.get(OUTSIDE, 0))
    words = len(named) <= _NAMES and all(re.search(r"[^\W\d_]", tag) for tag in named)
    return Scheme("IO, without prefix", prefixed=False) if words and outside >= _SHARE_OUTSIDE else None


def _name(letters: frozenset[str]) -> str:
    for marks, name in (
        ("W", "BMEWO"),
        ("M", "BMES"),
        ("ES", "BIOES"),
        ("LU", "BILOU"),
        ("B", "IOB"),
    ):
        if letters & frozenset(marks):
            return name
    return "IO"


def categories(tags: Iterable[str]) -> frozenset[str]:
    """Return the categories of tags with a prefix."""
    return frozenset(matched[2] for tag in tags if (matched := _PREFIXED.fullmatch(tag)))


def is_tag(tag: str, scheme: Scheme) -> bool:
    """Whether a cell is a tag of the scheme."""
    return tag == OUTSIDE or not scheme.prefixed or _PREFIXED.fullmatch(tag) is not None


def runs(tags: Sequence[str], scheme: Scheme) -> tuple[list[Run], int]:
    """Return the labels of a sentence, and how many began with a tag for the inside of one.

    The latter is how IOB1 writes each label, and in other schemes a slip: as in conlleval, a label begins.
    """
    found: list[Run] = []
    slips = 0
    before, ended = "", True
    for place, tag in enumerate(tags):
        prefix, category = _parts(tag, scheme)
        if category and (ended or prefix in _BEGINS or category != before):
            found.append(Run(place, place + 1, category))
            slips += scheme.prefixed and prefix not in _BEGINS
        elif category:
            found[-1] = found[-1]._replace(end=place + 1)
        before, ended = category, not category or prefix in _ENDS
    return found, slips


def _parts(tag: str, scheme: Scheme) -> tuple[str, str]:
    if tag == OUTSIDE:
        return "", ""
    if not scheme.prefixed:
        return "I", tag
    matched = _PREFIXED.fullmatch(tag)
    return (matched[1].upper(), matched[2]) if matched else ("", "")


def tags_of(size: int, found: Iterable[Run], scheme: str) -> list[str]:
    """Return the tags of a sentence of `size` words in one of the schemes `WRITTEN`."""
    tags = [OUTSIDE] * size
    begin, inside, end, single = _LETTERS[scheme]
    for start, stop, category in found:
        letters = [single] if stop == start + 1 else [begin, *[inside] * (stop - start - 2), end]
        tags[start:stop] = [f"{letter}-{category}" for letter in letters]
    return tags
