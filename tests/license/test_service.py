import http.client
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from license.authority.service import KEY_HEADER, build_app, make_app
from license.request import MAX_REQUEST_BYTES
from license.verify import open_license


def ask(
    url: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, Any], Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers
    finally:
        connection.close()


def key(value: str) -> dict[str, str]:
    return {KEY_HEADER: value}


def check_error(reply: dict[str, Any], status: str) -> str:
    assert set(reply) == {"error", "status"}
    assert set(reply["error"]) == {"code", "message", "hint"}
    assert reply["status"] == status
    return str(reply["error"]["code"])


def test_a_request_is_answered_with_two_notes(url: str, shared: Any) -> None:
    status, reply, _ = ask(url, "POST", "/v1/licenses", key(shared.key), shared.request())
    assert status == 200
    opened = open_license(
        reply["license"].encode(), reply["issuer"].encode(), roots=shared.roots, instance_vkey=shared.vkey
    )
    assert opened.license.customer == "Acme Ltd"


def test_status_says_whether_a_key_is_good_and_issues_nothing(url: str, shared: Any) -> None:
    before = shared.authority.store.notes("acme-ner")
    status, reply, _ = ask(url, "GET", "/v1/status", key(shared.key))
    assert (status, reply["status"], reply["product"]) == (200, "Valid", "ner")
    assert reply["message"] == "Api Key is valid, no action needed."
    assert shared.authority.store.notes("acme-ner") == before


@pytest.mark.parametrize("wrong", ["", "x", "0" * 32, "0" * 10_000, "ä"])
@pytest.mark.parametrize("call", [("GET", "/v1/status"), ("POST", "/v1/licenses")])
def test_a_wrong_key_is_refused_without_saying_more(url: str, call: tuple[str, str], wrong: str) -> None:
    status, reply, _ = ask(url, *call, key(wrong))
    assert status == 401
    assert check_error(reply, "Invalid") == "Invalid"
    assert "subscription key" in reply["error"]["message"]


def test_without_a_key_nothing_is_read(url: str, shared: Any) -> None:
    status, reply, _ = ask(url, "POST", "/v1/licenses", {}, shared.request())
    assert (status, check_error(reply, "Invalid")) == (401, "Invalid")


def test_a_large_body_is_refused_by_its_announcement_and_by_its_size(url: str, shared: Any) -> None:
    large = b"x" * (MAX_REQUEST_BYTES + 1)
    status, reply, _ = ask(url, "POST", "/v1/licenses", key(shared.key), large)
    assert (status, check_error(reply, "Unknown")) == (413, "TooLarge")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(
        "POST", "/v1/licenses", iter([large, large]), {KEY_HEADER: shared.key}, encode_chunked=True
    )
    response = connection.getresponse()
    assert response.status == 413
    assert check_error(json.loads(response.read()), "Unknown") == "TooLarge"
    connection.close()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda note: b"", "Malformed"),
        (lambda note: note[:-9], "Malformed"),
        (lambda note: note.replace(b'"ner"', b'"pii"'), "Forged"),
        (lambda note: b"\xff" * 100, "Malformed"),
    ],
)
def test_a_bad_request_note_is_a_bad_request(url: str, shared: Any, change: Any, code: str) -> None:
    status, reply, _ = ask(url, "POST", "/v1/licenses", key(shared.key), change(shared.request()))
    assert (status, check_error(reply, "Unknown")) == (400, code)


@pytest.mark.parametrize(
    ("resource", "code", "word"),
    [
        ({"approved": False}, 403, "ContainerUseUnauthorized"),
        ({"product": "pii"}, 409, "Mismatch"),
        ({"period": ("2025-01-01", "2026-01-01")}, 403, "OutOfQuota"),
    ],
)
def test_each_refusal_has_its_status_word(
    url: str, shared: Any, resource: dict[str, Any], code: int, word: str
) -> None:
    other = shared.authority.create_resource(customer="Other", **resource).key1
    status, reply, _ = ask(url, "POST", "/v1/licenses", key(other), shared.request())
    assert status == code
    assert check_error(reply, word)
    assert reply["error"]["hint"]


def test_a_busy_authority_says_when_to_come_back(vendor: Any, serve: Callable[..., Any]) -> None:
    with serve(make_app(vendor.authority, max_at_once=0)) as url:
        status, reply, headers = ask(url, "POST", "/v1/licenses", key(vendor.key), vendor.request())
    assert (status, check_error(reply, "BillingEndpointBusy")) == (429, "Busy")
    assert headers["Retry-After"] == "1"


def test_permits_come_back_whatever_happened(vendor: Any, serve: Callable[..., Any]) -> None:
    with serve(make_app(vendor.authority, max_at_once=1)) as url:
        for _ in range(3):
            assert ask(url, "POST", "/v1/licenses", key(vendor.key), b"bad")[0] == 400
            assert ask(url, "POST", "/v1/licenses", key("wrong"), b"")[0] == 401
        assert ask(url, "POST", "/v1/licenses", key(vendor.key), vendor.request())[0] == 200


def test_other_addresses_and_methods_answer_in_the_same_form(url: str) -> None:
    status, reply, _ = ask(url, "GET", "/elsewhere", {})
    assert (status, check_error(reply, "Unknown")) == (404, "NotFound")
    status, reply, _ = ask(url, "GET", "/v1/licenses", {})
    assert (status, check_error(reply, "Unknown")) == (405, "MethodNotAllowed")


def test_a_crash_shows_nothing_of_the_inside(
    vendor: Any, serve: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="uvicorn.error")
    with serve(vendor.authority.app()) as url:
        with vendor.authority.store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE change")
            connection.exec_driver_sql("DROP TABLE resource")
        status, reply, _ = ask(url, "GET", "/v1/status", key(vendor.key))
    assert (status, check_error(reply, "Unknown")) == (500, "Unknown")
    assert "resource" not in json.dumps(reply)


def test_an_authority_is_served_from_its_directory(vendor: Any, serve: Callable[..., Any]) -> None:
    home: Path = vendor.authority.home
    vendor.authority.close()
    with serve(build_app(home)) as url:
        assert ask(url, "GET", "/v1/status", key(vendor.key))[0] == 200


def test_keys_do_not_reach_the_log(url: str, shared: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ask(url, "POST", "/v1/licenses", key(shared.key), shared.request())
    assert "to acme-ner until" in caplog.text
    assert shared.key not in caplog.text
