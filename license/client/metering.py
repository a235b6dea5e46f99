"""The appliance's end of the metering endpoint: ask for a lease, report usage, ask whether the key is good.

The wire is `license.metering_protocol`, the exchange `license.client.http`; nothing that is answered is
believed before it was verified or checked. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from license.client.http import MAX_REPLY_BYTES, Endpoint, Proxy, Reply, get, parse_address, post, render
from license.client.licenses import KEY_HEADER, check_key, note_headers, refusal, request_license
from license.encoding.strict import MAX_INT, clean_text, parse_json
from license.errors import BadReply, Malformed
from license.licenses.verify import AuthenticLicense
from license.metering_protocol import (
    LEASE_PATH,
    STATUS_PATH,
    USAGE_PATH,
    Acknowledgement,
    SignedReport,
    UsageReport,
)
from license.slices.protocol import SLICE_PATH, SliceReply, read_reply
from license.trust.roots import TrustRoots

_GOOD: Final = ("Valid", "OutOfQuota")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringClient:
    """The way to the endpoint.

    Attributes:
        billing: Its address.
        api_key: A key of the resource.
        proxy: The proxy to ask through.
        timeout_s: Seconds one exchange may take.
    """

    billing: str
    api_key: str = field(repr=False)
    proxy: Proxy | None = None
    timeout_s: float = 30

    def endpoint(self, path: str) -> Endpoint:
        """Return the endpoint for a path; raises `BillingInvalid`."""
        return parse_address(self.billing, path, self.proxy)

    def lease(
        self, request_note: bytes, *, roots: TrustRoots, product: str, instance_vkey: str, now: int
    ) -> AuthenticLicense:
        """Return a lease for a request note, verified; this is how a key is checked.

        Raises:
            DownloadError: Not asked, not answered, or refused; its class says which.
            LicenseError: Answered, but with a lease that is not good for this machine.
        """
        licensed = request_license(
            self.endpoint(LEASE_PATH),
            api_key=self.api_key,
            request_note=request_note,
            roots=roots,
            product=product,
            instance_vkey=instance_vkey,
            now=now,
            timeout_s=self.timeout_s,
        )
        if licensed.license.connected is None:
            raise BadReply("the endpoint answers with a licence where a lease was asked for")
        return licensed

    def report(self, signed: SignedReport, *, now: int) -> Acknowledgement:
        """Send a report and return what the endpoint says of it.

        Raises:
            DownloadError: Not asked, not answered, or refused; its class says which.
        """
        endpoint = self.endpoint(USAGE_PATH)
        check_key(self.api_key)
        report = signed.report
        reply = post(endpoint, signed.note, self._headers(report), self.timeout_s)
        answer = _parse_reply(endpoint, reply, now)
        position = answer.get("next")
        if answer.get("log") != report.log or not isinstance(position, int) or not 0 <= position <= MAX_INT:
            raise BadReply("the answer is not an acknowledgement of this report")
        return Acknowledgement(status=_status_of(answer), log=report.log, next=position)

    def check(self, log: str, *, now: int) -> Acknowledgement:
        """Ask whether the key is good, and how far a log is counted.

        Raises:
            DownloadError: Not asked, not answered, or refused; its class says which.
        """
        endpoint = self.endpoint(f"{STATUS_PATH}?log={log}")
        check_key(self.api_key)
        answer = _parse_reply(endpoint, get(endpoint, self._plain_headers(), self.timeout_s), now)
        position = answer.get("next")
        if not isinstance(position, int) or not 0 <= position <= MAX_INT:
            raise BadReply("the answer does not say how far the log is counted")
        return Acknowledgement(status=_status_of(answer), log=log, next=position)

    def head(self, log: str, *, now: int) -> int:
        """Ask a site's desk for the size of the newest head of a log that it knows.

        Raises:
            DownloadError: Not asked, not answered, or refused; its class says which.
        """
        endpoint = self.endpoint(f"{STATUS_PATH}?log={log}")
        check_key(self.api_key)
        answer = _parse_reply(endpoint, get(endpoint, self._plain_headers(), self.timeout_s), now)
        size = answer.get("head")
        if not isinstance(size, int) or not 0 <= size <= MAX_INT:
            raise BadReply("the answer does not say which head of the log is known: it is not a site's desk")
        return size

    def slice(self, standing: bytes, *, now: int) -> SliceReply:
        """Tell a site's desk how things stand, and return what it grants; the slice is not verified yet.

        Raises:
            DownloadError: Not asked, not answered, or refused; its class says which.
        """
        endpoint = self.endpoint(SLICE_PATH)
        check_key(self.api_key)
        answer = _parse_reply(
            endpoint, post(endpoint, standing, note_headers(self.api_key), self.timeout_s), now
        )
        _status_of(answer)
        try:
            return read_reply(answer)
        except Malformed as error:
            raise BadReply(f"the answer is not a desk's: {error.message}") from error

    def shown_check(self, log: str) -> bytes:
        """Return the bytes that asking so puts on the wire."""
        return render("GET", self.endpoint(f"{STATUS_PATH}?log={log}"), None, self._plain_headers())

    def shown_lease(self, request_note: bytes) -> bytes:
        """Return the bytes that asking for a lease puts on the wire."""
        return render("POST", self.endpoint(LEASE_PATH), request_note, note_headers(self.api_key))

    def shown_report(self, signed: SignedReport) -> bytes:
        """Return the bytes that a report puts on the wire."""
        return render("POST", self.endpoint(USAGE_PATH), signed.note, self._headers(signed.report))

    def _plain_headers(self) -> dict[str, str]:
        return {KEY_HEADER: self.api_key, "Accept": "application/json"}

    def _headers(self, report: UsageReport) -> dict[str, str]:
        return {
            KEY_HEADER: self.api_key,
            "Content-Type": "text/plain; charset=utf-8",
            "Accept": "application/json",
            "Idempotency-Key": report.idempotency_key,
        }


def status_word(endpoint: Endpoint, reply: Reply, now: int) -> str:
    """Return the word of a good reply, `Valid` or `OutOfQuota`; raises `DownloadError` for any other."""
    return _status_of(_parse_reply(endpoint, reply, now))


def _parse_reply(endpoint: Endpoint, reply: Reply, now: int) -> dict[str, Any]:
    if reply.code != 200:
        raise refusal(endpoint, reply, now)
    try:
        return parse_json(clean_text(reply.body, max_bytes=MAX_REPLY_BYTES), max_bytes=MAX_REPLY_BYTES)
    except Malformed as error:
        raise BadReply(f"the answer is not the endpoint's: {error.message}") from error


def _status_of(answer: dict[str, Any]) -> str:
    status = answer.get("status")
    if status not in _GOOD:
        raise BadReply("the answer has no status word that goes with success")
    return str(status)
