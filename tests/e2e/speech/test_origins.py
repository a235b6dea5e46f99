"""Web pages and the speech service: sockets and requests of foreign pages are refused before they open."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from license.authority.authority import Authority
from tests.support.site import NO_TLS, Service
from tests.support.speech_site import speech_site
from tests.support.usp import Wire

pytestmark = pytest.mark.e2e
APP = "https://app.example.com"
SHORT = "/speech/recognition/interactive/cognitiveservices/v1?language=en-US"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, vendor: Authority, tones: Path) -> Iterator[Service]:
    site = speech_site(tmp_path_factory.mktemp("origins") / "site", vendor)
    yield site.start("Service=speechtotext", f"Mounts:Model={tones}", f"Http:AllowedOrigins={APP}")
    site.close()


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_socket_of_a_foreign_page_is_not_opened(shared: Service, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Wire(shared.url, origin=origin)
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "OriginNotAllowed"


def test_a_socket_under_a_foreign_name_is_not_opened(shared: Service) -> None:
    url = shared.url.replace("127.0.0.1", "localhost")
    with pytest.raises(InvalidStatus) as refused:
        Wire(url, additional_headers={"Origin": "http://evil.example"})
    assert refused.value.response.status_code == 403


def test_sockets_of_own_and_allowed_pages_open(shared: Service) -> None:
    for origin in (shared.url, APP, None):
        Wire(shared.url, origin=origin).socket.close()


def test_an_allowed_page_may_send_a_file(shared: Service) -> None:
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    with httpx2.Client(base_url=shared.url, trust_env=False, verify=NO_TLS) as client:
        preflight = client.options(SHORT, headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, APP)
        named = {"Content-Type": "audio/wav"}
        reply = client.post(SHORT, content=b"no audio", headers={"Origin": APP, **named})
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (400, APP)
        assert client.post(SHORT, content=b"x", headers={"Origin": "https://a.b", **named}).status_code == 403


def test_a_foreign_page_has_no_recording_heard_and_learns_nothing(shared: Service) -> None:
    with httpx2.Client(base_url=shared.url, trust_env=False) as client:
        before = client.get("/records/usage-logs/").json()["meters"]
        for path in ("transcriptions:transcribe", "transcripts:write", "transcripts:compare"):
            for origin in ("https://evil.example", "null"):
                headers = {"Origin": origin, "Content-Type": "text/plain"}
                reply = client.post(f"/speechtotext/{path}", content=b"{}", headers=headers)
                assert (reply.status_code, reply.json()["error"]["code"]) == (403, "OriginNotAllowed")
                assert "access-control-allow-origin" not in reply.headers
        progress = client.get(
            "/speechtotext/transcriptions:progress", headers={"Origin": "https://evil.example"}
        )
        assert progress.status_code == 403
        assert client.get("/records/usage-logs/").json()["meters"] == before
