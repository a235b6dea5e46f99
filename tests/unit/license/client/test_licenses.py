import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from license.authority.http.app import Limits, make_app
from license.client.http import MAX_REPLY_BYTES
from license.client.licenses import download_license
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import parse_time
from license.errors import (
    BadReply,
    BillingEndpointBusy,
    BillingInvalid,
    ContainerUseUnauthorized,
    CouldNotConnect,
    DownloadError,
    Forged,
    KeyInvalid,
    LicenseError,
    Mismatch,
    OutOfQuota,
    TimedOut,
    TLSFailed,
    UnknownSigner,
    UnknownStatus,
    WrongMachine,
    WrongProduct,
)
from license.licenses.directory import load_directory, save_license
from license.licenses.verify import AuthenticLicense
from tests.support.certificates import certificate

NOW = parse_time("2026-06-01T12:00:00Z")


def ask(billing: str, vendor: Any, **changes: Any) -> AuthenticLicense:
    values = {
        "billing": billing,
        "api_key": vendor.key,
        "request_note": vendor.request(),
        "roots": vendor.roots,
        "product": "ner",
        "instance_vkey": vendor.vkey,
        "now": NOW,
        "timeout_s": 5,
    }
    return download_license(**values | changes)


@contextmanager
def answering(answer: Callable[[socket.socket], None], *, read: bool = True) -> Iterator[str]:
    """A server of one connection that answers as told, on a real socket."""

    def run() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                if read:
                    received.append(read_request(connection))
                answer(connection)
            except OSError:
                pass  # the client has left, as it should have

    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def reply(status: str, body: bytes | dict[str, Any], *headers: str) -> Callable[[socket.socket], None]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + data)


def error(word: str, message: str = "said so", hint: str = "do that") -> dict[str, Any]:
    return {"error": {"code": "x", "message": message, "hint": hint}, "status": word}


def refuse(answer: Callable[[socket.socket], None], vendor: Any, **changes: Any) -> LicenseError:
    with answering(answer) as billing, pytest.raises(LicenseError) as caught:
        ask(billing, vendor, **changes)
    assert caught.value.hint
    return caught.value


def test_the_round_trip_over_http(url: str, shared: Any, tmp_path: Path) -> None:
    opened = ask(url, shared)
    assert opened.license.instance.vkeys == (shared.vkey,)
    note, issuer = save_license(tmp_path, opened)
    assert (note.stat().st_mode & 0o777, issuer.stat().st_mode & 0o777) == (0o600, 0o600)
    found = load_directory(tmp_path, roots=shared.roots, product="ner", instance_vkey=shared.vkey)
    assert found == opened


def test_a_trailing_slash_and_a_path_in_billing_are_kept(shared: Any) -> None:
    for path, expected in (
        ("", b"/v1/licenses"),
        ("/", b"/v1/licenses"),
        ("/tenant/7/", b"/tenant/7/v1/licenses"),
    ):
        seen: list[bytes] = []

        def answer(connection: socket.socket, seen: list[bytes] = seen) -> None:
            seen.append(read_request(connection))
            reply("503 Busy", b"")(connection)

        with answering(answer, read=False) as billing, pytest.raises(UnknownStatus):
            ask(billing + path, shared)
        assert seen[0].split(b" ")[1] == expected


def test_nothing_leaves_but_the_request_and_the_key(shared: Any) -> None:
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        reply("503 Busy", b"")(connection)

    request = shared.request()
    with answering(answer, read=False) as billing, pytest.raises(UnknownStatus):
        ask(billing, shared, request_note=request)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert body == request
    assert sorted(line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]) == [
        *(b"accept", b"accept-encoding", b"content-length", b"content-type", b"host"),
        b"ocp-apim-subscription-key",
    ]


