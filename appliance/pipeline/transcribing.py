"""A recording on its way through the pipeline: admitted, heard, recorded durably, and only then told.

Each channel is rounded up to whole seconds, once.
"""

from collections.abc import Callable

from appliance.pipeline.pipeline import Pipeline, Recorded
from appliance.pipeline.units import whole_seconds
from appliance.speech.audio.reader import Sound
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.transcripts.transcription import Transcription, Wanted, hear


def units(transcription: Transcription) -> int:
    """Return the seconds that a transcription counts."""
    return sum(map(whole_seconds, transcription.seconds))


async def transcribe_counted(
    pipeline: Pipeline,
    engine: SpeechEngine,
    sound: Sound,
    wanted: Wanted,
    *,
    request_id: str,
    prepare: Callable[[Transcription], None] = lambda _: None,
    told: Callable[[int], None] | None = None,
) -> tuple[Transcription, Recorded]:
    """Hear a recording and record its usage; what is returned may be released.

    Args:
        pipeline: Admits and records.
        engine: What hears it.
        sound: The recording.
        wanted: How it is to be heard.
        request_id: UUID that the ledger keeps.
        prepare: Called before the record is made, with what must be possible to release: if it raises,
            nothing is recorded. Blocks the event loop.
        told: As of `hear`.

    Raises:
        LicenseRefusal, NotMetered, UsageStoreUnavailable: Not now; nothing was recorded.
        AudioError, AudioTooLong, Stopping, InferenceFailed: As `hear`; nothing was recorded.
    """
    pipeline.check(1)
    transcription = await hear(engine, sound, wanted, told=told)
    prepare(transcription)
    recorded = await pipeline.record(units(transcription), request_id=request_id)
    return transcription, recorded
