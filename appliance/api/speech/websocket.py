"""The WebSocket of the speech protocol: checks before the upgrade, then turns one after another.

One task receives and one runs the turn: a client is heard while it is answered, and one that leaves, stalls
or sends nonsense ends its own connection and nobody else's.
"""

import asyncio
import contextlib
import logging
from collections import deque
from typing import Final

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from appliance.api.errors import Problem, problem_from
from appliance.api.parameters import query_value
from appliance.api.speech.admission import SpeechAdmission
from appliance.api.speech.errors import close_frame, failed_status
from appliance.api.speech.parameters import RecognitionOptions, from_query, with_config, with_context
from appliance.api.speech.protocol import Message, ProtocolError, failure, read_binary, read_text
from appliance.api.speech.turn import Turn
from appliance.errors import ApplianceError
from appliance.pipeline.audio_meter import AudioMeter

_log = logging.getLogger("appliance.api.speech.socket")

SUBPROTOCOL: Final = "USP"
_GONE: Final = (WebSocketDisconnect, WebSocketDisconnected, ConnectionError)
_REASON_BYTES: Final = 120


class Connection:
    """One connection, from the request to upgrade until it is closed.

    Args:
        websocket: The connection, not accepted yet.
        admission: Who is served, and by what.
        mode: Mode of the path; empty on the universal paths, where the context names it.
    """

    def __init__(self, websocket: WebSocket, admission: SpeechAdmission, mode: str) -> None:
        self._websocket = websocket
        self._admission = admission
        self._options = from_query(mode or "conversation", websocket.query_params.multi_items())
        self._model = query_value(websocket, "cid")
        self._meter = AudioMeter(admission.pipeline)
        # The JavaScript SDK names its connection in the query, since browsers send no headers of their own.
        self._knows_codes = not query_value(websocket, "X-ConnectionId")
        self._turn: Turn | None = None
        self._ended: deque[str] = deque(maxlen=8)
        self._sending = asyncio.Lock()

    async def serve(self) -> None:
        """Refuse, or accept and serve until the end."""
        with contextlib.ExitStack() as place:
            try:
                self._admission.check(self._options, model=self._model)
                place.enter_context(self._admission.connect(self))
            except ApplianceError as error:
                await self._refuse(problem_from(error))
                return
            offered = self._websocket.scope.get("subprotocols", [])
            try:
                await self._websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
                await self._receive()
            except _GONE:
                pass
            except ProtocolError as error:
                await self._fail(error.code, error.reason, self._turn, refused=error.request_id)
            finally:
                await self._stop_turn()

    async def _refuse(self, problem: Problem) -> None:
        """Answer the request to upgrade with an HTTP status, which clients turn into their own errors.

        The SDK shows the status and the request id, not the sentence: the log has it.
        """
        _log.info("a speech client was refused: %d %s: %s", problem.status, problem.code, problem.message)
        with contextlib.suppress(*_GONE):
            await self._websocket.send_denial_response(
                JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)
            )

    async def shut_down(self, seconds: float) -> None:
        """The service stops: let a single recognition end, break off what goes on, and close."""
        if self._turn is not None and self._turn.running and self._turn.options.single:
            await self._turn.wait(seconds)
        await self._fail(1001, "the service is stopping", self._turn)

    async def _receive(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._admission.idle_seconds):
                    message = await self._websocket.receive()
            except TimeoutError:
                idle = f"nothing was sent for {self._admission.idle_seconds} seconds"
                await self._fail(1001, idle, self._turn)
                return
            if message["type"] == "websocket.disconnect":
                return
            text, data = message.get("text"), message.get("bytes")
            await self._on_message(read_text(text) if text is not None else read_binary(data or b""))

    async def _on_message(self, message: Message) -> None:
        if message.audio is not None:
            if message.path == "audio":
                await self._on_audio(message, message.audio)
        elif message.path == "speech.config":
            self._options = with_config(self._options, message.json())
        elif message.path == "speech.context":
            if not message.request_id:
                raise ProtocolError(1002, "speech.context has no X-RequestId")
            await self._begin(message.request_id, with_context(self._options, message.json()))
        elif (
            message.path == "audio" and message.request_id
        ):  # an end of audio as text, as old clients send it
            await self._on_audio(message, b"")

    async def _on_audio(self, message: Message, audio: bytes) -> None:
        turn = self._turn
        if message.request_id in self._ended:  # what crossed with the end of its turn
            return
        if turn is None or turn.request_id != message.request_id:
            turn = await self._begin(message.request_id, self._options)
        if turn is not None and not turn.over:
            if not turn.running:
                self._count(turn)
            await turn.hear(audio, ended=self._on_end)

    async def _begin(self, request_id: str, options: RecognitionOptions) -> Turn | None:
        """Start a turn; one that is still under way is broken off, since there is one at a time."""
        if self._turn is not None and self._turn.request_id == request_id and not self._turn.over:
            return self._turn
        await self._stop_turn()
        try:
            self._admission.check_language(options, model=self._model)
            self._meter.check()
            self._turn = Turn(
                request_id,
                options,
                admission=self._admission,
                meter=self._meter,
                send=self._send,
                model=self._model,
            )
        except Problem as problem:
            raise ProtocolError(1007, problem.message) from None
        except ApplianceError as error:
            raise ProtocolError(*close_frame(error), request_id) from None
        return self._turn

    def _count(self, turn: Turn) -> None:
        try:
            self._admission.take_turn(turn)
        except ApplianceError as error:
            raise ProtocolError(*close_frame(error), turn.request_id) from None

    def _on_end(self, turn: Turn) -> None:
        """A turn is over; a failure closes the connection."""
        self._admission.end_turn(turn)
        self._ended.append(turn.request_id)
        if self._turn is turn:
            self._turn = None
        try:
            turn.result()
        except _GONE:
            pass
        except Exception as error:
            code, reason = close_frame(error)
            if code == 1011:
                _log.exception("a speech turn failed", exc_info=error)
            self._admission.spawn(self._fail(code, reason, turn))

    async def _stop_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            self._ended.append(turn.request_id)
            await turn.stop()

    async def _send(self, text: str) -> None:
        async with self._sending:
            await self._websocket.send_text(text)

    async def _fail(self, code: int, reason: str, turn: Turn | None, *, refused: str = "") -> None:
        """Close with an error. An open turn is ended with one first: some clients know few close codes.

        Args:
            code: Close code.
            reason: What was wrong.
            turn: The last turn, if any.
            refused: A turn that was not allowed to begin.
        """
        await self._stop_turn()  # its room is free before the client knows, and may come again
        status, messages = failed_status(code, close_codes=self._knows_codes), list[str]()
        if status and refused:
            messages = failure(refused, status, reason, begun=False)
        elif status and turn is not None and not turn.finished:
            messages = failure(turn.request_id, status, reason, begun=turn.begun)
        with contextlib.suppress(*_GONE):
            for text in messages:
                await self._send(text)
        await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        shown = reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore")
        with contextlib.suppress(*_GONE):
            await self._websocket.close(code, shown)
