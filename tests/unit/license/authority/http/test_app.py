import hashlib
import http.client
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from license.authority.authority import Authority
from license.authority.http.app import KEY_HEADER, Limits, make_app
from license.licenses.request import MAX_REQUEST_BYTES
from license.licenses.verify import open_license


def ask(
    url: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, Any], Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
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
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
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
        ({"product": "speech"}, 409, "Mismatch"),
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
    with serve(make_app(vendor.authority, Limits(at_once=0))) as url:
        status, reply, headers = ask(url, "POST", "/v1/licenses", key(vendor.key), vendor.request())
    assert (status, check_error(reply, "BillingEndpointBusy")) == (429, "Busy")
    assert headers["Retry-After"] == "1"


def test_permits_come_back_whatever_happened(vendor: Any, serve: Callable[..., Any]) -> None:
    with serve(make_app(vendor.authority, Limits(at_once=1))) as url:
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
    with serve(make_app(vendor.authority)) as url:
        with vendor.authority.store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE change")
            connection.exec_driver_sql("DROP TABLE resource")
        status, reply, _ = ask(url, "GET", "/v1/status", key(vendor.key))
    assert (status, check_error(reply, "Unknown")) == (500, "Unknown")
    assert "resource" not in json.dumps(reply)


def test_an_authority_is_served_from_its_directory(vendor: Any, serve: Callable[..., Any]) -> None:
    home: Path = vendor.authority.home
    vendor.authority.close()
    with Authority.open(home) as again, serve(make_app(again)) as url:
        assert ask(url, "GET", "/v1/status", key(vendor.key))[0] == 200


