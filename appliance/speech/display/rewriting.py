"""`Wfstitn`: words to their written form by a table, the longest match first; numbers where it is silent.

doctor smith	Dr. Smith
percent	%
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.errors import ModelError
from appliance.speech.display.numbers import Written, write_numbers

MAX_RULES: Final = 200_000
MAX_WORDS: Final = 16
MAX_WRITTEN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A table of written forms.

    Attributes:
        written: Written form of spoken words.
        longest: Words of the longest entry.
    """

    written: Mapping[tuple[str, ...], str]
    longest: int

    @classmethod
    def read(cls, text: str, where: str) -> "Rules":
        """Read lines of spoken words, a tab, and the written form; `#` begins a line of comment.

        Raises:
            ModelError: A line is something else, or there are too many.
        """
        found: dict[tuple[str, ...], str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            spoken, tab, written = line.partition("\t")
            words = tuple(spoken.lower().split())
            if not tab or not 0 < len(words) <= MAX_WORDS or not 0 < len(written.strip()) <= MAX_WRITTEN:
                raise ModelError(
                    f"line {number} of {where} is not a rule",
                    hint=f"a rule is 1 to {MAX_WORDS} words, a tab, and up to {MAX_WRITTEN} characters",
                )
            found[words] = " ".join(written.split())
            if len(found) > MAX_RULES:
                raise ModelError(f"{where} has more than {MAX_RULES} rules")
        return cls(written=found, longest=max(map(len, found), default=0))

    def write(self, words: Sequence[str]) -> list[Written]:
        """Return the written pieces of some words; all words that no rule covers are read for numbers."""
        pieces: list[Written] = []
        open_from = at = 0
        while at < len(words):
            length = self._match(words, at)
            if not length:
                at += 1
                continue
            pieces += _numbers(words, open_from, at)
            pieces.append(
                Written(text=self.written[tuple(words[at : at + length])], first=at, end=at + length)
            )
            at = open_from = at + length
        return [*pieces, *_numbers(words, open_from, len(words))]

    def _match(self, words: Sequence[str], at: int) -> int:
        for length in range(min(self.longest, len(words) - at), 0, -1):
            if tuple(words[at : at + length]) in self.written:
                return length
        return 0


def _numbers(words: Sequence[str], first: int, end: int) -> list[Written]:
    return [
        Written(text=written.text, first=written.first + first, end=written.end + first)
        for written in write_numbers(words[first:end])
    ]
