"""Many recordings, several at once: each is heard, counted, and only then put into its place.

A recording that cannot be transcribed does not stop the others. What would refuse them too does: the licence,
the usage log, the disk of the transcripts. Then no further recording is begun, and those under way end as
they may.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, BinaryIO, Final, ParamSpec, Protocol, TypeVar

from appliance.errors import ApplianceError, LicenseRefusal, NotMetered, Stopping, UsageStoreUnavailable
from appliance.pipeline.pipeline import Pipeline
from appliance.pipeline.transcribing import transcribe_counted, units
from appliance.pipeline.units import whole_seconds
from appliance.request_ids import uuid7
from appliance.speech.audio.errors import AudioError
from appliance.speech.audio.reader import Sound
from appliance.speech.audio.wav import MAX_CHANNELS, MAX_RATE, MAX_SKIPPED_BYTES
from appliance.speech.model.spoken import Spoken
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.transcripts.formats import written
from appliance.speech.transcripts.transcription import MAX_SECONDS, Transcription, Wanted
from appliance.transcribing.errors import NotTranscribed
from appliance.transcribing.made import Source, State
from appliance.transcribing.outputs import Outputs, Prepared, sha256_of
from appliance.transcribing.plan import Recording
from license.console.refusal import os_words
from license.errors import LicenseError
from license.files import open_regular

_P = ParamSpec("_P")
_T = TypeVar("_T")

_FOR_ALL: Final = (LicenseRefusal, NotMetered, UsageStoreUnavailable, Stopping)
_DISK: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EPIPE))
MAX_BYTES: Final = int(MAX_SECONDS) * MAX_RATE * MAX_CHANNELS * 8 + MAX_SKIPPED_BYTES
"""Two hours of the largest kind of WAV."""
_KEPT: Final = {
    State.CHANGED: "its transcript was changed after it was made, and is kept",
    State.FOREIGN: "a file of that name is there that this command did not make, and is kept",
}


class _OutputFault(Exception):
    """The system refused to write a transcript; kept apart from what it says of recordings."""

    def __init__(self, error: OSError, *, counted: int = 0) -> None:
        super().__init__()
        self.error = error
        self.counted = counted


class Result(Enum):
    """What became of a recording."""

    MADE = auto()
    DONE_BEFORE = auto()
    FAILED = auto()
    INTERRUPTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a recording.

    Attributes:
        recording: Which.
        result: What became of it.
        seconds: Seconds that were counted.
        message: Why it failed.
        hint: What to do.
    """

    recording: Recording
    result: Result
    seconds: int = 0
    message: str = ""
    hint: str = ""


