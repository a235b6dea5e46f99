"""Somebody who is no operator, or a page of somebody else, at the paths of the operators' page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.operators import CALLER, KEYS, OPERATOR, answer, notes, operator, refusal
from tests.support.site import VERSION, Service, Site

pytestmark = pytest.mark.e2e
GETS = (
    "overview",
    "models",
    "history",
    "log",
    "usage",
    "usage.csv",
    "license/request",
    "export/0",
    "models/card",
)
POSTS = ("export", "license/check", "license/install", "clock/accept", "support")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[tuple[Site, Service]]:
    site = Site(tmp_path_factory.mktemp("operators") / "site", vendor)
    site.issue()
    service = site.start(*KEYS)
    yield site, service
    site.close()


@pytest.mark.parametrize("key", ["", CALLER, OPERATOR[:-1], OPERATOR.upper()])
def test_only_an_operators_key_opens_it(opened: tuple[Site, Service], key: str) -> None:
    with opened[1].client(headers={"Ocp-Apim-Subscription-Key": key}) as client:
        for path in (*GETS, "nowhere", "../api/overview"):
            assert refusal(client.get(f"/admin/api/{path}")) == (401, "401"), path
        for path in POSTS:
            assert refusal(client.post(f"/admin/api/{path}", content=b"x")) == (401, "401"), path
        for path in ("/ADMIN/api/overview", "//admin//api/overview/", "/admin/api/overview/", "/admin/api"):
            assert refusal(client.get(f"{opened[1].url}{path}")) == (401, "401"), path
        assert client.get("/admin").status_code == 200, "the page itself holds nothing"


def test_an_operators_key_is_no_callers_key(opened: tuple[Site, Service]) -> None:
    with operator(opened[1]) as client:
        assert client.post("/language/:analyze-text", params=VERSION, json={}).status_code == 401
        assert client.get("/models").status_code == 401
        assert "license" not in client.get("/status").json()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_no_other_page_may_ask_even_with_the_key(
    opened: tuple[Site, Service], headers: dict[str, str]
) -> None:
    with operator(opened[1], **headers) as client:
        assert refusal(client.get("/admin/api/overview")) == (403, "OriginNotAllowed")
        assert refusal(client.post("/admin/api/export")) == (403, "OriginNotAllowed")


def test_a_page_that_may_ask_for_answers_may_not_operate(site: Site) -> None:
    site.issue()
    service = site.start(*KEYS, "Http:AllowedOrigins=https://app.example.com")
    with operator(service, Origin="https://app.example.com") as client:
        assert answer(client).status_code == 200
        assert refusal(client.get("/admin/api/overview")) == (403, "OriginNotAllowed")
        assert refusal(client.post("/admin/api/license/install", content=b"x")) == (403, "OriginNotAllowed")
    with operator(service, Origin=service.url, Sec_Fetch_Site="same-origin") as client:
        assert client.get("/admin/api/overview").status_code == 200
    assert service.stop() == 0


def test_a_wrong_key_is_logged_without_it_and_not_for_each_try(opened: tuple[Site, Service]) -> None:
    service = opened[1]
    with service.client(headers={"Ocp-Apim-Subscription-Key": "guessed-0123456789"}) as client:
        for _ in range(20):
            client.get("/admin/api/overview")
    assert service.text().count("without an operator's key") == 1
    assert "guessed" not in service.text()


def test_what_is_no_answer_for_this_machine_changes_nothing(
    opened: tuple[Site, Service], tmp_path: Path, new_site: Callable[..., Site]
) -> None:
    site, service = opened
    other = new_site("other")
    other.issue(into=tmp_path / "theirs")
    before = (site.license / "license.note").read_bytes()
    with operator(service) as client:
        request = client.get("/admin/api/license/request").content
        tries = {
            "Malformed": b"not a note\n",
            "WrongType": request,
            "WrongMachine": notes(tmp_path / "theirs"),
            "Forged": notes(site.license).replace(b"Test customer", b"Best customer"),
        }
        for code, upload in tries.items():
            for step in ("check", "install"):
                reply = client.post(f"/admin/api/license/{step}", content=upload)
                assert refusal(reply) == (400, code), reply.text
        assert refusal(client.post("/admin/api/license/check", content=b"x" * (2 << 20)))[0] == 413
        assert refusal(client.post("/admin/api/license/check", content=b""))[0] == 400
    assert (site.license / "license.note").read_bytes() == before


def test_asking_for_an_export_without_taking_it_notes_nothing(opened: tuple[Site, Service]) -> None:
    site, service = opened

    def noted() -> list[str]:
        found = site.output.rglob("exports.jsonl")
        return [line for path in found for line in path.read_text().splitlines()]

    with operator(service) as client:
        answer(client)
        made = client.post("/admin/api/export").json()
        before = noted()
        assert client.head(f"/admin/api/export/{made['sha256']}").status_code == 405
        assert noted() == before
        assert client.get(f"/admin/api/export/{made['sha256']}").status_code == 200
        assert len(noted()) == len(before) + 1
