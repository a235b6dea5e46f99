"""One turn of a connection: audio in, hypotheses and phrases out.

Nothing is said about a second of audio before that second is admitted and recorded. The licence and the
ledger are asked anew for each piece that was heard, also where there is nothing to say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from appliance.api.speech.admission import SpeechAdmission
from appliance.api.speech.parameters import RecognitionOptions
from appliance.api.speech.protocol import write
from appliance.api.speech.results import TICKS, phrase_object, ticks
from appliance.errors import ApplianceError
from appliance.pipeline.audio_meter import AudioMeter
from appliance.request_ids import uuid7
from appliance.speech.audio.backlog import Backlog
from appliance.speech.decoding.segment import Heard
from appliance.speech.display.text import masked
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.stream import Event, Guess, Phrase, Started

_log = logging.getLogger("appliance.api.speech.turn")

PIECE_BYTES: Final = 32 * 1024
"""Audio that is worked on in one go: a second of the usual kind, and never more than a second."""

_BEHIND_TICKS: Final = 10_000
"""Clients count whole milliseconds; with the exact length they would come back with the rest as a turn."""
_SETTLE_SECONDS: Final = 5.0
_LIKELY: Final = 0.85  # confidence of a text that is hardly one of another language
_POSSIBLE: Final = 0.5

Send = Callable[[str], Awaitable[None]]


class Turn:
    """A turn under way.

    Args:
        request_id: Its id, as the client spells it.
        options: What is asked of it.
        admission: What it is served by.
        meter: Counts the connection.
        send: Sends a message to the client.
        model: Which hears it, as of `SpeechAdmission.find`.
    """

    def __init__(
        self,
        request_id: str,
        options: RecognitionOptions,
        *,
        admission: SpeechAdmission,
        meter: AudioMeter,
        send: Send,
        model: str = "",
    ) -> None:
        self.request_id = request_id
        self.options = options
        self.record_id = uuid7()
        served = admission.find(model)
        self._spoken = served.spoken
        self._engine: SpeechEngine = served.engine
        self._send = send
        self._backlog = Backlog()
        self._stream = self._engine.stream(options.manner(), options.preferences)
        self._meter = meter
        self._complete = False  # whether all audio of the client was processed
        self._settling = False
        self.begun = False  # whether the client was told of the turn
        self.finished = False  # whether it was told that the turn is over
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether audio has arrived and the turn is not over."""
        return self._task is not None and not self._task.done()

    @property
    def over(self) -> bool:
        """Whether the turn has ended; what still arrives for it is thrown away."""
        return self._task is not None and self._task.done()

    async def hear(self, audio: bytes, *, ended: Callable[["Turn"], None]) -> None:
        """Take audio; an empty piece ends it. Waits where too much is waiting already.

        Args:
            audio: A piece of the WAV stream.
            ended: Called when the turn is over, for whatever reason.
        """
        if self._task is None:
            if not audio:
                # A turn whose first audio is its end holds none: it is answered as silence of no length.
                await self._backlog.end()
            self._task = asyncio.create_task(self._run(), name=f"turn {self.record_id}")
            self._task.add_done_callback(lambda _: ended(self))
        if audio:
            await self._backlog.put(audio)
        else:
            await self._backlog.end()

    def result(self) -> None:
        """Raise what ended the turn, if it did not end well."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def wait(self, seconds: float) -> None:
        """Wait for its end, so long at most."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)

    async def stop(self) -> None:
        """Break it off; what was heard is still recorded, and once."""
        if self._task is not None and not self._task.done():
            if not self._settling:
                self._task.cancel()
            await asyncio.wait({self._task}, timeout=_SETTLE_SECONDS)

    async def _run(self) -> None:
        try:
            self.begun = True
            await self._send_message(
                "turn.start", {"context": {"serviceTag": self.record_id.replace("-", "")}}
            )
            while not self._stream.ended:
                data = await self._backlog.take(self._piece_bytes())
                if not data:
                    break
                events = await self._stream.feed(data)
                self._meter.check(self._stream.seconds)
                await self._send_events(events)
            if not self._stream.ended:
                self._complete = True
                await self._send_events(await self._stream.finish())
            await self._end()
        finally:
            self._settling = True
            try:
                await self._backlog.end()  # nobody waits for room any more
            finally:
                await self._settle()

    def _piece_bytes(self) -> int:
        found = self._stream.audio.format
        return PIECE_BYTES if found is None else min(PIECE_BYTES, found.rate * found.frame_bytes)

    async def _settle(self) -> None:
        """Record what was heard and not answered, however the turn ended."""
        heard = self._stream.seconds
        try:
            await self._meter.settle(heard, request_id=self.record_id)
        except (ApplianceError, OSError) as error:
            _log.warning("seconds heard in a turn could not be recorded: %s", error)
        finally:
            self._meter.end_turn(heard)

    async def _send_events(self, events: list[Event]) -> None:
        rate = self._engine.rate
        for event in events:
            if not isinstance(event, Phrase) and not self._meter.covers(self._stream.seconds):
                await self._meter.record(self._stream.seconds, request_id=self.record_id)
            if isinstance(event, Started):
                await self._send_message("speech.startDetected", {"Offset": ticks(event.offset, rate)})
            elif isinstance(event, Guess):
                body = {
                    "Text": masked(event.text, self.options.profanity),
                    "Offset": ticks(event.offset, rate),
                    "Duration": ticks(event.length, rate),
                }
                await self._send_message("speech.hypothesis", body)
            else:
                await self._phrase(event)

    async def _phrase(self, phrase: Phrase) -> None:
        """Record a phrase, then send it."""
        rate, options = self._engine.rate, self.options
        shown = await self._engine.shown([text.words for text in phrase.heard], options.profanity)
        heard = min(phrase.processed / rate, self._stream.received)
        recorded = await self._meter.record(heard, request_id=self.record_id)
        body = {
            "Id": uuid7().replace("-", ""),
            **phrase_object(phrase, rate=rate, detailed=options.detailed, shown=shown),
            "Channel": 0,
            "UsageRecord": recorded.receipt.header,
        }
        if options.languages and phrase.heard:
            body["PrimaryLanguage"] = {
                "Language": self._spoken.locale_of(phrase.heard[0].language, options.languages),
                "Confidence": self._language_confidence(phrase.heard[0]),
            }
        done = self._acknowledged(phrase)
        if options.single:
            # Clients go on from here with their next turn; from the end of the voice, they would send its
            # echo again, which is heard as a word now and then.
            body["Duration"] = done - body["Offset"]
            # Where audio is still arriving, this keeps the client from opening a turn of its own for it.
            await self._send_message("speech.endDetected", {"Offset": done})
        await self._send_message("speech.phrase", body, heard=done)

    def _language_confidence(self, heard: Heard) -> str:
        """How sure the language is; by the text, where the model knows no other to compare with."""
        if len(self.options.languages) == 1:
            return "High"
        if self._engine.languages:
            found = heard.language_probability
            return "High" if found >= _LIKELY else "Medium" if found >= _POSSIBLE else "Low"
        return "Medium" if heard.confidence >= _LIKELY else "Low"

    def _acknowledged(self, phrase: Phrase) -> int:
        """Ticks of the turn that the client need not send again."""
        if self._complete and self._stream.audio.ticks:
            return self._stream.audio.ticks + _BEHIND_TICKS
        return min(ticks(phrase.processed, self._engine.rate), self._stream.audio.ticks)

    async def _end(self) -> None:
        if not self.options.single:
            heard = self._stream.audio.ticks
            await self._meter.settle(heard / TICKS, request_id=self.record_id)
            await self._send_message("speech.endDetected", {"Offset": heard})
            end = {"RecognitionStatus": "EndOfDictation", "Offset": heard + _BEHIND_TICKS, "Duration": 0}
            await self._send_message("speech.phrase", end)
        self.finished = True
        await self._send_message("turn.end", {})

    async def _send_message(self, path: str, body: Mapping[str, Any], *, heard: int | None = None) -> None:
        await self._send(write(path, self.request_id, body, heard=heard))
