"""The meter of a connection: seconds of audio.

A connection counts the audio that was heard in it, silence included, in whole seconds, and is rounded up
once: each record counts what came since the one before it, so the sum of 7.2 seconds is 8 however many
phrases and turns they had. An answer within a second that is counted already has an entry of 0, as each has
one.

An answer tells the client how far it was heard, and the next turn begins there: nothing is counted twice, and
the sum never exceeds the audio that was received.
"""

import asyncio
from typing import Final

from appliance.pipeline.pipeline import Pipeline, Recorded
from appliance.pipeline.units import whole_seconds

_ANY: Final = 0.001


class AudioMeter:
    """Counts one connection: its turns one after another.

    Args:
        pipeline: Admits and records.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._before = 0.0
        self._counted = 0
        self._one = asyncio.Lock()

    def check(self, seconds: float = _ANY) -> None:
        """Ask whether the turn may be heard up to so many seconds; any audio at all, if not told.

        Raises:
            LicenseRefusal, NotMetered, UsageStoreUnavailable: Not now.
        """
        self._pipeline.check(max(0, self._uncounted(seconds)))

    def covers(self, seconds: float) -> bool:
        """Whether a turn's audio up to there is recorded already."""
        return self._uncounted(seconds) <= 0

    async def record(self, seconds: float, *, request_id: str) -> Recorded:
        """Record that the turn under way was heard up to so many seconds; answer only after this.

        Raises:
            LicenseRefusal, NotMetered, UsageStoreUnavailable: The answer is to be withheld.
        """
        end = self._before + seconds
        async with self._one:
            units = max(0, whole_seconds(end) - self._counted)
            recorded = await self._pipeline.record(units, request_id=request_id)
            self._counted += units
            return recorded

    async def settle(self, seconds: float, *, request_id: str) -> None:
        """Record what was heard without an answer; nothing if that is not a second more.

        Raises:
            LicenseRefusal, NotMetered, UsageStoreUnavailable: It could not be recorded.
        """
        async with self._one:  # until then a record under way is not known to be counted
            pass
        if not self.covers(seconds):
            await self.record(seconds, request_id=request_id)

    def end_turn(self, seconds: float) -> None:
        """A turn is over, of which so many seconds were heard."""
        self._before += seconds

    def _uncounted(self, seconds: float) -> int:
        return whole_seconds(self._before + seconds) - self._counted
