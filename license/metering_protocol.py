"""What a connected appliance reports of its usage, and what the endpoint answers: the wire, for both sides.

    POST {Billing}/v1/usage      a report                  → {"status", "message", "log", "next"}
    POST {Billing}/v1/connected  a request note            → {"license", "issuer"}: a lease

A report is a signed note: the installation signs it over a checkpoint of its log, and proves that the log
grew from where the report before ended. So nobody else can report for it, and no position can be made up.

A report covers a run of entries of one usage log, `first` up to (not including) `next`, and sums it up: one
record for each UTC day and meter, in the shape of the containers' `usageRequestBody`. The log's name and
`first` are its idempotency key: the endpoint takes a run only where its own count of that log ends, and every
answer says where that is. So a report may be sent any number of times, in any cut, by any number of senders.

Nothing here is content of a request. Formats: `docs/formats.md`, part Connected.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.encoding.fields import METER, Fields, check_range, check_text
from license.encoding.strict import (
    MAX_INT,
    MAX_TIME,
    decode_base64,
    encode_base64,
    format_date,
    parse_json,
)
from license.errors import Malformed, UnsignedReport
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint, read_checkpoint, sign_checkpoint
from license.evidence.log.merkle import HASH_BYTES
from license.trust.signed_note import open_note, read_unverified, sign_note

USAGE_PATH: Final = "/v1/usage"
LEASE_PATH: Final = "/v1/connected"
STATUS_PATH: Final = "/v1/status"
MAX_REPORT_BYTES: Final = 262_144
MAX_RECORDS: Final = 250
REPORT_LINE: Final = "offline-appliance/report/v1"
MAX_PROOF: Final = 128
MAX_QUANTITY: Final = 2**53
"""Quantities are written as floating numbers, which hold whole numbers exactly up to here."""

_ORIGIN: Final = re.compile(r"offline-appliance/([a-z0-9][a-z0-9._-]{0,63})/([0-9a-f]{12})/([1-9][0-9]{0,8})")
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "offline-appliance/usage")

MESSAGES: Final = {
    "Valid": "Api Key is valid, no action needed.",
    "Invalid": "The Api Key is not valid: the endpoint does not know it. Give a key of the resource.",
    "Mismatch": "The Api Key or the endpoint belongs to another kind of resource, or to another one.",
    "CouldNotConnect": "The billing endpoint cannot be reached. It is asked again after Retry-After.",
    "OutOfQuota": "The quota of the resource is used up: upgrade its tier, or wait for the next period.",
    "BillingEndpointBusy": "The billing endpoint is busy. It is asked again after Retry-After.",
    "ContainerUseUnauthorized": "The resource of this Api Key is not approved for this container.",
    "Unknown": "The billing endpoint cannot process billing requests at present.",
}
"""The sentence of each status word: in `/status`, in the log, and with the exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """What a run of entries used of one meter on one UTC day.

    Attributes:
        meter: Name of the meter.
        entries: Number of usage entries.
        quantity: Units used.
        billed: Units that count against the plan.
        at: Effective time of the last of these entries, Unix seconds.
    """

    meter: str
    entries: int
    quantity: int
    billed: int
    at: int

    def __post_init__(self) -> None:
        check_text("meter.name", self.meter, pattern=METER)
        check_range("entries", self.entries, 1, MAX_INT)
        check_range("meter.quantity", self.quantity, 0, MAX_QUANTITY)
        check_range("billedUnit", self.billed, 0, MAX_QUANTITY)
        check_range("requestTime", self.at, 0, MAX_TIME)

    @property
    def date(self) -> str:
        """The UTC day, `YYYY-MM-DD`."""
        return format_date(self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """A run of entries of one log, summed up.

    Attributes:
        log: Origin of the log.
        first: Index of its first entry.
        next: Index after its last one.
        software: Version of the software that reports.
        records: One for each UTC day and meter.
    """

    log: str
    first: int
    next: int
    software: str
    records: tuple[UsageRecord, ...]

    def __post_init__(self) -> None:
        if _ORIGIN.fullmatch(self.log) is None:
            raise Malformed("log is not the name of a usage log")
        check_range("first", self.first, 0, MAX_INT)
        check_range("next", self.next, self.first + 1, MAX_INT)
        check_text("containerVersion", self.software)
        check_range("the number of records", len(self.records), 1, MAX_RECORDS)
        if len({(record.date, record.meter) for record in self.records}) != len(self.records):
            raise Malformed("two records are of the same day and meter")
        if sum(record.entries for record in self.records) > self.next - self.first:
            raise Malformed("the records are of more entries than the run has")

    @property
    def service(self) -> str:
        """Name of the service that writes the log."""
        return self.log.split("/")[1]

    @property
    def instance(self) -> str:
        """The twelve hex digits of the installation."""
        return self.log.split("/")[2]

    @property
    def idempotency_key(self) -> str:
        """Origin and index, as in the header `Idempotency-Key`."""
        return f"{self.log}/{self.first}"

    def to_bytes(self) -> bytes:
        """Return what it says, as JSON; the same report has the same bytes."""
        return json.dumps(self.to_claims(), indent=1).encode("ascii")

    def to_claims(self) -> dict[str, Any]:
        """Return what it says."""
        return {
            "log": self.log,
            "first": self.first,
            "next": self.next,
            "records": [self._record(record) for record in self.records],
        }

    def _record(self, record: UsageRecord) -> dict[str, Any]:
        name = f"{self.log}/{self.first}-{self.next}/{record.date}/{record.meter}"
        return {
            "entries": record.entries,
            "billedUnit": record.billed,
            "usageRequestBody": {
                "id": str(uuid.uuid5(_NAMESPACE, name)),
                "containerType": self.service,
                "containerVersion": self.software,
                "containerId": self.instance,
                "meter": {"name": record.meter, "quantity": float(record.quantity)},
                "requestTime": record.at,
                "apiType": self.service,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """A report as it travels: signed by the installation, with what proves where it stands.

    Attributes:
        report: What it says.
        instance: Text form of the key that signs it.
        checkpoint: Note of the head over the first `report.next` entries, signed by the same key.
        growth: RFC 6962 proof that the log of `report.first` entries is a prefix of that one.
        note: The whole, as sent.
    """

    report: UsageReport
    instance: str
    checkpoint: bytes
    growth: tuple[bytes, ...]
    note: bytes

    @property
    def root(self) -> bytes:
        """Root hash over the first `report.next` entries."""
        return read_checkpoint(self.checkpoint).root


def sign_report(
    report: UsageReport, *, root: bytes, growth: Sequence[bytes], key: SigningKey
) -> SignedReport:
    """Return the report as an installation sends it; the same report has the same bytes.

    Args:
        report: What it says.
        root: Root hash over the first `report.next` entries.
        growth: Proof of growth from `report.first` entries to them.
        key: The installation's.
    """
    head = Checkpoint(origin=report.log, size=report.next, root=root)
    checkpoint = sign_checkpoint(head, key)
    claims = {
        **report.to_claims(),
        "instance": key.verifying.vkey,
        "checkpoint": checkpoint.decode(),
        "growth": [encode_base64(part) for part in growth],
    }
    text = f"{REPORT_LINE}\n{json.dumps(claims, indent=1)}\n"
    return SignedReport(
        report=report,
        instance=key.verifying.vkey,
        checkpoint=checkpoint,
        growth=tuple(growth),
        note=sign_note(text, key),
    )


def open_report(body: bytes) -> SignedReport:
    """Read a report and verify it under the key it names; whose key that is, the endpoint's book says.

    Raises:
        UnsignedReport: It is of software that did not sign its reports.
        Malformed: Naming the first thing that is wrong.
        Forged, UnknownSigner: It is not signed by the key it names.
    """
    if body.lstrip().startswith(b"{"):
        raise UnsignedReport("the report is not signed by the installation")
    claimed = _open_claims(read_unverified(body, max_bytes=MAX_REPORT_BYTES))
    key = VerifyingKey.from_vkey(claimed.text("instance"))
    top = _open_claims(open_note(body, [key], max_bytes=MAX_REPORT_BYTES).text)
    report = _read_report(top)
    if key.fingerprint != report.instance:
        raise Malformed("instance is not the installation that writes the log")
    note = top.get_text("checkpoint").encode()
    head = open_checkpoint(note, [key]).checkpoint
    if (head.origin, head.size) != (report.log, report.next):
        raise Malformed("checkpoint is not the head where the report ends")
    growth = top.hashes("growth")
    return SignedReport(report=report, instance=key.vkey, checkpoint=note, growth=growth, note=body)


def _open_claims(text: str) -> _ReportFields:
    line, _, body = text.partition("\n")
    if line != REPORT_LINE:
        raise Malformed(f"a usage report begins with {REPORT_LINE}")
    return _ReportFields(parse_json(body, max_bytes=MAX_REPORT_BYTES, whole_floats=True))


class _ReportFields(Fields):
    """Two forms that only reports have."""

    def get_text(self, name: str) -> str:
        """Return a text of several lines."""
        value = self.claims.get(name)
        if not isinstance(value, str):
            raise Malformed(f"{name} must be a text")
        return value

    def hashes(self, name: str) -> tuple[bytes, ...]:
        """Return the hashes of a proof."""
        items = self.claims.get(name)
        if not isinstance(items, list) or len(items) > MAX_PROOF or any(type(i) is not str for i in items):
            raise Malformed(f"{name} must be a list of at most {MAX_PROOF} hashes")
        hashes = tuple(decode_base64(item) for item in items)
        if any(len(part) != HASH_BYTES for part in hashes):
            raise Malformed(f"{name} must be hashes of {HASH_BYTES} bytes")
        return hashes


def _read_report(top: Fields) -> UsageReport:
    records, software = [], ""
    log = top.text("log")
    for item in top.objects("records"):
        inner = item.object("usageRequestBody")
        software = inner.text("containerVersion")
        meter = inner.object("meter")
        if inner.text("containerId") not in log.split("/"):
            raise Malformed("containerId is not the installation that writes the log")
        records.append(
            UsageRecord(
                meter=meter.text("name"),
                entries=item.number("entries"),
                quantity=meter.number("quantity"),
                billed=item.number("billedUnit"),
                at=inner.number("requestTime"),
            )
        )
    return UsageReport(
        log=log,
        first=top.number("first"),
        next=top.number("next"),
        software=software,
        records=tuple(records),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What the endpoint answers to a report.

    Attributes:
        status: `Valid`, or `OutOfQuota`: counted, but nothing more may be used.
        log: Origin of the log.
        next: How many entries of it are counted, from the first one on.
    """

    status: str
    log: str
    next: int

    def to_claims(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        return {
            "status": self.status,
            "message": MESSAGES[self.status],
            "log": self.log,
            "next": self.next,
        }
