"""The home page in a real browser, against canned answers of the service."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import appliance.api
from appliance.api.pages import HEADERS
from tests.support.browser import CHROMIUM, needs_chromium

STATIC = Path(appliance.api.__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TEXT = "It's 👩🏽‍🔬 Ada <b>Lovelace</b> in London"
DRIVE = f"""
const text = document.getElementById("text");
text.value = {json.dumps(TEXT)};
document.getElementById("form").requestSubmit();
"""
STATUS: dict[str, Any] = {
    "service": "customner",
    "apiStatus": "Valid",
    "apiStatusMessage": "License is valid, no action needed.",
    "version": "9.9",
    "license": {
        "state": "Expiring",
        "customer": "<i>Acme</i> & Sons",
        "product": "ner",
        "expires": "2027-01-31T00:00:00Z",
        "daysLeft": 12,
        "serial": 7,
        "root": "license.example.com/root+0a1b2c3d+AAAA",
    },
    "models": [],
    "ledger": {"origin": "offline-appliance/customner/x/1", "size": 3, "healthy": True},
}
MODELS: dict[str, Any] = {
    "models": [
        {
            "projectName": "demo",
            "deploymentName": "production",
            "status": "ready",
            "default": True,
            "name": "ner-en",
            "modelVersion": "1",
            "language": "en",
            "categories": ["Location", "Person"],
        },
        {
            "projectName": "demo",
            "deploymentName": "next",
            "status": "failed",
            "default": False,
            "reason": "tokenizer.json is empty",
        },
    ]
}
ENTITY = {
    "text": "London",
    "category": "Location",
    "offset": len(TEXT[: TEXT.index("London")].encode("utf-16-le")) // 2,
    "length": 6,
    "confidenceScore": 0.97,
}

pytestmark = [pytest.mark.e2e, needs_chromium]


class Service(BaseHTTPRequestHandler):
    """Static files under the real headers, and one fixed answer for each path of the API."""

    expired = False

    def log_message(self, *_: object) -> None:
        pass

    def reply(
        self, body: bytes | dict[str, Any], media_type: str = "application/json", status: int = 200
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Usage-Record", "offline-appliance/customner/x/1/2")
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            page = (STATIC / "index.html").read_bytes()
            self.reply(
                page.replace(b"</body>", b'<script type="module" src="/drive.js"></script>'), "text/html"
            )
        elif path == "/drive.js":
            self.reply(DRIVE.encode(), "text/javascript")
        elif path.startswith("/static/"):
            file = STATIC / Path(path).name
            self.reply(file.read_bytes(), TYPES[file.suffix])
        elif path == "/status":
            self.reply(STATUS)
        elif path == "/models":
            self.reply(MODELS)
        elif path == "/usage/daily":
            self.reply({"days": []})
        else:
            self.reply({"meters": [{"name": "TextRecords", "quantity": 1234}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert asked["analysisInput"]["documents"][0]["text"] == TEXT
        if self.expired:
            self.reply({"error": {"code": "Expired", "message": "the licence expired"}}, status=403)
            return
        document = {"id": "1", "entities": [ENTITY], "warnings": []}
        self.reply({"kind": "EntityRecognitionResults", "results": {"documents": [document], "errors": []}})


class Expired(Service):
    expired = True


@pytest.fixture(scope="module", params=[Service, Expired], ids=["serving", "expired"])
def seen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, bool]]:
    """The page's elements after a text was tried, the browser's complaints, whether it was refused."""
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
        browsed = subprocess.run(
            [
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--no-first-run",
                *(f"--disable-{feature}" for feature in quiet),
                f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
                "--enable-logging=stderr",
                "--virtual-time-budget=3000",
                "--dump-dom",
                f"http://127.0.0.1:{server.server_port}/",
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        server.shutdown()
    console = "\n".join(line for line in browsed.stderr.splitlines() if "CONSOLE" in line)
    yield browsed.stdout, console, request.param.expired


def visible(markup: str) -> str:
    return re.sub(r"<[^>]+>", "", markup)


def test_the_tried_text_shows_its_entities_or_why_there_are_none(seen: tuple[str, str, bool]) -> None:
    markup, _, expired = seen
    if expired:
        assert "the licence expired" in visible(markup)
        assert "<mark" not in markup
    else:
        assert re.search(r'<mark class="c2 ltr"[^>]*>London<small dir="auto">Location</small></mark>', markup)
        assert "97 %" in markup
        assert "offline-appliance/customner/x/1/2" in markup


def test_licence_models_and_usage_are_shown(seen: tuple[str, str, bool]) -> None:
    text = visible(seen[0])
    for expected in (
        "12",
        "days left",
        "licence expiring",
        "0a1b2c3d",
        "2027-01-31",
        "ner-en 1",
        "Location, Person",
        "cannot be served: tokenizer.json is empty",
        "1,234",
        "3 entries",
    ):
        assert expected in text


def test_what_is_typed_or_licensed_never_becomes_markup(seen: tuple[str, str, bool]) -> None:
    markup = seen[0]
    assert "&lt;i&gt;Acme&lt;/i&gt; &amp; Sons" in markup
    assert "<i>Acme" not in markup
    assert "<b>Lovelace" not in markup


def test_the_command_shown_is_the_request_that_was_made(seen: tuple[str, str, bool]) -> None:
    markup = seen[0]
    found = re.search(r'<code id="snippet">(.*?)</code>', markup, re.DOTALL)
    assert found
    command = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    body = command.partition("-d '")[2].removesuffix("'").replace("'\\''", "'")
    assert json.loads(body)["analysisInput"]["documents"][0]["text"] == TEXT


def test_the_policy_forbids_nothing_the_page_does(seen: tuple[str, str, bool]) -> None:
    complaints = [line for line in seen[1].splitlines() if "403" not in line]
    assert complaints == []