class Watcher(Protocol):
    """Who looks on."""

    def began(self, recording: Recording) -> None:
        """One is under way."""
        ...

    def heard(self, recording: Recording, seconds: float) -> None:
        """So much of it was heard."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """One is over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How every recording is transcribed.

    Attributes:
        kind: One of `FORMATS`.
        spoken: What the model speaks.
        wanted: How it listens.
        model: `Source.model`.
        options: `Source.options`.
    """

    kind: str
    spoken: Spoken
    wanted: Wanted
    model: Mapping[str, Any]
    options: Mapping[str, Any]


class Batch:
    """Transcribes recordings.

    Args:
        pipeline: Admits and records.
        engine: What hears them; as many at once as it has threads.
        outputs: Where transcripts go.
        manner: How.
        watcher: Who looks on.

    Attributes:
        outcomes: What became of each so far.
        refusal: What kept further ones from being begun, if anything did.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        engine: SpeechEngine,
        outputs: Outputs,
        manner: Manner,
        watcher: Watcher,
    ) -> None:
        self._pipeline = pipeline
        self._engine = engine
        self._outputs = outputs
        self._manner = manner
        self._watcher = watcher
        self.outcomes: list[Outcome] = []
        self.refusal: ApplianceError | OSError | None = None

    async def run(self, recordings: Sequence[Recording], stop: asyncio.Event) -> None:
        """Transcribe them all, or until told to stop.

        At a stop, what was heard of those under way is recorded, and nothing of them is written.
        """
        waiting = iter(recordings)
        workers = [asyncio.create_task(self._work(waiting)) for _ in range(self._engine.threads)]
        stopping = asyncio.create_task(stop.wait())
        try:
            everything = asyncio.gather(*workers, return_exceptions=True)
            either: set[asyncio.Future[Any]] = {everything, stopping}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                for worker in workers:
                    worker.cancel()
            for ended in await everything:
                if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                    raise ended
        finally:
            stopping.cancel()

    async def _work(self, waiting: Iterator[Recording]) -> None:
        for recording in waiting:
            if self.refusal is not None:
                return
            self._watcher.began(recording)
            try:
                outcome = await self._one(recording)
            except _FOR_ALL as error:
                self.refusal = error
                outcome = _failed(recording, error)
            except (ApplianceError, LicenseError) as error:
                outcome = _failed(recording, error)
            except _OutputFault as fault:
                if fault.error.errno in _DISK:
                    self.refusal = fault.error
                outcome = _unwritten(recording, fault)
            self.outcomes.append(outcome)
            self._watcher.ended(outcome)
            if outcome.result is Result.INTERRUPTED:
                return

    async def _one(self, recording: Recording) -> Outcome:
        with open_regular(recording.path) as file:
            status = os.fstat(file.fileno())
            _require_own(file, recording)
            _require_bounded(status.st_size)
            digest = await asyncio.to_thread(sha256_of, file)
            source = Source(
                bytes=status.st_size, sha256=digest, model=self._manner.model, options=self._manner.options
            )
            found = await asyncio.to_thread(_writing, self._outputs.look, recording.output, source)
            if found is State.DONE:
                return Outcome(recording=recording, result=Result.DONE_BEFORE)
            if found in _KEPT:
                return Outcome(
                    recording=recording,
                    result=Result.FAILED,
                    message=f"{recording.output}: {_KEPT[found]}",
                    hint="move it away to have it made anew, or name another --out",
                )
            await asyncio.to_thread(_writing, self._outputs.try_room, recording.output)
            return await self._transcribe(recording, file, source)

    async def _transcribe(self, recording: Recording, file: BinaryIO, source: Source) -> Outcome:
        """Hear, count, release. Between record and release nothing is awaited: no stop comes between."""
        engine = self._engine
        began = os.fstat(file.fileno()).st_mtime_ns
        prepared: list[Prepared] = []
        heard = [0.0]

        def told(samples: int) -> None:
            heard[0] = samples / engine.rate
            self._watcher.heard(recording, heard[0])

        def prepare(transcription: Transcription) -> None:
            _require_unchanged(file, source.bytes, began)
            content = written(
                transcription.as_object(
                    spoken=self._manner.spoken, wanted=self._manner.wanted.preferences.languages
                ),
                self._manner.kind,
            )
            prepared.append(_writing(self._outputs.prepare, recording.output, content, source))

        request_id = uuid7()
        try:
            sound = await engine.run(lambda: Sound.open(file))
            transcription, recorded = await transcribe_counted(
                self._pipeline,
                engine,
                sound,
                self._manner.wanted,
                request_id=request_id,
                prepare=prepare,
                told=told,
            )
            seconds = units(transcription)
            try:
                for one in prepared:
                    one.put(seconds=seconds, record=recorded.receipt.header)
            except OSError as error:
                raise _OutputFault(error, counted=seconds) from error
        except asyncio.CancelledError:
            return await self._interrupted(recording, heard[0], request_id)
        finally:
            for one in prepared:
                one.discard()
        return Outcome(recording=recording, result=Result.MADE, seconds=seconds)

    async def _interrupted(self, recording: Recording, heard: float, request_id: str) -> Outcome:
        """Record what was heard of a recording that a stop cut off."""
        seconds = whole_seconds(heard)
        if seconds:
            try:
                await self._pipeline.record(seconds, request_id=request_id)
            except _FOR_ALL as error:
                self.refusal = error
                seconds = 0
        while self._engine.heartbeat_age():  # what still computes reads the recording, which is closed next
            await asyncio.sleep(0.01)
        return Outcome(recording=recording, result=Result.INTERRUPTED, seconds=seconds)


def _failed(recording: Recording, error: ApplianceError | LicenseError) -> Outcome:
    general = isinstance(error, AudioError) and error.hint == AudioError.default_hint
    hint = "" if general else error.hint  # the general one speaks to whoever sends audio
    return Outcome(recording=recording, result=Result.FAILED, message=error.message, hint=hint)


def _unwritten(recording: Recording, fault: _OutputFault) -> Outcome:
    message, hint = os_words(fault.error)
    if fault.counted:
        message = f"{message}; its {fault.counted} seconds are counted already"
    return Outcome(
        recording=recording, result=Result.FAILED, seconds=fault.counted, message=message, hint=hint
    )


def _writing(step: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Do a step of writing; raises `_OutputFault` where the system refuses it."""
    try:
        return step(*arguments, **named)
    except OSError as error:
        raise _OutputFault(error) from error


def _require_own(file: BinaryIO, recording: Recording) -> None:
    """Refuse what a link in a directory leads to outside of it; asked of the open file, so that none is put
    there in between.

    Raises:
        NotTranscribed: It lies elsewhere.
    """
    if recording.within is None:
        return
    place = os.path.realpath(f"/proc/self/fd/{file.fileno()}")
    if not Path(place).is_relative_to(os.path.realpath(recording.within)):
        raise NotTranscribed(
            f"it is a link that leads out of {recording.within}", hint="name the recording itself"
        )


def _require_bounded(size: int) -> None:
    """Refuse a file that is larger than any recording that is heard, before it is read.

    Raises:
        NotTranscribed: It is.
    """
    if size > MAX_BYTES:
        raise NotTranscribed(
            f"it has {size} bytes, more than two hours of the largest kind", hint="cut it into several"
        )


def _require_unchanged(file: BinaryIO, size: int, modified_ns: int) -> None:
    """Refuse a recording that was written to while it was read.

    Raises:
        NotTranscribed: It was.
    """
    status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != (size, modified_ns):
        raise NotTranscribed(
            "the recording was changed while it was read", hint="run the command again when it is complete"
        )
