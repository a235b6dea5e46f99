"""Bodies in other encodings: gzip is read within the limits, anything else is named in a 415."""

import gzip
import io
import json
import zlib
from pathlib import Path

import httpx2
import pytest

from tests.support.site import Service, Site
from tests.support.wire import ANALYZE, BODY, head, wire

pytestmark = pytest.mark.e2e
BOMB = 1 << 28


def send(client: httpx2.Client, body: bytes, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(ANALYZE, content=body, headers={"Content-Type": "application/json", **named})


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity, gzip"])
def test_a_gzip_body_is_read(client: httpx2.Client, coding: str) -> None:
    assert send(client, gzip.compress(BODY), Content_Encoding=coding).status_code == 200


def test_a_body_that_is_gzip_on_its_way_is_read(service: Service) -> None:
    body = gzip.compress(BODY)
    with wire(service.url) as one:
        for said in ("gzip, chunked", "x-gzip,chunked"):
            one.send(head("POST", Transfer_Encoding=said, Content_Type="application/json"))
            one.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            assert one.reply().status == 200


def test_a_gzip_body_that_no_header_names_is_told_which_header_it_needs(client: httpx2.Client) -> None:
    reply = send(client, gzip.compress(BODY))
    assert reply.status_code == 415
    assert "Content-Encoding: gzip" in reply.json()["error"]["message"]


def test_a_gzip_body_of_several_members_is_read(client: httpx2.Client) -> None:
    body = gzip.compress(BODY[:50]) + gzip.compress(b"") + gzip.compress(BODY[50:])
    assert send(client, body, Content_Encoding="gzip").status_code == 200


def test_gzip_and_plain_bodies_have_one_limit(client: httpx2.Client) -> None:
    padding = 4 * 1024 * 1024 - len(BODY)
    assert send(client, gzip.compress(BODY + b" " * padding), Content_Encoding="gzip").status_code == 200
    reply = send(client, gzip.compress(BODY + b" " * (padding + 1)), Content_Encoding="gzip")
    assert reply.status_code == 413


def test_a_small_body_that_is_a_large_one_in_disguise_costs_no_memory(site: Site) -> None:
    site.issue()
    service = site.start()
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(BOMB >> 24):
            file.write(bytes(1 << 24))
    with service.client() as client:
        send(client, BODY)
        before = peak(service)
        for _ in range(3):
            assert send(client, packed.getvalue(), Content_Encoding="gzip").status_code == 413
    assert peak(service) - before < 64 << 20


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(BODY)[:-9], gzip.compress(BODY) + b"tail", gzip.compress(b"") * 100_000],
    ids=["other bytes", "cut short", "something behind", "members of nothing"],
)
def test_a_broken_gzip_body_is_refused_as_a_body(client: httpx2.Client, body: bytes) -> None:
    reply = send(client, body, Content_Encoding="gzip")
    assert reply.status_code == 400
    assert "gzip" in reply.json()["error"]["innererror"]["message"]


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "compress", "gzip, gzip"])
def test_another_coding_is_named(client: httpx2.Client, coding: str) -> None:
    reply = send(client, zlib.compress(BODY), Content_Encoding=coding)
    assert reply.status_code == 415
    assert coding in reply.json()["error"]["message"]
    assert reply.headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("path", [ANALYZE, "/text/analytics/v3.0/entities/recognition/general"])
def test_another_encoding_of_text_is_named(client: httpx2.Client, encoding: str, path: str) -> None:
    reply = client.post(path, content=BODY.decode().encode(encoding))
    assert reply.status_code == 415
    assert encoding[:6] in reply.json()["error"]["message"]


def test_an_encoding_that_the_content_type_names_is_named(client: httpx2.Client) -> None:
    reply = send(client, BODY, Content_Type="application/json; charset=ISO-8859-1")
    assert reply.status_code == 415
    assert "iso-8859-1" in reply.json()["error"]["message"]
    for known in ("utf-8", '"UTF-8"', "us-ascii"):
        assert send(client, BODY, Content_Type=f"application/json; charset={known}").status_code == 200


def test_what_was_billed_stands_beside_its_record(client: httpx2.Client) -> None:
    reply = send(client, BODY)
    meter, _, quantity = reply.headers["csp-billing-usage"].partition("=")
    assert meter == client.get("/records/usage-logs/").json()["meters"][0]["name"]
    assert quantity == "1"
    longer = json.loads(BODY)
    longer["analysisInput"]["documents"][0]["text"] *= 40
    counted = client.post(ANALYZE, json=longer).headers["csp-billing-usage"]
    assert int(counted.partition("=")[2]) > 1


def test_version_3_0_recognises_entities(client: httpx2.Client) -> None:
    documents = json.loads(BODY)["analysisInput"]["documents"]
    reply = client.post("/text/analytics/v3.0/entities/recognition/general", json={"documents": documents})
    assert reply.status_code == 200
    assert {entity["text"] for entity in reply.json()["documents"][0]["entities"]} >= {"Angela Merkel"}


@pytest.mark.parametrize(
    "target",
    [
        "/language/:analyze-text?Api-Version=2023-04-01",
        "/language/:analyze-text?API-VERSION=2023-04-01&ShowStats=true",
        "/Language/:Analyze-Text/?api-version=2023-04-01",
        "/LANGUAGE/:ANALYZE-TEXT?api-version=2023-04-01",
    ],
)
def test_letter_case_of_paths_and_parameters_does_not_matter(client: httpx2.Client, target: str) -> None:
    assert client.post(target, content=BODY).status_code == 200


def peak(service: Service) -> int:
    """The most memory that the service has used, in bytes."""
    for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not tell")
