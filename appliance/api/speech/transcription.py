"""Fast transcription: `POST /speechtotext/transcriptions:transcribe`, a whole file at once.

Shapes are those of the Speech to text REST API, version 2024-11-15. Times are whole milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from appliance.api.body import read_body
from appliance.api.errors import Problem, invalid_body
from appliance.api.parameters import query_value
from appliance.api.speech.admission import SpeechAdmission
from appliance.api.speech.errors import audio_problem
from appliance.api.speech.multipart import read_parts
from appliance.api.speech.parameters import MAX_PHRASE_CHARACTERS, MAX_PHRASES, MAX_WEIGHT
from appliance.api.usage_headers import evidence_headers
from appliance.pipeline.units import whole_seconds
from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import Sound
from appliance.speech.decoding.segment import Heard, HeardWord, Preferences
from appliance.speech.display.text import Profanity, Shown
from appliance.speech.recognition.file import Transcript, transcribe
from appliance.speech.recognition.stream import Manner, Phrase

PATH: Final = "/speechtotext/transcriptions:transcribe"
API_VERSIONS: Final = ("2024-11-15", "2025-10-15")
MAX_SECONDS: Final = 7_200.0
_MANNER: Final = Manner(single=False, initial_silence=0, end_silence=0.6, guesses=False)
_PROFANITY: Final = {"none": Profanity.RAW, "masked": Profanity.MASKED, "removed": Profanity.REMOVED}


class Diarization(BaseModel):
    """Telling speakers apart; not supported."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = True


class PhraseList(BaseModel):
    """Words to prefer."""

    # ruff: noqa: N815 (names of the wire format)

    model_config = ConfigDict(extra="ignore")

    phrases: list[Annotated[str, Field(max_length=MAX_PHRASE_CHARACTERS)]] = Field(
        default=[], max_length=MAX_PHRASES
    )
    biasingWeight: float = Field(default=1.0, ge=0, le=MAX_WEIGHT)


class Definition(BaseModel):
    """Part `definition`: how to transcribe; every field may be left out."""

    # ruff: noqa: N815 (names of the wire format)

    model_config = ConfigDict(extra="ignore")

    locales: list[str] = Field(default=[], max_length=20)
    channels: list[Annotated[int, Field(ge=0, le=1)]] | None = Field(default=None, max_length=2)
    diarization: Diarization | None = None
    profanityFilterMode: str = "Masked"
    phraseList: PhraseList = PhraseList()
    enhancedMode: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """One channel that was heard: its number, or None where all were mixed."""

    number: int | None
    transcript: Transcript


