"""`/listen`: the page for recordings and the microphone; transcripts as files, and against what was said."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api import pages
from appliance.api.body import read_json_body
from appliance.api.errors import invalid_body, invalid_request
from appliance.api.parameters import query_value
from appliance.datasets.label_errors import DatasetError
from appliance.speech.dataset.transcripts import MAX_TEXT, Recording, parse_transcripts
from appliance.speech.evaluation.evaluate import Evaluation, HeardRecording
from appliance.speech.evaluation.report import evaluation_object
from appliance.speech.evaluation.spoken_words import spoken_readings, spoken_words
from appliance.speech.evaluation.word_errors import aligned, best_reading, counted
from appliance.speech.transcripts.formats import FORMATS, written

PATH: Final = "/listen"
WRITE: Final = "/speechtotext/transcripts:write"
COMPARE: Final = "/speechtotext/transcripts:compare"
MAX_COMPARED: Final = 2_000
"""Recordings that are compared at once."""
_MOST_SHOWN: Final = 200
MAX_TRANSCRIPT_BYTES: Final = 32 * 2**20
"""Two hours of quick speech with a time for each word are some 3 MB."""

_HERE: Final = Path(__file__).parent.parent / "static" / "listen"
USUAL_BYTES: Final = 64 * 2**20
"""Of a recording, as the page itself says and `Speech:TranscribeBytes` has it."""
_MOST_BYTES: Final = 'data-most-bytes="{}"'
_POLICY: Final = "Content-Security-Policy"
_TYPES: Final = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
}

_Time = Annotated[int, Field(ge=0, le=10**9)]


class _Word(BaseModel):
    model_config = ConfigDict(extra="allow")

    text: Annotated[str, Field(max_length=1_000)]
    offsetMilliseconds: _Time  # noqa: N815 (names of the wire format)
    durationMilliseconds: _Time  # noqa: N815


class _Phrase(BaseModel):
    model_config = ConfigDict(extra="allow")

    text: str
    offsetMilliseconds: _Time  # noqa: N815
    durationMilliseconds: _Time  # noqa: N815
    words: Annotated[list[_Word], Field(max_length=10_000)] = []


class _Transcript(BaseModel):
    model_config = ConfigDict(extra="allow")

    durationMilliseconds: _Time  # noqa: N815
    phrases: Annotated[list[_Phrase], Field(max_length=100_000)]


class _Result(BaseModel):
    model: Annotated[str, Field(min_length=1, max_length=200)]
    texts: Annotated[
        dict[str, Annotated[str, Field(max_length=MAX_TEXT)]], Field(max_length=MAX_COMPARED)
    ] = {}


class _Comparison(BaseModel):
    transcripts: str
    results: Annotated[list[_Result], Field(max_length=2)] = []


def routes(most_bytes: int = USUAL_BYTES) -> list[Route]:
    """The page with its files, `POST …:write` and `POST …:compare`.

    Args:
        most_bytes: Of a recording that is heard as a whole; the page refuses a larger one before it is sent.
    """
    headers = {
        **pages.HEADERS,
        # The recording that was chosen is played from the page's own memory.
        _POLICY: f"{pages.HEADERS[_POLICY]}; media-src blob:",
    }
    told = {_MOST_BYTES.format(USUAL_BYTES): _MOST_BYTES.format(most_bytes)}
    files = [path for path in sorted(_HERE.iterdir()) if path.suffix in {".css", ".js"}]
    return [
        *(pages.page_route(path, _HERE / "listen.html", headers, told=told) for path in (PATH, f"{PATH}/")),
        *(pages.page_route(f"/static/listen/{file.name}", file) for file in files),
        Route(WRITE, write_transcript, methods=["POST"]),
        Route(COMPARE, compare_transcripts, methods=["POST"]),
    ]


async def write_transcript(request: Request) -> Response:
    """`POST …/transcripts:write?format=`: an answer of `:transcribe` as a file; nothing is heard or counted.

    Raises:
        Problem: 400 for another format, or for a body that is no transcript.
    """
    kind = query_value(request, "format", "txt")
    if kind not in FORMATS:
        raise invalid_request(
            "Invalid parameter in request",
            inner=("InvalidParameterValue", f"format is one of {', '.join(FORMATS)}."),
        )
    body = await read_json_body(request, MAX_TRANSCRIPT_BYTES)
    try:
        transcript: dict[str, Any] = _Transcript.model_validate_json(body).model_dump()
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise invalid_body(f"It is no answer of :transcribe, at {where or 'its beginning'}.") from None
    return Response(written(transcript, kind), media_type=_TYPES[kind])


async def compare_transcripts(request: Request) -> Response:
    """`POST …/transcripts:compare?language=`: texts that models heard against a list of what was said.

    Nothing is heard or counted here. Without results it says which recordings the list names. Words are
    compared as `appliance speech evaluate` does: in lower case, without punctuation, numbers in words.

    Raises:
        Problem: 400 for a list or a body that cannot be read, or one that is too long.
    """
    body = await read_json_body(request, MAX_TRANSCRIPT_BYTES)
    try:
        asked = _Comparison.model_validate_json(body)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise invalid_body(f"It is no comparison, at {where or 'its beginning'}.") from None
    english = query_value(request, "language", "en").lower().startswith("en")
    try:
        answer = await asyncio.to_thread(_compared, asked, english)
    except DatasetError as error:
        raise invalid_body(f"{error.message} ({error.hint})" if error.hint else error.message) from None
    except ValueError as error:
        raise invalid_body(f"{error}: cut the recording into several.") from None
    return JSONResponse(answer)


def _compared(asked: _Comparison, english: bool) -> dict[str, Any]:
    listed = parse_transcripts(asked.transcripts.encode("utf-8"), "the list")
    if len(listed) > MAX_COMPARED:
        raise DatasetError(f"the list names more than {MAX_COMPARED} recordings", hint="cut it into several")
    named = [{"path": one.path, "text": one.text, "speaker": one.speaker} for one in listed]
    if not asked.results:
        return {"recordings": named}
    both = [one for one in listed if all(one.path in result.texts for result in asked.results)]
    if not any(spoken_words(one.text, english=english) for one in both):
        raise DatasetError(
            "no recording with words in its transcript was heard", hint="choose the recordings"
        )
    found = [_evaluation(result, both, english) for result in asked.results]
    return {**evaluation_object(found, _MOST_SHOWN), "left": len(listed) - len(both)}


def _evaluation(result: _Result, recordings: Sequence[Recording], english: bool) -> Evaluation:
    heard = []
    for one in recordings:
        said = spoken_words(one.text, english=english)
        readings = spoken_readings(result.texts[one.path], english=english)
        pairs = aligned(said, best_reading(said, readings))
        heard.append(HeardRecording(recording=one, pairs=pairs, errors=counted(pairs), seconds=0.0))
    return Evaluation(model=result.model, release="", heard=heard, seconds=0.0, threads=1)
