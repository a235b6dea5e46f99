"""Short audio: one file by POST, one result, as the "Speech to text REST API for short audio" has it."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from appliance.api.body import read_body
from appliance.api.errors import Problem
from appliance.api.parameters import query_value
from appliance.api.speech.admission import SpeechAdmission
from appliance.api.speech.errors import audio_problem
from appliance.api.speech.parameters import from_query
from appliance.api.speech.results import phrase_object
from appliance.api.usage_headers import evidence_headers
from appliance.pipeline.units import whole_seconds
from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import Sound
from appliance.speech.display.text import Profanity, Shown, joined
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.file import together, transcribe
from appliance.speech.recognition.stream import Manner, Phrase

MAX_SECONDS: Final = 60.0
MAX_BYTES: Final = 32 * 1024 * 1024
"""A minute of the largest supported kind: 96 kHz, 24 bit, stereo."""

_MEDIA: Final = frozenset(
    {
        "",
        "audio",
        "application/octet-stream",
        "application/ogg",
        "video/ogg",
        "video/webm",
        "video/x-matroska",
    }
)


class ShortAudio:
    """The endpoint.

    Args:
        admission: Who is served, and by what.
    """

    def __init__(self, admission: SpeechAdmission) -> None:
        self._admission = admission

    async def recognize(self, request: Request) -> Response:
        """`POST /speech/recognition/{mode}/cognitiveservices/v1`: one result for up to a minute of audio."""
        admission = self._admission
        options = from_query(request.path_params["mode"], request.query_params.multi_items())
        model = query_value(request, "cid")
        if "pronunciation-assessment" in request.headers:
            raise Problem(400, "InvalidArgument", "Pronunciation-Assessment is not supported here.")
        if not options.language and not model:
            raise Problem(400, "InvalidLanguage", "The query parameter language is missing.")
        admission.check(options, model=model)
        _check_media(request.headers.get("content-type", ""))
        engine = admission.find(model).engine
        with admission.turn():
            body = await read_body(request, MAX_BYTES)
            manner = options.manner(guesses=False)
            whole = Manner(
                single=False,
                initial_silence=0,
                end_silence=manner.end_silence,
                longest=manner.longest,
                guesses=False,
                texts=manner.texts,
            )
            try:
                sound = Sound.open(body)
                transcript = await transcribe(
                    engine, sound, whole, max_seconds=MAX_SECONDS, preferences=options.preferences
                )
            except (AudioError, AudioTooLong) as error:
                raise audio_problem(error) from None
            if not transcript.samples:
                raise audio_problem(AudioError("the audio holds no samples"))
            shown = await _shown(engine, transcript.phrases, options.profanity)
            seconds = whole_seconds(transcript.samples / engine.rate)
            recorded = await admission.pipeline.record(seconds, request_id=request.state.request_id)
        result = together(transcript)
        answer = phrase_object(
            result,
            rate=engine.rate,
            detailed=options.detailed,
            shown=shown,
        )
        return JSONResponse(answer, headers=evidence_headers(recorded))


async def _shown(engine: SpeechEngine, phrases: Sequence[Phrase], profanity: Profanity) -> list[Shown]:
    """The forms of the result: each of several phrases keeps its own capital and full stop."""
    if len(phrases) == 1:
        return await engine.shown([text.words for text in phrases[0].heard], profanity)
    best = [phrase.heard[0].words for phrase in phrases]
    parts = await engine.shown(best, profanity)
    return [joined(parts, [len(words) for words in best])]


def _check_media(content_type: str) -> None:
    """Refuse what is plainly no audio; what it really is, the content tells."""
    media = content_type.partition(";")[0].strip().lower()
    if media not in _MEDIA and media.partition("/")[0] != "audio":
        raise Problem(
            415,
            "UnsupportedMediaType",
            "Send audio/wav; codecs=audio/pcm; samplerate=16000, or audio/ogg; codecs=opus.",
        )
