"""Texts of Whisper's tokens: byte-level pieces, words made of them, and the prompt before a transcript."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tokenizers import Tokenizer

from appliance.errors import ModelError
from appliance.speech.model.whisper_config import WhisperConfig

_UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
_BROKEN: Final = "�"
_PROMPT_SHARE: Final = 2  # the part of the decoder's positions that a prompt may take: half


class Written(Protocol):
    """A word as the model writes it, with the space before it."""

    @property
    def written(self) -> str:
        """Its text."""
        ...


@dataclass(frozen=True, slots=True)
class Word:
    """A word as the model writes it: its text with the space before it and its punctuation, and its
    tokens."""

    written: str
    first: int
    end: int


class WhisperTokens:
    """Reads and writes tokens.

    Args:
        config: What the folder says.

    Raises:
        ModelError: Its tokenizer cannot be used.
    """

    def __init__(self, config: WhisperConfig) -> None:
        self.config = config
        try:
            self._tokenizer = Tokenizer.from_str(config.tokenizer)
        except Exception as error:  # the library's exceptions share no base class but this
            raise ModelError(f"the tokenizer cannot be read: {error}") from error
        self._tokenizer.encode_special_tokens = True  # a special token in a phrase is text

    def begin(self, language: str, phrases: Sequence[str] = ()) -> list[int]:
        """The tokens a transcript begins with.

        Args:
            language: Code of the language, such as `de`; not looked at where the model knows English alone.
            phrases: What may be said: the model reads it as text that came before.
        """
        config = self.config
        prompt = [config.start]
        if config.languages:
            prompt.append(config.languages[language])
        if config.transcribe is not None:
            prompt.append(config.transcribe)
        return [*self._before(phrases), *prompt, config.no_timestamps]

    def _before(self, phrases: Sequence[str]) -> list[int]:
        if not phrases or self.config.previous is None:
            return []
        most = self.config.positions // _PROMPT_SHARE - 1
        kept: list[str] = []
        room = most
        for phrase in phrases:  # whole phrases, as many as there is room for
            room -= len(self.encode(f" {phrase.strip()},"))
            if room < 0:
                break
            kept.append(phrase.strip())
        # The full stop matters: behind a comma, the model takes the beginning of the speech for said already.
        return [self.config.previous, *self.encode(f" {', '.join(kept)}.")] if kept else []

    def encode(self, text: str) -> list[int]:
        """Tokens of a text; none of them is a special one."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def text(self, tokens: Sequence[int]) -> str:
        """The text of some tokens, with the space before it."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def words(self, tokens: Sequence[int], language: str) -> list[Word]:
        """Group tokens into words; punctuation belongs to the word before it, opening marks to the next."""
        parts: list[Word] = []
        for first, end, text in self._characters(tokens):
            if not parts or text.startswith(" ") or language in _UNSPACED:
                parts.append(Word(text, first, end))
            else:
                parts[-1] = _joined(parts[-1], Word(text, first, end))
        found: list[Word] = []
        for part in parts:
            if found and not (_spoken(part.written) and _spoken(found[-1].written)):
                found[-1] = _joined(found[-1], part)
            else:
                found.append(part)
        return [word for word in found if _spoken(word.written)]

    def _characters(self, tokens: Sequence[int]) -> list[tuple[int, int, str]]:
        """Tokens in the least groups that are whole characters."""
        found: list[tuple[int, int, str]] = []
        first = 0
        for end in range(1, len(tokens) + 1):
            text = self.text(tokens[first:end])
            if _BROKEN in text and end < len(tokens) and end - first < 8:
                continue
            found.append((first, end, text.replace(_BROKEN, "")))
            first = end
        return found


def _joined(word: Word, more: Word) -> Word:
    return Word(word.written + more.written, word.first, more.end)


def lexical(written: str) -> str:
    """A word as it is spoken: lower case, without the punctuation around it."""
    letters = [at for at, sign in enumerate(written) if _is_spoken(sign)]
    return written[letters[0] : letters[-1] + 1].lower() if letters else ""


def spoken_text(words: Sequence[Written]) -> str:
    """Words as they are spoken, behind one another, with spaces where the language has them."""
    parts = [(" " if word.written.startswith(" ") else "") + lexical(word.written) for word in words]
    return "".join(parts).strip()


def _spoken(text: str) -> bool:
    return any(map(_is_spoken, text))


def _is_spoken(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LMN" or sign in "%$€£¥&@+°"
