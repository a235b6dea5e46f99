"""The operators' page in a real browser against a real service: each task, each look, each state."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.licenses.request import open_request
from tests.support.axe import violations
from tests.support.browser import (
    Drive,
    Page,
    drive,
    full_picture,
    look,
    needs_chromium,
    sideways,
)
from tests.support.operators import CALLER, KEYS, OPERATOR, answer
from tests.support.paths import ENGLISH
from tests.support.site import Service, Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
MOST_BYTES = 150_000
MODELS = 120


def text_of(name: str) -> str:
    return f"document.getElementById('{name}').innerText"


async def enter(page: Page, service: Service, key: str = OPERATOR) -> None:
    await page.open(f"{service.url}/admin")
    await page.run(
        f"document.getElementById('key').value = '{key}'; document.getElementById('form').requestSubmit()"
    )


async def inside(page: Page, service: Service) -> None:
    await enter(page, service)
    await page.until("!document.getElementById('inside').hidden")
    await page.until("document.querySelectorAll('#models tbody tr').length >= 1")
    await page.until("document.querySelectorAll('#months tbody tr').length >= 1")
    await page.until("document.querySelectorAll('#charts figure').length === 5")
    await page.until("document.getElementById('lines').innerText.includes('Now listening')")


async def downloads(page: Page, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    await page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))


async def arrived(path: Path) -> bytes:
    for _ in range(300):
        if path.exists() and not path.with_name(f"{path.name}.crdownload").exists():
            return path.read_bytes()
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path.name} was not downloaded")


async def choose(page: Page, *files: Path) -> None:
    root = await page.send("DOM.getDocument")
    found = await page.send("DOM.querySelector", nodeId=root["root"]["nodeId"], selector="#answer")
    await page.send("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=found["nodeId"])


def test_an_operator_sees_how_the_service_stands_in_each_look(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue(meters={TEXT_RECORDS: 10})
    service = site.start(*KEYS)
    with service.client() as client:
        for _ in range(9):
            answer(client)

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await page.send("Network.setCacheDisabled", cacheDisabled=True)  # all bytes of it are counted
        await page.open(f"{service.url}/admin")
        assert await violations(page) == []
        await full_picture(page, tmp_path / "enter.png")
        await enter(page, service, CALLER)
        await page.until(
            "document.getElementById('key-error').innerText.includes('not the key of an operator')"
        )
        assert await page.run("document.getElementById('inside').hidden")
        assert await violations(page) == []
        await inside(page, service)
        assert "9 of the 10 units" in await page.run(text_of("notices"))
        assert "Next: " in await page.run(text_of("notices"))
        link = await page.run("document.querySelector('#notices a').getAttribute('href')")
        assert link == f"{service.url}/docs/search?q=Quota"
        assert "The licence ends on" in await page.run(text_of("licence-words"))
        assert "9 of 10 TextRecords are used (90 %)" in await page.run(text_of("plan"))
        assert "The next usage report is due on" in await page.run(text_of("report-by"))
        assert "set aside" in await page.run(text_of("ledger"))
        assert "believed" in await page.run(text_of("clock-state"))
        assert "9 requests, 0 errors" in await page.run(text_of("live-note"))
        assert OPERATOR not in await page.run("document.documentElement.outerHTML")
        kept = "localStorage.length + sessionStorage.length + document.cookie.length"
        assert await page.run(kept) == 0
        for width, dark in ((1280, False), (390, True)):
            await look(page, width=width, dark=dark)
            assert await sideways(page) <= 0
            assert await violations(page) == []
            await full_picture(page, tmp_path / f"admin-{width}-{'dark' if dark else 'light'}.png")
        loaded = "performance.getEntriesByType('resource').filter((one) => one.name.includes('/static/'))"
        size = await page.run(f"{loaded}.reduce((all, one) => all + one.decodedBodySize, 0)")
        page_size = await page.run("performance.getEntriesByType('navigation')[0].decodedBodySize")
        assert 20_000 < size + page_size < MOST_BYTES
        assert page.complaints == [] or all("401" in text for text in page.complaints)
        elsewhere = [url for url in page.asked if not url.startswith(("data:", f"{service.url}/"))]
        assert elsewhere == []

    drive(steps)
    assert service.stop() == 0


def test_a_licence_is_renewed_and_usage_leaves_by_the_page_alone(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue(meters={TEXT_RECORDS: 1_000})
    service = site.start(*KEYS)
    with service.client() as client:
        answer(client)
    site.issue(into=tmp_path / "answer", meters={TEXT_RECORDS: 7_000})
    (tmp_path / "wrong.note").write_text("no note\n")
    got = tmp_path / "got"

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await downloads(page, got)
        await inside(page, service)
        await page.run("document.getElementById('request').click()")
        assert open_request(await arrived(got / "request.note")).product == "ner"

        assert not await page.run("document.getElementById('renew').open")
        await page.run("document.querySelector('#renew summary').click()")
        await choose(page, tmp_path / "wrong.note")
        await page.until("document.getElementById('answer-outcome').innerText.includes('Not installed')")
        assert await page.run("document.getElementById('install').disabled")
        await choose(page, tmp_path / "answer" / "issuer.note", tmp_path / "answer" / "license.note")
        await page.until("!document.getElementById('install').disabled")
        assert "7,000 TextRecords" in await page.run(text_of("changes"))
        assert "would be in force at once" in await page.run(text_of("answer-outcome"))
        assert await violations(page) == []
        await full_picture(page, tmp_path / "changes.png")
        await page.run("document.getElementById('install').click()")
        await page.until(
            "document.getElementById('answer-outcome').innerText.includes('installed and in force')"
        )
        await page.until("document.getElementById('plan').innerText.includes('of 7,000 TextRecords')")

        await page.run("document.getElementById('preview').click()")
        await page.until("!document.getElementById('export').hidden")
        assert "==> " in await page.run(text_of("export-text"))
        assert await violations(page) == []
        await page.run("document.getElementById('take').click()")
        data = await arrived(got / "usage.zip")
        assert hashlib.sha256(data).hexdigest() in await page.run(text_of("export-facts"))
        await page.run("document.getElementById('csv').click()")
        assert b"ConsumedQuantity" in await arrived(got / "usage.csv")
        await page.run("document.getElementById('support').click()")
        assert (await arrived(got / "support.tar.gz")).startswith(b"\x1f\x8b")
        await page.until("document.getElementById('support-outcome').innerText.includes('downloaded')")

    drive(steps)
    assert service.stop() == 0


def test_a_hundred_and_twenty_models_are_folded_and_found(site: Site, drive: Drive, tmp_path: Path) -> None:
    for n in range(MODELS):
        folder = tmp_path / "models" / "acme" / f"model-{n:03}"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"damaged")
    (tmp_path / "models" / "acme" / "good").symlink_to(ENGLISH)
    site.issue()
    service = site.start(*KEYS, f"Models:Path={tmp_path / 'models'}")

    async def steps(page: Page) -> None:
        await look(page, width=390)
        await inside(page, service)
        rows = "document.querySelectorAll('#models tbody tr').length"
        assert await page.run(rows) == 12
        assert f"1 served, {MODELS} not" in await page.run(text_of("models-count"))
        await page.run(
            "const f = document.getElementById('filter'); f.value = 'model-04';"
            "f.dispatchEvent(new Event('input'))"
        )
        assert await page.run(rows) == 10
        assert await page.run("document.getElementById('all').hidden")
        await page.run(
            "document.getElementById('filter').value = '';"
            "document.getElementById('filter').dispatchEvent(new Event('input'));"
            "document.getElementById('all').click()"
        )
        assert await page.run(rows) == 12 + 50
        assert await page.run(text_of("all")) == f"Show 50 more of {MODELS + 1}"
        await page.run("document.getElementById('all').click()")
        assert await page.run(text_of("all")) == f"Show all {MODELS + 1}"
        await page.run("document.getElementById('all').click()")
        assert await page.run(rows) == MODELS + 1
        assert await page.run(text_of("all")) == "Show fewer"
        assert await sideways(page) <= 0
        assert await violations(page) == []
        await page.run("document.querySelector('#models .link').click()")
        await page.until("!document.getElementById('card').hidden")
        assert "ner-en" in await page.run(text_of("card-text"))
        assert "F1 72.1 %" in await page.run(text_of("models"))
        assert "mean of six held-out sets of English" in await page.run(text_of("models"))

    drive(steps)
    assert service.stop() == 0


def test_who_signs_out_leaves_nothing_behind(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start(*KEYS)

    async def steps(page: Page) -> None:
        await inside(page, service)
        assert await page.run("document.getElementById('leave').innerText") == "Sign out"
        assert await violations(page) == []
        before = len(page.asked)
        await page.run("window.signedIn = true; document.getElementById('leave').click()")
        await page.until("window.signedIn === undefined && document.readyState === 'complete'")
        assert await page.run("document.getElementById('leave').hidden")
        assert not await page.run("document.getElementById('enter').hidden")
        assert await page.run("document.getElementById('key').value") == ""
        assert await page.run(text_of("pill-text")) == "not signed in"
        shown = await page.run("document.documentElement.outerHTML")
        assert "Now listening" not in shown
        assert "Test customer" not in shown
        await page.run("document.getElementById('form').requestSubmit()")
        await asyncio.sleep(0.5)
        assert [url for url in page.asked[before:] if "/admin/api/" in url] == [], "the key is forgotten"
        await inside(page, service)

    drive(steps)
    assert service.stop() == 0


@pytest.mark.slow
def test_a_server_that_is_gone_is_said_and_what_was_seen_stays(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start(*KEYS)

    async def steps(page: Page) -> None:
        await inside(page, service)
        service.kill()
        await page.until("!document.getElementById('gone').hidden")
        assert "The service does not answer. What you see is from " in await page.run(text_of("gone"))
        assert not await page.run("document.getElementById('inside').hidden")
        assert await violations(page) == []

    drive(steps)


def test_it_is_entered_and_left_by_the_keyboard_alone(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start(*KEYS)

    async def press(page: Page, key: str, text: str = "") -> None:
        for kind in ("rawKeyDown", "char", "keyUp") if text else ("rawKeyDown", "keyUp"):
            await page.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text)

    async def focused(page: Page, name: str) -> None:
        for _ in range(40):
            if await page.run("document.activeElement.id") == name:
                return
            await press(page, "Tab")
        raise AssertionError(f"{name} cannot be reached")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/admin")
        await focused(page, "key")
        await page.send("Input.insertText", text=OPERATOR)
        await press(page, "Enter", "\r")
        await page.until("!document.getElementById('inside').hidden")
        assert await page.run("document.activeElement.id") == "notices-title", "a screen reader goes on there"
        await focused(page, "csv")
        await focused(page, "preview")
        await press(page, "Enter", "\r")
        await page.until("!document.getElementById('export').hidden")
        await focused(page, "take")
        await focused(page, "support")

    drive(steps)
    assert service.stop() == 0


def test_without_scripts_there_is_a_sentence(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start(*KEYS)

    async def steps(page: Page) -> None:
        await page.send("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(f"{service.url}/admin")
        assert "This page needs JavaScript" in await page.run("document.body.innerText")

    drive(steps)
    assert service.stop() == 0


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A page on another port of the same host: another origin of the same site."""

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title><body>elsewhere</body>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_elsewhere_changes_nothing_even_if_it_knew_the_key(
    site: Site, drive: Drive, elsewhere: str, tmp_path: Path
) -> None:
    site.issue()
    service = site.start(*KEYS, f"Http:AllowedOrigins={elsewhere.rstrip('/')}")
    site.issue(into=tmp_path / "answer", meters={TEXT_RECORDS: 7_000})
    upload = "".join((tmp_path / "answer" / name).read_text() for name in ("license.note", "issuer.note"))
    before = (site.license / "license.note").read_bytes()

    async def steps(page: Page) -> None:
        await page.open(elsewhere)
        asked = f"{service.url}/admin/api/license/install"
        for headers in ({}, {"Ocp-Apim-Subscription-Key": OPERATOR}):
            sent = {"method": "POST", "body": upload, "credentials": "include", "headers": headers}
            status = await page.run(
                f"fetch({json.dumps(asked)}, {json.dumps(sent)}).then((reply) => reply.status, () => 0)"
            )
            assert status in (0, 403)
        await page.run(
            "const f = document.createElement('form'); f.method = 'post'; f.enctype = 'text/plain';"
            f"f.action = {json.dumps(asked)}; const i = document.createElement('input'); i.name = 'x';"
            f"i.value = {json.dumps(upload)}; f.append(i); document.body.append(f); f.submit()"
        )
        await page.until("location.pathname.endsWith('/install') && document.readyState === 'complete'")
        assert "OriginNotAllowed" in await page.run("document.body.innerText")

    drive(steps)
    assert (site.license / "license.note").read_bytes() == before
    assert service.stop() == 0