class Transcription:
    """The endpoint.

    Args:
        admission: Who is served, and by what.
    """

    def __init__(self, admission: SpeechAdmission) -> None:
        self._admission = admission

    async def transcribe(self, request: Request) -> Response:
        """`POST /speechtotext/transcriptions:transcribe`: parts `audio` and, optionally, `definition`."""
        admission = self._admission
        if not query_value(request, "api-version"):
            raise Problem(400, "InvalidRequest", "The query parameter api-version is missing.")
        engine = admission.engine
        admission.pipeline.check(1)
        with admission.turn():
            body = await read_body(request, admission.limits.transcribe_bytes)
            parts = read_parts(request.headers.get("content-type", ""), body)
            del body
            if "audio" not in parts or not parts["audio"].content:
                raise invalid_body("The part audio is missing or empty.")
            definition = self._definition(parts["definition"].content if "definition" in parts else b"{}")
            try:
                sound = Sound.open(parts["audio"].content)
                numbers = _channel_numbers(definition.channels, sound.channels)
                channels = [
                    _Channel(
                        number=number,
                        transcript=await transcribe(
                            engine,
                            sound,
                            _MANNER,
                            channel=number,
                            max_seconds=MAX_SECONDS,
                            preferences=Preferences(
                                phrases=tuple(definition.phraseList.phrases),
                                weight=definition.phraseList.biasingWeight,
                                languages=tuple(definition.locales),
                            ),
                        ),
                    )
                    for number in numbers
                ]
            except (AudioError, AudioTooLong) as error:
                raise audio_problem(error) from None
            profanity = _PROFANITY.get(definition.profanityFilterMode.lower(), Profanity.MASKED)
            shown = [
                await engine.shown(
                    [phrase.heard[0].words for phrase in channel.transcript.phrases], profanity
                )
                for channel in channels
            ]
            seconds = sum(whole_seconds(channel.transcript.samples / engine.rate) for channel in channels)
            recorded = await admission.pipeline.record(seconds, request_id=request.state.request_id)
        answer = transcript_object(
            channels,
            shown,
            rate=engine.rate,
            locale_of=lambda heard: admission.locale_of(heard, definition.locales),
        )
        return JSONResponse(answer, headers=evidence_headers(recorded))

    def _definition(self, content: bytes) -> Definition:
        try:
            definition = Definition.model_validate_json(content or b"{}")
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise invalid_body(
                f"The part definition is not as described, at {where or 'its beginning'}."
            ) from None
        if definition.diarization is not None and definition.diarization.enabled:
            raise Problem(400, "InvalidArgument", "Diarization is not supported.")
        if definition.enhancedMode.get("enabled", bool(definition.enhancedMode)):
            raise Problem(400, "InvalidArgument", "enhancedMode is not supported here.")
        if definition.locales and not any(map(self._admission.speaks, definition.locales)):
            spoken = self._admission.spoken
            raise Problem(
                400, "InvalidLocale", f"None of the locales is served here; the model speaks {spoken}."
            )
        if definition.profanityFilterMode.lower() not in (*_PROFANITY, "tags"):
            raise Problem(400, "InvalidArgument", "profanityFilterMode is None, Masked, Removed or Tags.")
        return definition


def _channel_numbers(wanted: Sequence[int] | None, count: int) -> list[int | None]:
    if wanted is None:
        return [None]
    missing = [number for number in wanted if number >= count]
    if missing:
        raise Problem(400, "InvalidArgument", f"The audio has no channel {missing[0]}.")
    return list(dict.fromkeys(wanted))


def transcript_object(
    channels: Sequence[_Channel],
    shown: Sequence[Sequence[Shown]],
    *,
    rate: int,
    locale_of: Callable[[Heard], str],
) -> dict[str, Any]:
    """The body of the answer; `shown` has the forms of each channel's phrases."""
    combined, phrases = [], []
    for channel, forms in zip(channels, shown, strict=True):
        number = {} if channel.number is None else {"channel": channel.number}
        own = [
            {**number, **_phrase(phrase, form, rate=rate, locale=locale_of(phrase.heard[0]))}
            for phrase, form in zip(channel.transcript.phrases, forms, strict=True)
        ]
        combined.append({**number, "text": " ".join(str(phrase["text"]) for phrase in own)})
        phrases += own
    phrases.sort(key=lambda phrase: int(phrase["offsetMilliseconds"]))
    longest = max(channel.transcript.samples for channel in channels)
    return {
        "durationMilliseconds": longest * 1000 // rate,
        "combinedPhrases": combined,
        "phrases": phrases,
    }


def _phrase(phrase: Phrase, form: Shown, *, rate: int, locale: str) -> dict[str, Any]:
    best = phrase.heard[0]
    return {
        "offsetMilliseconds": phrase.offset * 1000 // rate,
        "durationMilliseconds": phrase.length * 1000 // rate,
        "text": form.display,
        "words": [
            {
                "text": piece.text,
                **_times(best.words[piece.first], best.words[piece.end - 1], base=phrase.base, rate=rate),
            }
            for piece in form.pieces
        ],
        "locale": locale,
        "confidence": round(best.confidence, 6),
    }


def _times(first: HeardWord, last: HeardWord, *, base: int, rate: int) -> dict[str, int]:
    start, end = (base + first.start) * 1000 // rate, (base + last.end) * 1000 // rate
    return {"offsetMilliseconds": start, "durationMilliseconds": end - start}
