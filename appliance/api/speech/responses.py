"""The JSON that callers of the speech service get, as pydantic models: for the description, and for tests."""

# ruff: noqa: N815 (names of the wire format)

from typing import Literal

from pydantic import Field

from appliance.api.responses import Reply


class Word(Reply):
    """A word as it was spoken; times in ticks of 100 ns."""

    Word: str
    Offset: int = Field(ge=0)
    Duration: int = Field(ge=0)
    Confidence: float = Field(ge=0, le=1)


class DisplayWord(Reply):
    """A token of the display form; times in ticks of 100 ns."""

    DisplayText: str
    Offset: int = Field(ge=0)
    Duration: int = Field(ge=0)


class Alternative(Reply):
    """One text in its forms."""

    Confidence: float = Field(ge=0, le=1)
    Lexical: str
    ITN: str
    MaskedITN: str
    Display: str
    Words: list[Word]
    DisplayWords: list[DisplayWord]


class Recognition(Reply):
    """Answer to short audio; `DisplayText` when simple, `NBest` when detailed."""

    RecognitionStatus: Literal["Success", "NoMatch", "InitialSilenceTimeout"]
    Offset: int = Field(ge=0)
    Duration: int = Field(ge=0)
    DisplayText: str | None = None
    NBest: list[Alternative] | None = None


class TranscribedWord(Reply):
    """A word in its display form."""

    text: str
    offsetMilliseconds: int = Field(ge=0)
    durationMilliseconds: int = Field(ge=0)


class TranscribedPhrase(Reply):
    """A phrase of a transcription."""

    channel: int | None = None
    offsetMilliseconds: int = Field(ge=0)
    durationMilliseconds: int = Field(ge=0)
    text: str
    words: list[TranscribedWord]
    locale: str
    confidence: float = Field(ge=0, le=1)


class CombinedPhrase(Reply):
    """The whole text of one channel."""

    channel: int | None = None
    text: str


class Transcribed(Reply):
    """Answer to a transcription."""

    durationMilliseconds: int = Field(ge=0)
    combinedPhrases: list[CombinedPhrase]
    phrases: list[TranscribedPhrase]


MODELS = (Recognition, Transcribed)
