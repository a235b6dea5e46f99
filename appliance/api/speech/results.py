"""Phrases as callers get them: simple, or detailed with several texts, their forms, words and times.

Times are whole ticks of 100 ns from the first sample of the turn.
"""

from collections.abc import Sequence
from typing import Any, Final

from appliance.speech.decoding.segment import Heard, HeardWord
from appliance.speech.display.numbers import Written
from appliance.speech.display.text import Shown
from appliance.speech.recognition.stream import Phrase, Status

TICKS: Final = 10_000_000


def phrase_object(phrase: Phrase, *, rate: int, detailed: bool, shown: Sequence[Shown]) -> dict[str, Any]:
    """The body of a `speech.phrase`, and of an answer to short audio.

    Args:
        phrase: The result.
        rate: Samples a second that its positions count.
        detailed: Whether `NBest` is wanted.
        shown: Forms of each text.
    """
    body: dict[str, Any] = {
        "RecognitionStatus": str(phrase.status),
        "Offset": ticks(phrase.offset, rate),
        "Duration": ticks(phrase.offset + phrase.length, rate) - ticks(phrase.offset, rate),
    }
    if phrase.status is not Status.SUCCESS:
        return body
    body["DisplayText"] = shown[0].display
    if detailed:
        body["NBest"] = [
            _detailed(heard, form, base=phrase.base, rate=rate)
            for heard, form in zip(phrase.heard, shown, strict=True)
        ]
    return body


def _detailed(heard: Heard, form: Shown, *, base: int, rate: int) -> dict[str, Any]:
    return {
        "Confidence": round(heard.confidence, 6),
        "Lexical": form.lexical,
        "ITN": form.itn,
        "MaskedITN": form.masked,
        "Display": form.display,
        "Words": [
            {
                "Word": word.text,
                **span(word, word, base=base, rate=rate),
                "Confidence": round(word.confidence, 6),
            }
            for word in heard.words
        ],
        "DisplayWords": [
            {"DisplayText": piece.text, **display_span(piece, heard.words, base=base, rate=rate)}
            for piece in form.pieces
        ],
    }


def display_span(piece: Written, words: Sequence[HeardWord], *, base: int, rate: int) -> dict[str, int]:
    """Offset and duration of a written piece, from the words it stands for."""
    return span(words[piece.first], words[piece.end - 1], base=base, rate=rate)


def span(first: HeardWord, last: HeardWord, *, base: int, rate: int) -> dict[str, int]:
    """Offset and duration from one word to another."""
    start, end = ticks(base + first.start, rate), ticks(base + last.end, rate)
    return {"Offset": start, "Duration": end - start}


def ticks(samples: int, rate: int) -> int:
    """Samples as ticks."""
    return samples * TICKS // rate
