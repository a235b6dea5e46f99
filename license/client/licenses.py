"""Asking the authority for a licence over HTTP, and verifying what it answers.

`POST {Billing}/v1/licenses`, body: the request note; header `Ocp-Apim-Subscription-Key`: the key. No more
leaves. The reply is a JSON object with two notes, which must pass every step of `license.licenses.verify`
before they are returned; a redirect is not followed, since it would carry the key elsewhere. Writing the
files is `license.licenses.directory.save_license`. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from license.client.http import MAX_REPLY_BYTES, Endpoint, Reply, parse_address, post
from license.encoding.strict import DAY, clean_text, parse_json, shown
from license.errors import (
    BadReply,
    BillingEndpointBusy,
    ContainerUseUnauthorized,
    CouldNotConnect,
    DownloadError,
    KeyInvalid,
    Malformed,
    Mismatch,
    OutOfQuota,
    UnknownStatus,
)
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import TrustRoots

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"
_MAX_RETRY_AFTER_S: Final = DAY

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
        request_note: What `license.licenses.request.sign_request` returned.
        roots: Keys that may delegate.
        product: The product the licence must be for.
        instance_vkey: Text form of this machine's key, which the licence must allow.
        now: Unix second, to understand a `Retry-After` that names a date.
        timeout_s: Seconds the whole exchange may take, not merely each step of it.

    Raises:
        DownloadError: not asked, not answered, or refused; its class says which.
        LicenseError: answered, but with a licence that is not good for this machine.
    """
    return request_license(
        parse_address(billing, "/v1/licenses"),
        api_key=api_key,
        request_note=request_note,
        roots=roots,
        product=product,
        instance_vkey=instance_vkey,
        now=now,
        timeout_s=timeout_s,
    )


def request_license(
    endpoint: Endpoint,
    *,
    api_key: str,
    request_note: bytes,
    roots: TrustRoots,
    product: str,
    instance_vkey: str,
    now: int,
    timeout_s: float,
) -> AuthenticLicense:
    """Do the same at an endpoint; what it hands out may be a licence or a lease."""
    check_key(api_key)
    reply = post(endpoint, request_note, note_headers(api_key), timeout_s)
    if reply.code != 200:
        raise refusal(endpoint, reply, now)
    note, issuer_note = _parse_reply(reply)
    return open_license(note, issuer_note, roots=roots, product=product, instance_vkey=instance_vkey)


def note_headers(api_key: str) -> dict[str, str]:
    """Return the headers that a request note is sent with."""
    return {KEY_HEADER: api_key, "Content-Type": "text/plain; charset=utf-8", "Accept": "application/json"}


def _parse_reply(reply: Reply) -> tuple[bytes, bytes]:
    """Return licence note and issuer note of a good reply."""
    try:
        claims = parse_json(clean_text(reply.body, max_bytes=MAX_REPLY_BYTES), max_bytes=MAX_REPLY_BYTES)
    except Malformed as error:
        raise BadReply(f"the answer is not the authority's: {error.message}") from error
    notes = claims.get("license"), claims.get("issuer")
    if not isinstance(notes[0], str) or not isinstance(notes[1], str):
        raise BadReply("the answer holds no licence and issuer note")
    return notes[0].encode("utf-8"), notes[1].encode("utf-8")


def check_key(api_key: str) -> None:
    """Refuse what cannot be a key before it is sent anywhere; raises `KeyInvalid`."""
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise KeyInvalid("the key is empty or holds characters no key has")


def refusal(endpoint: Endpoint, reply: Reply, now: int) -> DownloadError:
    """Turn a reply other than 200 into the error of its status word, or of its HTTP status without one."""
    if 300 <= reply.code < 400:
        return BadReply(
            f"{endpoint.shown} redirects elsewhere, where the key will not be sent",
            hint=f"if you trust it, set Billing to {_text(reply.headers.get('Location', 'that address'))}",
        )
    body = _parse_refusal(reply)
    error = _BY_WORD.get(body.status) or _BY_HTTP.get(reply.code)
    if error is None:
        error = UnknownStatus if reply.code >= 500 and reply.code != 501 else BadReply
    retry_after_s = _retry_after(reply.headers.get("Retry-After"), now)
    message = body.message or f"{endpoint.shown} answered {reply.code} without a reason"
    hint = body.hint or error.default_hint
    if error is BadReply:  # its own words are those of another kind of server
        message, hint = (
            f"{endpoint.shown} answered {reply.code}: that is not a licence server",
            error.default_hint,
        )
    if retry_after_s is not None:
        hint = f"{hint} (the authority asks to wait {retry_after_s} s)"
    return error(message, hint=hint, retry_after_s=retry_after_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RefusalBody:
    status: str = ""
    message: str = ""
    hint: str = ""


def _parse_refusal(reply: Reply) -> _RefusalBody:
    try:
        claims = parse_json(clean_text(reply.body[:65_536]))
    except Malformed:
        return _RefusalBody()  # a proxy's page, perhaps; the HTTP status speaks for itself
    error = claims.get("error")
    if not isinstance(error, dict):
        error = {}
    return _RefusalBody(
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