@pytest.mark.parametrize(
    ("word", "http", "kind"),
    [
        ("Invalid", "401 Unauthorized", KeyInvalid),
        ("Mismatch", "409 Conflict", Mismatch),
        ("OutOfQuota", "403 Forbidden", OutOfQuota),
        ("ContainerUseUnauthorized", "403 Forbidden", ContainerUseUnauthorized),
        ("BillingEndpointBusy", "429 Too Many Requests", BillingEndpointBusy),
        ("CouldNotConnect", "502 Bad Gateway", CouldNotConnect),
        ("Unknown", "500 Oops", UnknownStatus),
        ("Unknown", "400 Bad Request", UnknownStatus),
        ("OutOfQuota", "418 Teapot", OutOfQuota),
    ],
)
def test_each_status_word_is_an_error_of_its_own(
    shared: Any, word: str, http: str, kind: type[DownloadError]
) -> None:
    caught = refuse(reply(http, error(word)), shared)
    assert type(caught) is kind
    assert kind.status == word
    assert (caught.message, caught.hint) == ("said so", "do that")


@pytest.mark.parametrize(
    ("http", "kind"),
    [
        ("401 Unauthorized", KeyInvalid),
        ("403 Forbidden", ContainerUseUnauthorized),
        ("409 Conflict", Mismatch),
        ("429 Too Many Requests", BillingEndpointBusy),
        ("500 Oops", UnknownStatus),
        ("503 Service Unavailable", UnknownStatus),
        ("404 Not Found", BadReply),
        ("204 No Content", BadReply),
        ("302 Found", BadReply),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>portal</html>", b'{"status": 7, "error": []}', b'{"status": "New"}']
)
def test_without_a_status_word_the_http_status_speaks(
    shared: Any, http: str, kind: type[DownloadError], body: bytes
) -> None:
    caught = refuse(reply(http, b"" if http[0:3] == "204" else body), shared)
    assert type(caught) is kind
    assert caught.message


def test_what_the_authority_says_cannot_drive_the_terminal(shared: Any) -> None:
    caught = refuse(reply("401 No", error("Invalid", "\x1b[31mred\nline\u202e" + "x" * 1_000)), shared)
    assert caught.message.isprintable()
    assert len(caught.message) <= 300


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("99999999999", 86_400),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30),
        ("Mon, 01 Jun 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_understood(shared: Any, header: str, seconds: int | None) -> None:
    caught = refuse(reply("429 Busy", error("BillingEndpointBusy"), f"Retry-After: {header}"), shared)
    assert isinstance(caught, BillingEndpointBusy)
    assert caught.retry_after_s == seconds
    assert (f"wait {seconds} s" in caught.hint) == (seconds is not None)


def test_a_busy_authority_passes_on_its_retry_after(shared: Any, serve: Callable[..., Any]) -> None:
    with (
        serve(make_app(shared.authority, limits=Limits(at_once=0))) as billing,
        pytest.raises(BillingEndpointBusy) as caught,
    ):
        ask(billing, shared)
    assert caught.value.retry_after_s == 1


def test_the_real_authority_refuses_a_wrong_key(url: str, shared: Any) -> None:
    with pytest.raises(KeyInvalid, match="invalid subscription key"):
        ask(url, shared, api_key="0" * 32)


def test_nobody_there_is_told_from_somebody_silent(shared: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CouldNotConnect, match="connection refused"):
        ask(f"http://127.0.0.1:{port}", shared)
    with pytest.raises(CouldNotConnect, match="cannot reach"):
        ask("http://no-such-host.invalid", shared)


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: connection.recv(1),
        lambda connection: (
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            connection.recv(1),
        ),
    ],
    ids=["silent", "half"],
)
def test_silence_ends_in_time(shared: Any, answer: Callable[[socket.socket], None]) -> None:
    assert type(refuse(answer, shared, timeout_s=0.2)) is TimedOut