def test_keys_do_not_reach_the_log(url: str, shared: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ask(url, "POST", "/v1/licenses", key(shared.key), shared.request())
    assert "to acme-ner until" in caplog.text
    assert shared.key not in caplog.text


def test_who_asks_too_often_is_told_when_to_come_back(vendor: Any, serve: Callable[..., Any]) -> None:
    with serve(make_app(vendor.authority, Limits(licenses=2, reads=3, failures=1))) as url:
        codes = [ask(url, "POST", "/v1/licenses", key(vendor.key), vendor.request())[0] for _ in range(2)]
        status, reply, headers = ask(url, "POST", "/v1/licenses", key(vendor.key), vendor.request())
        assert (codes, status, check_error(reply, "BillingEndpointBusy")) == ([200, 200], 429, "Busy")
        assert 1 <= int(headers["Retry-After"]) <= 30
        # Another resource, and another kind of call, have permits of their own.
        other = vendor.authority.create_resource(customer="Other").key1
        assert ask(url, "POST", "/v1/licenses", key(other), vendor.request())[0] == 200
        assert [ask(url, "GET", "/v1/status", key(vendor.key))[0] for _ in range(4)] == [200, 200, 200, 429]
        # Strangers are slowed down; a good key is not held up by their failures.
        assert [ask(url, "GET", "/v1/status", key("x"))[0] for _ in range(2)] == [401, 429]
        assert ask(url, "GET", "/v1/status", key(other))[0] == 200


@pytest.fixture
def offering(vendor: Any, tmp_path: Path) -> Any:
    """The vendor with two releases of a line it has granted, and one of a line it has not."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(bytes(range(256)) * 1_000)
    for line, release in (("ner-en/3", "1.0.0"), ("ner-en/3", "1.0.1"), ("ner-de/1", "1.0.0")):
        if release == "1.0.0":
            vendor.authority.create_line(line)
        vendor.clock.now += 1
        vendor.authority.pack(folder, line=line, release=release, name="ner", task="ner")
    vendor.authority.grant("acme-ner", "ner-en/3")
    return vendor


def test_the_catalogue_lists_the_lines_of_the_resource(offering: Any, serve: Callable[..., Any]) -> None:
    with serve(make_app(offering.authority)) as url:
        status, reply, _ = ask(url, "GET", "/v1/models", key(offering.key))
        found = [(model["line"], model["release"]) for model in reply["models"]]
        assert (status, found) == (200, [("ner-en/3", "1.0.0"), ("ner-en/3", "1.0.1")])
        assert ask(url, "GET", "/v1/models", {})[0] == 401
        assert ask(url, "GET", "/v1/status", key(offering.key))[1]["models"] == ["ner-en/3"]
        stranger = offering.authority.create_resource(customer="S", approved=False).key1
        status, reply, _ = ask(url, "GET", "/v1/models", key(stranger))
        assert (status, check_error(reply, "ContainerUseUnauthorized")) == (403, "NotApproved")


def test_a_request_that_cannot_be_given_model_keys_is_a_bad_request(
    offering: Any, serve: Callable[..., Any]
) -> None:
    with serve(make_app(offering.authority)) as url:
        status, reply, headers = ask(
            url, "POST", "/v1/licenses", key(offering.key), offering.request(hpke=None)
        )
        assert (status, check_error(reply, "Unknown")) == (400, "NoHpkeKey")
        assert "Retry-After" not in headers
        wanted = offering.request(models=("ner-de/1",))
        status, reply, _ = ask(url, "POST", "/v1/licenses", key(offering.key), wanted)
        assert (status, check_error(reply, "ContainerUseUnauthorized")) == (403, "LineNotGranted")


def test_a_package_of_another_line_is_not_there(offering: Any, serve: Callable[..., Any]) -> None:
    with serve(make_app(offering.authority)) as url:
        for path in (
            "ner-de/1/1.0.0",
            "ner-de/1/1.0.0/package",
            "ner-en/3/9/package",
            "..%2F..%2Fkeys/3/1",
            "ner-en/3/..%2Fx",
        ):
            status, reply, _ = ask(url, "GET", f"/v1/models/{path}", key(offering.key))
            assert (status, check_error(reply, "Unknown")) in [(404, "NoSuchPackage"), (404, "NotFound")]


def test_a_package_is_handed_out_whole_or_from_where_it_stopped(
    offering: Any, serve: Callable[..., Any]
) -> None:
    whole = (offering.authority.packages_dir / "ner-en-3-1.0.1.age").read_bytes()
    where = "/v1/models/ner-en/3/1.0.1/package"

    def fetch(url: str, **headers: str) -> tuple[int, bytes, Any]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", where, headers=key(offering.key) | names)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data, response.headers

    with serve(make_app(offering.authority)) as url:
        status, data, headers = fetch(url)
        tag = headers["ETag"]
        assert (status, data, headers["Accept-Ranges"]) == (200, whole, "bytes")
        assert tag == f'"{hashlib.sha256(whole).hexdigest()}"'
        status, data, headers = fetch(url, Range="bytes=1000-", If_Range=tag)
        assert (status, data) == (206, whole[1_000:])
        assert headers["Content-Range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
        assert fetch(url, Range="bytes=1000-", If_Range='"another"')[:2] == (200, whole)
        assert fetch(url, Range=f"bytes={len(whole)}-")[0] == 416


def test_every_address_is_in_the_openapi_document_and_answers_as_it_says(
    offering: Any, serve: Callable[..., Any]
) -> None:
    from tests.unit.license.authority.book.test_metering import origin_of, report, signed

    app: Any = make_app(offering.authority)
    with serve(app) as url:
        status, said, _ = ask(url, "GET", "/openapi.json", {})
        assert (status, said["openapi"]) == (200, "3.1.0")
        routes = {(route.path, method) for route in app.routes for method in route.methods - {"HEAD"}}
        described = {
            (path, method.upper())
            for path, item in said["paths"].items()
            for method in item
            if method != "parameters"
        }
        assert described == routes
        schemas = said["components"]["schemas"]
        replies = {
            "Licence": ask(url, "POST", "/v1/licenses", key(offering.key), offering.request())[1],
            "Status": ask(url, "GET", "/v1/status", key(offering.key))[1],
            "Models": ask(url, "GET", "/v1/models", key(offering.key))[1],
            "Manifest": ask(url, "GET", "/v1/models/ner-en/3/1.0.0", key(offering.key))[1],
            "Refusal": ask(url, "GET", "/v1/status", {})[1],
            "Report": json.loads(report(origin_of(offering.machine), 0, 3).to_bytes()),
        }
        ask(url, "POST", "/v1/connected", key(offering.key), offering.request())
        body = signed(offering.machine, report(origin_of(offering.machine), 0, 3)).note
        replies["Acknowledgement"] = ask(url, "POST", "/v1/usage", key(offering.key), body)[1]
    assert set(schemas) == set(replies)
    for name, reply in replies.items():
        assert set(schemas[name]["required"]) == set(reply), name
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(said))
    assert set(references) == set(schemas)
