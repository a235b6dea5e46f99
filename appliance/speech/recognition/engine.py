"""The speech engine: a checked folder becomes a running model, streams of samples become events.

    folder ─► model, decoder ─► await stream.feed(bytes) ─► events

The event loop never computes: every call runs on one of a few threads, one call of a stream at a time and
first come, first served, so that no stream waits for another's whole backlog.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from appliance.errors import ApplianceError, InferenceFailed, Stopping
from appliance.host.cpus import usable_cores
from appliance.speech.acoustic.model import load_ctc, load_transducer
from appliance.speech.adaptation.adaptation import Adaptation
from appliance.speech.audio.reader import TICKS_PER_SECOND, AudioStream
from appliance.speech.audio.voice_activity import Activity, EnergyActivity
from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.ctc import CtcDecoder
from appliance.speech.decoding.segment import (
    NO_PREFERENCES,
    HeardWord,
    Preferences,
    Segment,
    ctc_segment,
    transducer_segment,
)
from appliance.speech.display.pipeline import Forms
from appliance.speech.display.rewriting import Rules
from appliance.speech.display.text import Profanity, Shown
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.layout import Layout
from appliance.speech.model.lexicon import adapted
from appliance.speech.recognition.cascade import CascadeSegment
from appliance.speech.recognition.stream import Event, Listener, Manner
from appliance.speech.whisper.recognizer import load_recognizer
from appliance.speech.whisper.whisper_segment import WhisperSegment

T = TypeVar("T")

Begin = Callable[[Preferences, Callable[[], bool]], Segment]
"""Makes a segment of speech: what the caller prefers, and whether others wait for a thread."""

MAX_THREADS: Final = 16
PIECE_SECONDS: Final = 2.0
"""Audio of one stream that is worked on in one go, before others get their turn."""


class SpeechEngine:
    """A loaded model that listens; made by `SpeechEngine.load`."""

    def __init__(
        self,
        folders: Sequence[SpeechFolder],
        *,
        begin: Begin,
        activity: Callable[[], Activity],
        threads: int,
        forms: Forms,
        least: float = 0.0,
    ) -> None:
        self._least = least
        self.folders = tuple(folders)
        self.forms = forms
        self.threads = threads
        self.rate = self.folder.rate
        self._begin = begin
        self._activity = activity
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="speech")
        self._busy: dict[int, float] = {}
        self._numbers = iter(range(1 << 62))
        self._asked = 0
        self._closing = False

    @classmethod
    def load(
        cls,
        folder: SpeechFolder,
        closed: SpeechFolder | None = None,
        *,
        threads: int = 0,
        activity: Callable[[], Activity] | None = None,
        forms: Forms | None = None,
        least: float = 0.0,
    ) -> "SpeechEngine":
        """Load a model and try it on silence. Blocks.

        Args:
            folder: The checked folder.
            closed: One with a closed vocabulary, which is asked first; the folder must hold a Whisper model
                of its language and rate.
            threads: Calls of the model at once, each keeping one core busy; 0 means one per usable core.
            activity: Makes a detector of speech for each stream; by energy if not told.
            forms: Display models; built-in forms if not told.
            least: Confidence, 0…1, below which a phrase is not understood.

        Raises:
            ModelError: The model cannot be loaded, or fails on silence.
        """
        begin = _load(folder) if closed is None else _cascade(closed, folder)
        return cls(
            [one.released() for one in (folder, closed) if one is not None],
            begin=begin,
            activity=activity or (lambda: EnergyActivity(folder.rate)),
            threads=threads or min(usable_cores(), MAX_THREADS),
            forms=_written_forms(forms or Forms(rate=folder.rate), folder.adaptation),
            least=least,
        )

    @property
    def folder(self) -> SpeechFolder:
        """That of the model that hears everything."""
        return self.folders[0]

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that the model tells apart; empty where it knows one alone."""
        known = self.folder.whisper.languages if self.folder.whisper is not None else {}
        return () if self.folder.language else tuple(known)

    def listener(self, manner: Manner, preferences: Preferences = NO_PREFERENCES) -> Listener:
        """What listens to one turn; use it through `run`, or directly off the event loop."""
        return Listener(
            rate=self.rate,
            activity=self._activity(),
            begin=lambda: self.forms.rescored(self._begin(preferences, self._is_busy)),
            manner=manner,
            least=self._least,
        )

    def stream(self, manner: Manner, preferences: Preferences = NO_PREFERENCES) -> "SpeechStream":
        """A turn whose audio arrives as WAV in pieces."""
        return SpeechStream(self, self.listener(manner, preferences))

    async def shown(self, words: Sequence[Sequence[HeardWord]], profanity: Profanity) -> list[Shown]:
        """Return each of some texts in its forms; a punctuation model computes off the event loop.

        Raises:
            Stopping, InferenceFailed: As `run`.
        """

        def work() -> list[Shown]:
            return [self.forms.show(sentence, profanity) for sentence in words]

        return work() if self.forms.punctuator is None else await self.run(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Run one piece of work on a thread of the model.

        Raises:
            Stopping: The engine is being closed.
            InferenceFailed: The work raised something unexpected; nothing of it is told.
            ApplianceError: What the work refused.
        """
        if self._closing:
            raise Stopping("The service is stopping.")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._timed, work)
        except ApplianceError:
            raise
        except Exception as error:
            raise InferenceFailed("the speech model failed on this audio") from error
        finally:
            self._asked -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        number = next(self._numbers)
        self._busy[number] = time.monotonic()
        try:
            return work()
        finally:
            del self._busy[number]

    def _is_busy(self) -> bool:
        return self.waiting > 0

    @property
    def waiting(self) -> int:
        """Pieces of work that wait for a thread."""
        return max(0, self._asked - len(self._busy))

    def heartbeat_age(self) -> float:
        """Return for how many seconds the slowest thread has been at one piece of work; 0 when idle."""
        now = time.monotonic()
        return max((now - since for since in list(self._busy.values())), default=0.0)

    def close(self) -> None:
        """End what runs and take no more. Blocks, so call it off the event loop."""
        self._closing = True
        self._pool.shutdown(wait=True, cancel_futures=True)


class SpeechStream:
    """One turn: WAV bytes in, events out.

    Args:
        engine: What computes.
        listener: What listens.
    """

    def __init__(self, engine: SpeechEngine, listener: Listener) -> None:
        self._engine = engine
        self._listener = listener
        self.audio = AudioStream(engine.rate)

    @property
    def ended(self) -> bool:
        """Whether what follows is thrown away."""
        return self._listener.ended

    @property
    def seconds(self) -> float:
        """Seconds of audio that were looked at, never more than came: a change of rate may round up."""
        return min(self._listener.processed / self._engine.rate, self.received)

    @property
    def received(self) -> float:
        """Seconds of audio that came, by their own rate."""
        return self.audio.ticks / TICKS_PER_SECOND

    async def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes.

        Raises:
            AudioError: They are no WAV stream, or of a kind that is not supported.
            Stopping, InferenceFailed: As `SpeechEngine.run`.
        """
        return await self._engine.run(lambda: self._listener.feed(self.audio.feed(data)))

    async def finish(self) -> list[Event]:
        """The audio is over.

        Raises:
            Stopping, InferenceFailed: As `SpeechEngine.run`.
        """
        return await self._engine.run(self._finish)

    def _finish(self) -> list[Event]:
        return [*self._listener.feed(self.audio.end()), *self._listener.finish()]


def _load_ctc(folder: SpeechFolder) -> Begin:
    model = load_ctc(folder)
    lexicon = adapted(folder.lexicon, folder.adaptation)
    decoder = CtcDecoder(folder.vocabulary, lexicon=lexicon, beam=folder.decoding.beam)
    return lambda preferences, _: ctc_segment(model, decoder, preferences.phrases, preferences.weight)


def _load_transducer(folder: SpeechFolder) -> Begin:
    model = load_transducer(folder)
    return lambda _, __: transducer_segment(model, folder.vocabulary)


def _load_whisper(folder: SpeechFolder) -> Begin:
    recognizer = load_recognizer(folder)
    return lambda preferences, busy: WhisperSegment(recognizer, preferences, busy)


def _load(folder: SpeechFolder) -> Begin:
    return _LOADERS.get(folder.graphs.layout, _load_ctc)(folder)


def _cascade(closed: SpeechFolder, open_: SpeechFolder) -> Begin:
    first, recognizer = _load(closed), load_recognizer(open_)
    return lambda preferences, busy: CascadeSegment(
        first(preferences, busy),
        WhisperSegment(recognizer, preferences, busy),
        preferences,
    )


def _written_forms(forms: Forms, adaptation: Adaptation | None) -> Forms:
    """The forms, where what is written otherwise than spoken comes before the rules of a display model."""
    if adaptation is None or adaptation.pronunciations is None:
        return forms
    written = {**(forms.rules.written if forms.rules else {}), **adaptation.pronunciations.displayed}
    return replace(forms, rules=Rules(written=written, longest=max(map(len, written), default=0)))


_LOADERS: Final = {Layout.TRANSDUCER: _load_transducer, Layout.WHISPER: _load_whisper}


def pieces(samples: Samples, rate: int) -> list[Samples]:
    """Cut a long stretch into what is worked on in one go."""
    size = int(PIECE_SECONDS * rate)
    return np.split(samples, range(size, len(samples), size))
