"""`/listen`: the page for whole recordings and the microphone, and the files that it saves transcripts as."""

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from appliance.api import pages
from appliance.api.body import read_json_body
from appliance.api.errors import invalid_body, invalid_request
from appliance.api.parameters import query_value
from appliance.speech.transcripts.formats import FORMATS, written

PATH: Final = "/listen"
WRITE: Final = "/speechtotext/transcripts:write"
MAX_TRANSCRIPT_BYTES: Final = 32 * 2**20
"""Two hours of quick speech with a time for each word are some 3 MB."""

_HERE: Final = Path(__file__).parent.parent / "static" / "listen"
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


def routes() -> list[Route]:
    """The page with its files, and `POST …:write`."""
    headers = {
        **pages.HEADERS,
        # The recording that was chosen is played from the page's own memory.
        _POLICY: f"{pages.HEADERS[_POLICY]}; media-src blob:",
    }
    files = [path for path in sorted(_HERE.iterdir()) if path.suffix in {".css", ".js"}]
    return [
        *(pages.page_route(path, _HERE / "listen.html", headers) for path in (PATH, f"{PATH}/")),
        *(pages.page_route(f"/static/listen/{file.name}", file) for file in files),
        Route(WRITE, write_transcript, methods=["POST"]),
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
