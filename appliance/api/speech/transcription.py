"""Fast transcription: `POST /speechtotext/transcriptions:transcribe`, a whole file at once.

Shapes are those of the Speech to text REST API, version 2024-11-15. Times are whole milliseconds.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from appliance.api.body import body_chunks
from appliance.api.errors import Problem, invalid_body, not_found
from appliance.api.parameters import query_value
from appliance.api.speech.admission import SpeechAdmission
from appliance.api.speech.errors import audio_problem
from appliance.api.speech.multipart import read_parts
from appliance.api.speech.parameters import MAX_WEIGHT
from appliance.api.usage_headers import evidence_headers
from appliance.pipeline.transcribing import transcribe_counted
from appliance.speech.adaptation.adaptation import MAX_PHRASE_CHARACTERS, MAX_PHRASES
from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import Sound
from appliance.speech.decoding.segment import Preferences
from appliance.speech.display.text import Profanity
from appliance.speech.model.spoken import Spoken
from appliance.speech.transcripts.transcription import Wanted

PATH: Final = "/speechtotext/transcriptions:transcribe"
PROGRESS: Final = "/speechtotext/transcriptions:progress"
HEARING: Final = "Hearing-Id"
"""Header of a request that wants to be asked about while it is heard: 32 hexadecimal digits, at random."""
_HEARING_ID: Final = re.compile(r"[0-9a-f]{32}")
API_VERSIONS: Final = ("2024-11-15", "2025-10-15")
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


class Transcription:
    """The endpoint.

    Args:
        admission: Who is served, and by what.
    """

    def __init__(self, admission: SpeechAdmission) -> None:
        self._admission = admission
        self._heard: dict[str, float] = {}  # seconds so far, of what is being heard; by its id

    def progress(self, request: Request) -> Response:
        """`GET /speechtotext/transcriptions:progress?id=`: how many seconds of a recording are heard so far.

        Of each channel anew. It is known to the process that hears, until the answer is given.

        Raises:
            Problem: 404 if nothing of that id is being heard here.
        """
        seconds = self._heard.get(query_value(request, "id"))
        if seconds is None:
            raise not_found("404", "Nothing of that id is being heard here.")
        return JSONResponse({"heardSeconds": round(seconds, 1)}, headers={"Cache-Control": "no-store"})

    @contextmanager
    def _told(self, request: Request) -> Iterator[None]:
        """Keep how far a request is, under the id that it names."""
        hearing = request.headers.get(HEARING, "")
        request.state.hearing = hearing if _HEARING_ID.fullmatch(hearing) else ""
        try:
            yield
        finally:
            self._heard.pop(request.state.hearing, None)

    def _note(self, hearing: str, rate: int, left: asyncio.Event, samples: int) -> None:
        """Keep how far a hearing is, or end it: a caller who left gets no answer, and pays for none."""
        if left.is_set():
            raise Problem(400, "InvalidRequest", "The caller left before the recording was heard.")
        if hearing:
            self._heard[hearing] = samples / rate

    async def transcribe(self, request: Request) -> Response:
        """`POST …:transcribe?cid=`: parts `audio` and, optionally, `definition`; `cid` names a model.

        Where the caller leaves before the end, it is heard no further, and nothing is counted.
        """
        admission = self._admission
        if not query_value(request, "api-version"):
            raise Problem(400, "InvalidRequest", "The query parameter api-version is missing.")
        served = admission.find(query_value(request, "cid"))
        admission.pipeline.check(1)
        with admission.turn(), self._told(request):
            body = body_chunks(request, admission.limits.transcribe_bytes)
            parts = await read_parts(request.headers.get("content-type", ""), body)
            if "audio" not in parts or not parts["audio"].content:
                raise invalid_body("The part audio is missing or empty.")
            sent = parts["definition"].content if "definition" in parts else b"{}"
            definition = _definition(sent, served.spoken)
            try:
                sound = Sound.open(parts["audio"].content)
                async with _watched(request) as left:
                    transcription, recorded = await transcribe_counted(
                        admission.pipeline,
                        served.engine,
                        sound,
                        _wanted(definition, sound.channels),
                        request_id=request.state.request_id,
                        told=partial(self._note, request.state.hearing, served.engine.rate, left),
                    )
            except (AudioError, AudioTooLong) as error:
                raise audio_problem(error) from None
        answer = transcription.as_object(spoken=served.spoken, wanted=definition.locales)
        return JSONResponse(answer, headers=evidence_headers(recorded))


@asynccontextmanager
async def _watched(request: Request) -> AsyncIterator[asyncio.Event]:
    """Look, while something goes on, whether the caller of a request is still there; its body is read."""
    left = asyncio.Event()

    async def look() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left.set()

    looking = asyncio.create_task(look())
    try:
        yield left
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _definition(content: bytes | bytearray, spoken: Spoken) -> Definition:
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
    if definition.locales and not any(map(spoken.includes, definition.locales)):
        raise Problem(400, "InvalidLocale", f"None of the locales is served here; the model speaks {spoken}.")
    if definition.profanityFilterMode.lower() not in (*_PROFANITY, "tags"):
        raise Problem(400, "InvalidArgument", "profanityFilterMode is None, Masked, Removed or Tags.")
    return definition


def _wanted(definition: Definition, count: int) -> Wanted:
    """Return what a definition asks of audio with so many channels."""
    missing = [number for number in definition.channels or () if number >= count]
    if missing:
        raise Problem(400, "InvalidArgument", f"The audio has no channel {missing[0]}.")
    return Wanted(
        channels=tuple(dict.fromkeys(definition.channels)) if definition.channels else None,
        preferences=Preferences(
            phrases=tuple(definition.phraseList.phrases),
            weight=definition.phraseList.biasingWeight,
            languages=tuple(definition.locales),
        ),
        profanity=_PROFANITY.get(definition.profanityFilterMode.lower(), Profanity.MASKED),
    )
