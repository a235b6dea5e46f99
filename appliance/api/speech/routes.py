"""The paths of the speech service."""

import contextlib
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from appliance.api.errors import not_found
from appliance.api.speech.admission import SpeechAdmission
from appliance.api.speech.parameters import MODES
from appliance.api.speech.short_audio import ShortAudio
from appliance.api.speech.transcription import PATH, PROGRESS, Transcription
from appliance.api.speech.websocket import Connection

RECOGNITION: Final = "/speech/recognition/{mode}/cognitiveservices/v1"
UNIVERSAL: Final = ("/speech/universal/v2", "/stt/speech/universal/v2")


class SpeechApi:
    """Everything the speech service answers.

    Args:
        admission: Who is served, and by what.
    """

    def __init__(self, admission: SpeechAdmission) -> None:
        self._admission = admission
        self._short = ShortAudio(admission)
        self._transcription = Transcription(admission)

    def routes(self) -> list[BaseRoute]:
        """Routes to mount at the root."""
        return [
            Route(RECOGNITION, self.short_audio, methods=["POST"]),
            WebSocketRoute(RECOGNITION, self.connection),
            *(WebSocketRoute(path, self.connection) for path in UNIVERSAL),
            WebSocketRoute("/{path:path}", self.nowhere),
            Route(PATH, self.transcription, methods=["POST"]),
            Route(PROGRESS, self.progress, methods=["GET"]),
        ]

    async def short_audio(self, request: Request) -> Response:
        """`POST` of a file to a mode's path."""
        if request.path_params["mode"] not in MODES:
            raise not_found("404", "Resource not found")
        return await self._short.recognize(request)

    async def transcription(self, request: Request) -> Response:
        """`POST` of a file to be transcribed."""
        return await self._transcription.transcribe(request)

    async def progress(self, request: Request) -> Response:
        """How far the hearing of such a file is."""
        return self._transcription.progress(request)

    async def connection(self, websocket: WebSocket) -> None:
        """A WebSocket of the speech protocol."""
        mode = websocket.path_params.get("mode", "")
        if mode and mode not in MODES:
            await self.nowhere(websocket)
        else:
            await Connection(websocket, self._admission, mode).serve()

    async def nowhere(self, websocket: WebSocket) -> None:
        """A WebSocket at any other path: 404, where a plain close would read as a wrong key."""
        problem = not_found("404", "Resource not found")
        with contextlib.suppress(WebSocketDisconnect, ConnectionError):
            await websocket.send_denial_response(JSONResponse(problem.body(), status_code=problem.status))
