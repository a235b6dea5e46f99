"""Words that a Whisper has written, where a pronunciation says that they are displayed otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from appliance.speech.adaptation.pronunciations import Pronunciations
from appliance.speech.decoding.segment import HeardWord

_OPENING: Final = "\"'\u201c\u2018\u00ab([{\u00bf\u00a1"
_CLOSING: Final = ".,;:!?\u2026\"'\u201d\u2019\u00bb)]}"


def with_displayed_forms(words: Sequence[HeardWord], known: Pronunciations) -> list[HeardWord]:
    """Put one word for all of a spoken form, however the model wrote it: `C-N-T-K`, `cntk` or `c n t k`.

    Its text is the spoken form, and it is written as the pronunciation says, with the punctuation around it.
    """
    found: list[HeardWord] = []
    texts = [word.written or word.text for word in words]
    at = 0
    while at < len(words):
        match = known.match(texts, at)
        if match is None:
            found.append(words[at])
            at += 1
            continue
        count, spoken, displayed = match
        part = words[at : at + count]
        first, last = part[0].written, part[-1].written
        before = first[: len(first) - len(first.lstrip(f" {_OPENING}"))]
        behind = last[len(last.rstrip(_CLOSING)) :]
        found.append(
            replace(
                part[0],
                text=spoken,
                end=part[-1].end,
                confidence=min(word.confidence for word in part),
                written=f"{before}{displayed}{behind}",
            )
        )
        at += count
    return found
