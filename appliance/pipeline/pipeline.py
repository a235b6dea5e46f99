"""The order of events in every answer: admitted, computed, recorded durably, and only then released.

This file is the whole promise of the product in one function. It knows no HTTP: the edge turns what it
returns, or raises, into a reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from appliance.config.products import CUSTOM_NER
from appliance.errors import UsageStoreUnavailable
from appliance.ledger.ledger import Receipt, UsageRecord
from appliance.licensing.admission import Admission, AdmissionControl
from appliance.ner.engine import Recognized
from appliance.ner.text_request import TextRequest

TEXT_RECORDS: Final = CUSTOM_NER.meter
"""Meter of text analysis: 1,000 text elements or part of it, per document."""


class Recognizer(Protocol):
    """What answers: an engine, or anything with its one method."""

    async def recognize(
        self, requests: Sequence[TextRequest], *, background: bool = False
    ) -> list[Recognized]:
        """Entities of each text, positions in code points; background texts give way to others."""
        ...


class UsageStore(Protocol):
    """What makes usage durable: the ledger."""

    async def commit(self, uses: Sequence[UsageRecord]) -> Receipt:
        """Return once every use is on disk; raise `UsageStoreUnavailable` otherwise."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether usage can be recorded now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that may leave the machine.

    Attributes:
        entities: Entities of each text, positions in code points.
        receipt: Where its usage record stands in the ledger; None if nothing was analysed.
        usage: What was recorded; None if nothing was analysed.
        admission: The licence decision it was served under.
    """

    entities: list[Recognized]
    receipt: Receipt | None
    usage: UsageRecord | None
    admission: Admission


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Leave to release an answer: where its usage record stands, and the decision it was served under."""

    receipt: Receipt
    usage: UsageRecord
    admission: Admission


class Pipeline:
    """Admission, inference and usage, in that order.

    Args:
        admission: Decides by licence state and quota.
        usage: Makes usage durable.
        meter: What answers count on.
    """

    def __init__(self, *, admission: AdmissionControl, usage: UsageStore, meter: str = TEXT_RECORDS) -> None:
        self._admission = admission
        self._usage = usage
        self._meter = meter

    def check(self, units: int = 0) -> None:
        """Refuse now what would be refused anyway, before any work is queued.

        Args:
            units: What the answer will count at least.

        Raises:
            LicenseRefusal: The licence does not allow an answer at this instant.
            UsageStoreUnavailable: No usage can be recorded now.
        """
        self._admission.admit(units)
        if not self._usage.healthy:
            raise UsageStoreUnavailable("usage cannot be recorded now")

    def warning(self) -> str:
        """What callers are to be told of the licence now; empty if all is well."""
        return self._admission.warning()

    async def recompute(self, recognizer: Recognizer, requests: Sequence[TextRequest]) -> list[Recognized]:
        """Analyse again what was admitted and recorded before a crash; it is not counted a second time.

        Raises:
            Busy, InferenceFailed: As for `answer`.
        """
        return await recognizer.recognize(requests)

    async def record(self, units: int, *, request_id: str) -> Recorded:
        """Record the usage of an answer whose size was known only when it was computed.

        Whoever computes calls `check` first, and releases nothing before this returns.

        Raises:
            LicenseRefusal: Not allowed now; nothing was recorded.
            UsageStoreUnavailable: The record could not be made durable; the answer is to be withheld.
        """
        admission = self._admission.admit(units)
        with admission:
            use = UsageRecord(
                meter=self._meter,
                quantity=units,
                billed=units,
                request_id=request_id,
                grace=admission.grace,
            )
            receipt = await self._usage.commit([use])
        return Recorded(receipt=receipt, usage=use, admission=admission)

    async def answer(
        self, recognizer: Recognizer, requests: Sequence[TextRequest], *, records: int, request_id: str
    ) -> Answer:
        """Analyse texts and record their usage.

        Args:
            recognizer: The model that was asked for.
            requests: Documents that passed the checks of the edge; may be empty.
            records: Text records all of them together are metered as.
            request_id: UUID that the caller sees and the ledger keeps.

        Raises:
            LicenseRefusal: Not allowed now; nothing was computed or recorded.
            Busy: The queue is full; nothing was computed or recorded.
            InferenceFailed: The model failed; nothing was recorded.
            UsageStoreUnavailable: The record could not be made durable; the answer is withheld.
        """
        admission = self._admission.admit(records)
        if not requests:
            return Answer(entities=[], receipt=None, usage=None, admission=admission)
        with admission:
            entities = await recognizer.recognize(requests)
            use = UsageRecord(
                meter=self._meter,
                quantity=records,
                billed=records,
                request_id=request_id,
                grace=admission.grace,
            )
            receipt = await self._usage.commit([use])
        return Answer(entities=entities, receipt=receipt, usage=use, admission=admission)
