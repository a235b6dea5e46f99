"""Seconds of audio: what a turn or request is metered as.

A turn counts the audio that was heard in it, silence included, in whole seconds, and is rounded up once: each
of its answers counts what came since the answer before it, so the sum of a turn of 7.2 seconds is 8 however
many phrases it had. An answer within a second that is counted already has an entry of 0, as each has one.
"""

from appliance.pipeline.pipeline import Pipeline, Recorded
from appliance.pipeline.units import whole_seconds


class TurnMeter:
    """Counts one turn.

    Args:
        pipeline: Admits and records.
        request_id: What its entries are kept under.
    """

    def __init__(self, pipeline: Pipeline, request_id: str) -> None:
        self._pipeline = pipeline
        self._request_id = request_id
        self._counted = 0

    async def record(self, seconds: float) -> Recorded:
        """Record that the turn was heard up to so many seconds; release an answer only after this.

        Raises:
            LicenseRefusal, UsageStoreUnavailable: The answer is to be withheld.
        """
        units = max(0, whole_seconds(seconds) - self._counted)
        recorded = await self._pipeline.record(units, request_id=self._request_id)
        self._counted += units
        return recorded

    async def settle(self, seconds: float) -> None:
        """Record what was heard without an answer; nothing if that is not a second more.

        Raises:
            LicenseRefusal, UsageStoreUnavailable: It could not be recorded.
        """
        if whole_seconds(seconds) > self._counted:
            await self.record(seconds)
