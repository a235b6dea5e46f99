"""Language tags of people and programs: `en`, `EN-us`, `zh_Hans`, and what a model says it was made for."""

from collections.abc import Iterable
from typing import Final

from license.encoding.fields import LANGUAGE

MULTILINGUAL: Final = "multilingual"
"""In place of a tag: many languages."""

_SCRIPT_LETTERS: Final = 4
_REGION_LETTERS: Final = 2
_NO_LANGUAGE: Final = frozenset({"", "auto", "und", "mul", "mis", "zxx", MULTILINGUAL})
_SAME: Final = {"iw": "he", "in": "id", "ji": "yi", "nb": "no", "nn": "no", "tl": "fil", "cmn": "zh"}
_SCRIPTS: Final = {"chs": "hans", "cht": "hant"}


def stated(tag: str) -> str:
    """Return a tag that names one language, and the empty string for `auto`, `und` and their kin."""
    return "" if tag.strip().casefold() in _NO_LANGUAGE else tag


def fits(tag: str, asked: str) -> bool:
    """Return whether one of two BCP 47 tags is the other or narrows it, as `en-us` narrows `en`."""
    first, second = _parts(tag), _parts(asked)
    shared = min(len(first), len(second))
    return first[:shared] == second[:shared]


def canonical(tag: str) -> str:
    """Return a tag as BCP 47 writes it: `EN_us` is `en-US`; what has not the form of a tag stays as it is."""
    written = tag.strip().replace("_", "-")
    if not is_tag(written):
        return tag
    first, *others = written.split("-")
    return "-".join((first.lower(), *map(_subtag, others)))


def _subtag(text: str) -> str:
    if len(text) == _REGION_LETTERS:
        return text.upper()
    return text.title() if len(text) == _SCRIPT_LETTERS and text.isalpha() else text.lower()


def is_tag(text: str) -> bool:
    """Return whether a text has the form of a BCP 47 tag: letters and digits, parted by hyphens."""
    return LANGUAGE.fullmatch(text) is not None


def covers(languages: Iterable[str], asked: str) -> bool:
    """Return whether what was made for some languages was made for the one that is asked for.

    The language decides, and the script where both name one (`zh-Hans`, `zh-Hant`); regions and variants do
    not. Nothing is known, and nothing denied, where either side names no language: `auto`, `und`, none.

    Args:
        languages: Tags, or `multilingual`.
        asked: A tag as callers write it, in any letter case.
    """
    made_for = [_parts(language) for language in languages if language]
    if not stated(asked) or not made_for or [MULTILINGUAL] in made_for:
        return True
    wanted, script = _language(_parts(asked))
    return any(
        language == wanted and (not script or not own or own == script)
        for language, own in map(_language, made_for)
    )


def _language(parts: list[str]) -> tuple[str, str]:
    """Return language and script; no script where the tag names none."""
    scripts = (_SCRIPTS.get(part, part) for part in parts[1:])
    script = next((part for part in scripts if len(part) == _SCRIPT_LETTERS and part.isalpha()), "")
    return _SAME.get(parts[0], parts[0]), script


def _parts(tag: str) -> list[str]:
    return tag.strip().replace("_", "-").casefold().split("-")
