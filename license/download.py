"""The one online moment of an installation: ask the authority for a licence, and believe nothing it says.

`POST {Billing}/v1/licenses`, body: the request note; header `Ocp-Apim-Subscription-Key`: the key. No more
leaves. The reply is a JSON object with two notes, which must pass every step of `license.verify` before they
are returned; a redirect is not followed, since it would carry the key elsewhere. Writing the files is
`license.directory.save_license`, re-exported here. Standard library only.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from license.directory import save_license
from license.errors import (
    BadReply,
    BillingEndpointBusy,
    BillingInvalid,
    ContainerUseUnauthorized,
    CouldNotConnect,
    DownloadError,
    KeyInvalid,
    Malformed,
    Mismatch,
    OutOfQuota,
    TimedOut,
    TLSFailed,
    UnknownStatus,
)
from license.note import MAX_NOTE_BYTES
from license.roots import TrustRoots
from license.verify import AuthenticLicense, open_license
from license.wire import clean_text, parse_json, shown

__all__ = ["download_license", "save_license"]

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"
MAX_REPLY_BYTES: Final = 4 * MAX_NOTE_BYTES
_MAX_RETRY_AFTER_S: Final = 86_400

_BY_WORD: Final[dict[str, type[DownloadError]]] = {
    error.status: error
    for error in (
        KeyInvalid,
        Mismatch,
        CouldNotConnect,
        OutOfQuota,
        BillingEndpointBusy,
        ContainerUseUnauthorized,
        UnknownStatus,
    )
}
_BY_HTTP: Final[dict[int, type[DownloadError]]] = {
    401: KeyInvalid,
    403: ContainerUseUnauthorized,
    409: Mismatch,
    429: BillingEndpointBusy,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    tls: bool
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    code: int
    headers: http.client.HTTPMessage
    body: bytes


def download_license(
    *,
    billing: str,
    api_key: str,
    request_note: bytes,
    roots: TrustRoots,
    product: str,
    instance_vkey: str,
    now: int,
    timeout_s: float = 30,
) -> AuthenticLicense:
    """Return the licence the authority issues for `request_note`, verified.

    Args:
        billing: Address of the authority, `http` or `https`; a path in it is kept.
        api_key: One of the resource's two keys.
        request_note: What `license.request.sign_request` returned.
        roots: Keys that may delegate.
        product: The product the licence must be for.
        instance_vkey: Text form of this machine's key, which the licence must allow.
        now: Unix second, to understand a `Retry-After` that names a date.
        timeout_s: Seconds the whole exchange may take, not merely each step of it.

    Raises:
        DownloadError: not asked, not answered, or refused; its class says which.
        LicenseError: answered, but with a licence that is not good for this machine.
    """
    endpoint = _parse_billing(billing)
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise KeyInvalid("the key is empty or holds characters no key has")
    reply = _post(endpoint, api_key, request_note, timeout_s)
    if reply.code != 200:
        raise _refusal(endpoint, reply, now)
    note, issuer_note = _parse_reply(reply)
    return open_license(note, issuer_note, roots=roots, product=product, instance_vkey=instance_vkey)


def _parse_billing(billing: str) -> _Endpoint:
    try:
        parts = urlsplit(billing)
        port = parts.port
    except ValueError as error:
        raise BillingInvalid(f"Billing is not an address: {error}") from error
    if not billing.isascii() or not billing.isprintable() or " " in billing:
        raise BillingInvalid("Billing holds characters that no address has")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BillingInvalid(f"Billing must be an http or https address, not {billing[:80]!r}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise BillingInvalid("Billing may hold neither a user name, nor a query, nor a fragment")
    tls = parts.scheme == "https"
    return _Endpoint(
        tls=tls,
        host=parts.hostname,
        port=port or (443 if tls else 80),
        path=parts.path.rstrip("/") + "/v1/licenses",
    )


def _post(endpoint: _Endpoint, api_key: str, body: bytes, timeout_s: float) -> _Reply:
    """Send the request and return the reply, or raise, within `timeout_s` seconds overall.

    A socket's own time-out starts anew with every byte that drips in, and looking up a name has none: so the
    exchange runs in a thread of its own that is left behind when the time is over.
    """
    connection = _connection(endpoint, timeout_s)
    headers = {KEY_HEADER: api_key, "Content-Type": "text/plain; charset=utf-8", "Accept": "application/json"}
    outcome: list[_Reply | Exception] = []

    def exchange() -> None:
        try:
            connection.request("POST", endpoint.path, body, headers)
            response = connection.getresponse()
            data = response.read(MAX_REPLY_BYTES + 1)
            outcome.append(_Reply(code=response.status, headers=response.headers, body=data))
        except Exception as error:  # whatever it is, the caller's thread has to learn of it
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=exchange, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        _abandon(connection)
        raise _timed_out(endpoint, timeout_s)
    reply = outcome[0]
    if isinstance(reply, Exception):
        raise _failure(endpoint, reply, timeout_s) from reply
    if len(reply.body) > MAX_REPLY_BYTES:
        raise BadReply(f"{endpoint.shown} answers with more than {MAX_REPLY_BYTES} bytes")
    return reply


def _connection(endpoint: _Endpoint, timeout_s: float) -> http.client.HTTPConnection:
    if not endpoint.tls:
        return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=timeout_s, context=context)


def _abandon(connection: http.client.HTTPConnection) -> None:
    """Wake the thread that waits on the connection, so that it ends by itself."""
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _failure(endpoint: _Endpoint, error: Exception, timeout_s: float) -> DownloadError:
    """Return the refusal that says what went wrong on the way; the order is from special to general."""
    where = endpoint.shown
    failure: DownloadError
    match error:
        case TimeoutError():
            failure = _timed_out(endpoint, timeout_s)
        case ssl.SSLCertVerificationError():
            failure = TLSFailed(f"the certificate of {where} is not trusted: {error.verify_message}")
        case ssl.SSLError():
            failure = TLSFailed(f"no TLS connection to {where}: {error.reason or 'not a TLS server'}")
        case ConnectionRefusedError():
            failure = CouldNotConnect(f"nobody listens at {where} (connection refused)")
        case ConnectionError():
            failure = CouldNotConnect(f"{where} broke off without an answer")
        case OSError():
            failure = CouldNotConnect(f"cannot reach {where}: {error.strerror or error}")
        case _:
            failure = BadReply(f"{where} does not answer in HTTP")
    return failure


def _timed_out(endpoint: _Endpoint, timeout_s: float) -> TimedOut:
    return TimedOut(f"{endpoint.shown} did not answer within {timeout_s:g} s")


def _parse_reply(reply: _Reply) -> tuple[bytes, bytes]:
    """Return licence note and issuer note of a good reply."""
    try:
        claims = parse_json(clean_text(reply.body, max_bytes=MAX_REPLY_BYTES), max_bytes=MAX_REPLY_BYTES)
    except Malformed as error:
        raise BadReply(f"the answer is not the authority's: {error.message}") from error
    notes = claims.get("license"), claims.get("issuer")
    if not isinstance(notes[0], str) or not isinstance(notes[1], str):
        raise BadReply("the answer holds no licence and issuer note")
    return notes[0].encode("utf-8"), notes[1].encode("utf-8")


def _refusal(endpoint: _Endpoint, reply: _Reply, now: int) -> DownloadError:
    """Turn a reply other than 200 into the error of its status word, or of its HTTP status without one."""
    if 300 <= reply.code < 400:
        return BadReply(
            f"{endpoint.shown} redirects elsewhere, where the key will not be sent",
            hint=f"if you trust it, set Billing to {_text(reply.headers.get('Location', 'that address'))}",
        )
    said = _said(reply)
    error = _BY_WORD.get(said.status) or _BY_HTTP.get(reply.code)
    if error is None:
        error = UnknownStatus if reply.code >= 500 else BadReply
    retry_after_s = _retry_after(reply.headers.get("Retry-After"), now)
    message = said.message or f"{endpoint.shown} answers with HTTP status {reply.code} and no reason"
    hint = said.hint or error.default_hint
    if retry_after_s is not None:
        hint = f"{hint} (the authority asks to wait {retry_after_s} s)"
    return error(message, hint=hint, retry_after_s=retry_after_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    status: str = ""
    message: str = ""
    hint: str = ""


def _said(reply: _Reply) -> _Said:
    try:
        claims = parse_json(clean_text(reply.body[:65_536]))
    except Malformed:
        return _Said()  # a proxy's page, perhaps; the HTTP status speaks for itself
    error = claims.get("error")
    if not isinstance(error, dict):
        error = {}
    return _Said(
        status=_text(claims.get("status")),
        message=_text(error.get("message")),
        hint=_text(error.get("hint")),
    )


def _text(value: Any) -> str:
    """Return a text of the authority's, or of whoever answered in its place, safe for a terminal."""
    if not isinstance(value, str):
        return ""
    return shown(value, 300)


def _retry_after(value: str | None, now: int) -> int | None:
    """Return the seconds a `Retry-After` header asks for (RFC 9110 section 10.2.3), at most a day."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        seconds = int(value[:10])
    else:
        try:
            seconds = int(parsedate_to_datetime(value).timestamp()) - now
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0), _MAX_RETRY_AFTER_S)