def test_a_reply_that_drips_ends_in_time_too(shared: Any) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100_000):  # half an hour, unless the client hangs up
            connection.sendall(b" ")
            time.sleep(0.02)

    assert type(refuse(drip, shared, timeout_s=0.2)) is TimedOut


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda connection: None, CouldNotConnect),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9\r\n"), BadReply),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"),
            BadReply,
        ),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), BadReply),
        (reply("200 OK", b"not json"), BadReply),
        (reply("200 OK", b"[]"), BadReply),
        (reply("200 OK", b"{}"), BadReply),
        (reply("200 OK", {"license": 1, "issuer": 2}), BadReply),
        (reply("200 OK", b'{"license":"a","license":"b","issuer":"c"}'), BadReply),
        (reply("200 OK", b"[" * 100_000), BadReply),
        (reply("200 OK", b" " * (MAX_REPLY_BYTES + 1)), BadReply),
        (reply("200 OK", b"\xff"), BadReply),
    ],
)
def test_what_is_not_the_authority_is_a_bad_reply(
    shared: Any, answer: Callable[[socket.socket], None], kind: type[LicenseError]
) -> None:
    assert type(refuse(answer, shared)) is kind


@pytest.mark.parametrize("status", ["404 Not Found", "501 Unsupported method"])
def test_a_server_of_another_kind_is_named_as_what_it_is(shared: Any, status: str) -> None:
    page = {"error": {"code": status[:3], "message": "Resource not found"}}
    refused = refuse(reply(status, page), shared)
    assert re.fullmatch(
        r"http://127\.0\.0\.1:\d+ answered " + status[:3] + ": that is not a licence server", refused.message
    )


def test_a_redirect_is_not_followed_since_the_key_would_go_along(shared: Any) -> None:
    caught = refuse(reply("307 Moved", b"", "Location: http://elsewhere.example/v1"), shared)
    assert type(caught) is BadReply
    assert "http://elsewhere.example/v1" in caught.hint


def test_a_licence_is_verified_before_it_is_returned(shared: Any, new_vendor: Callable[..., Any]) -> None:
    made = shared.issue()
    good = {"license": made.note.decode(), "issuer": made.issuer_note.decode()}
    forged = {**good, "license": good["license"].replace("Acme", "Akme")}
    assert isinstance(refuse(reply("200 OK", forged), shared), Forged)
    assert isinstance(refuse(reply("200 OK", good), shared, product="pii"), WrongProduct)
    other = SigningKey.generate("offline-appliance/instance").verifying.vkey
    assert isinstance(refuse(reply("200 OK", good), shared, instance_vkey=other), WrongMachine)
    assert isinstance(refuse(reply("200 OK", good), shared, roots=new_vendor().roots), UnknownSigner)


@pytest.mark.parametrize(
    "billing",
    [
        *(
            "",
            "authority",
            "ftp://host/",
            "http://",
            "http:///x",
            "//host",
            "http://host:99999",
            "http://host:x",
        ),
        *("http://user:secret@host/", "http://host/?a=b", "http://host/#x", "http://ho st/", "http://hö.st/"),
        *("http://host/\r\nX: y", "http://[::1", "file:///etc/passwd", "http://host/\x00"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused_before_anything_is_sent(
    shared: Any, billing: str
) -> None:
    with pytest.raises(BillingInvalid):
        ask(billing, shared)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "ä", "\x00"])
def test_a_key_that_cannot_be_one_is_refused_before_anything_is_sent(shared: Any, key: str) -> None:
    with pytest.raises(KeyInvalid):
        ask("http://127.0.0.1:1", shared, api_key=key)


def test_a_plain_server_asked_for_tls_is_a_tls_failure(url: str, shared: Any) -> None:
    with pytest.raises(TLSFailed):
        ask(url.replace("http:", "https:"), shared)


def test_a_certificate_nobody_vouches_for_is_a_tls_failure(shared: Any, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    def run() -> None:
        connection, _ = listener.accept()
        with connection, pytest.raises(OSError):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        with pytest.raises(TLSFailed, match="not trusted"):
            ask(f"https://127.0.0.1:{listener.getsockname()[1]}", shared)
        thread.join()


def self_signed(directory: Path) -> Path:
    own = certificate("localhost")
    path = directory / "server.pem"
    path.write_bytes(own.key_pem + own.pem)
    return path
