"""Pronunciations as the cloud takes them: how something is written, a tab, and how it is spoken.

3CPO	three c p o
CNTK	c n t k
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.errors import ModelError

MAX_LINES: Final = 5_000
MAX_CHARACTERS: Final = 100
"""Of each of the two forms."""
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SHAPE: Final = (
    f"a line is a displayed form, a tab and its spoken form, each of up to {MAX_CHARACTERS} characters"
)
_LONGEST: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Pronunciations:
    """How some things are written, by how they are spoken.

    Attributes:
        displayed: Displayed form by the words of the spoken form, lower case.
        sounds: Spoken and displayed form by the letters of the spoken form alone, digits as words.
        longest: Characters of the longest of those.
    """

    displayed: Mapping[tuple[str, ...], str]
    sounds: Mapping[str, tuple[str, str]]
    longest: int

    @classmethod
    def read(cls, text: str, where: str) -> "Pronunciations":
        """Read lines of displayed form, tab, spoken form; empty lines do not count.

        Raises:
            ModelError: A line is something else, or there are too many.
        """
        found: dict[tuple[str, ...], str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            displayed, _, spoken = (" ".join(part.split()) for part in line.partition("\t"))
            words = tuple(spoken.lower().split())
            if "\t" not in line or not displayed or not any(map(letters, words)):
                raise ModelError(f"line {number} of {where} is no pronunciation", hint=_SHAPE)
            if max(len(displayed), len(spoken)) > MAX_CHARACTERS:
                raise ModelError(f"line {number} of {where} is too long", hint=_SHAPE)
            found.setdefault(words, displayed)
            if len(found) > MAX_LINES:
                raise ModelError(f"{where} has more than {MAX_LINES} pronunciations")
        sounds = {letters("".join(words)): (" ".join(words), shown) for words, shown in found.items()}
        return cls(displayed=found, sounds=sounds, longest=max(map(len, sounds), default=0))

    def match(self, words: Sequence[str], at: int) -> tuple[int, str, str] | None:
        """Find the longest spoken form that begins at a word, however it is cut into words.

        A word that can be read aloud is not taken for letters one by one: `it` is no `i t`, but `IT`, `I.T.`
        and `cntk` are letters. A sign on its own, such as `&`, is part of none.

        Args:
            words: As they are written, punctuation included.
            at: The first one.

        Returns:
            How many words it takes, its spoken form, and its displayed form; None if none begins there.
        """
        best = None
        sound = ""
        for count, word in enumerate(words[at : at + _LONGEST], 1):
            said = letters(word)
            sound += said
            if not said or len(sound) > self.longest:
                break
            if sound in self.sounds:
                spoken, displayed = self.sounds[sound]
                if not (_spelled(spoken) and any(map(_read_aloud, words[at : at + count]))):
                    best = (count, spoken, displayed)
        return best


def _spelled(spoken: str) -> bool:
    return all(len(word) == 1 for word in spoken.split())


def _read_aloud(written: str) -> bool:
    """Whether it is a word with a vowel in small letters, the first perhaps a capital."""
    word = written.strip(".,;:!?\"'()[]{} ")
    return (
        len(word) > 1
        and word.isalpha()
        and word[1:].islower()
        and not set("bcdfghjklmnpqrstvwxz") >= set(word.lower())
    )


def letters(word: str) -> str:
    """What of a word is spoken, in lower case, digits one by one: `3-CPO` is `threecpo`."""
    kept = "".join(sign for sign in word.lower() if sign.isalnum())
    return re.sub("[0-9]", lambda digit: _DIGITS[int(digit[0])], kept)
