"""Forms of a text whose model writes capitals, punctuation and numbers itself, as Whisper does."""

import re
from collections.abc import Sequence
from typing import Final

from appliance.speech.decoding.segment import HeardWord
from appliance.speech.display.numbers import Written
from appliance.speech.display.text import Profanity, Shown, is_profane

_CORE: Final = re.compile(r"\w(?:.*\w)?", re.DOTALL)


def show_written(words: Sequence[HeardWord], profanity: Profanity) -> Shown:
    """Bring words into their forms: display as the model wrote it, the others without capitals and
    punctuation.

    Numbers are digits in all forms, since the model writes them so.
    """
    display = [_masked(word.written, profanity) for word in words]
    kept = [(at, text) for at, text in enumerate(display) if text.strip()]
    spoken = _together([_spaced(word, word.text) for word in words])
    return Shown(
        lexical=spoken,
        itn=spoken,
        masked=_together([_spaced(words[at], _masked(words[at].text, profanity)) for at, _ in kept]),
        display=_together([text for _, text in kept]),
        pieces=tuple(Written(text=text.strip(), first=at, end=at + 1) for at, text in kept),
    )


def _spaced(word: HeardWord, text: str) -> str:
    return f" {text}" if word.written.startswith(" ") else text


def _together(parts: Sequence[str]) -> str:
    return "".join(parts).strip()


def _masked(written: str, profanity: Profanity) -> str:
    """A word with its swearing masked or removed; its punctuation goes with it where it is removed."""
    core = _CORE.search(written)
    if profanity is Profanity.RAW or core is None or not is_profane(core[0].lower()):
        return written
    if profanity is Profanity.REMOVED:
        return ""
    return written[: core.start()] + "*" * len(core[0]) + written[core.end() :]
