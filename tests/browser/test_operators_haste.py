"""The operators' page where people and services are quicker, slower or stranger than the page expects."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from license.authority.authority import Authority
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.operators import KEYS, OPERATOR
from tests.support.site import Service, Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
TICKS = (
    "window.ticks = [];"
    "window.setInterval = (tick) => { window.ticks.push(tick); return window.ticks.length; };"
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[tuple[Site, Service]]:
    site = Site(tmp_path_factory.mktemp("haste") / "site", vendor)
    site.issue()
    yield site, site.start(*KEYS)
    site.close()


def text_of(name: str) -> str:
    return f"document.getElementById('{name}').innerText"


async def enter(page: Page, service: Service, *first: str) -> None:
    await page.open(f"{service.url}/admin")
    for script in first:
        await page.run(script)
    await page.run(
        f"document.getElementById('key').value = '{OPERATOR}';document.getElementById('form').requestSubmit()"
    )


async def inside(page: Page) -> None:
    await page.until("!document.getElementById('inside').hidden")
    await page.until("document.querySelectorAll('#charts figure').length === 5")


async def choose(page: Page, *files: Path) -> None:
    root = await page.send("DOM.getDocument")
    found = await page.send("DOM.querySelector", nodeId=root["root"]["nodeId"], selector="#answer")
    await page.send("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=found["nodeId"])


def test_open_pressed_twice_asks_once_and_takes_the_focus_from_nobody(
    opened: tuple[Site, Service], drive: Drive
) -> None:
    async def steps(page: Page) -> None:
        await enter(page, opened[1], TICKS)
        await page.run("document.getElementById('form').requestSubmit()")
        await inside(page)
        await asyncio.sleep(0.5)
        assert await page.run("window.ticks.length") == 1, "a second timer would never be stopped"

    drive(steps)


def test_a_slow_service_is_not_asked_again_before_it_answers(
    opened: tuple[Site, Service], drive: Drive
) -> None:
    async def steps(page: Page) -> None:
        await enter(page, opened[1], TICKS)
        await inside(page)
        await page.run(
            "window.asked = 0;window.fetch = () => { window.asked += 1; return new Promise(() => 0); }"
        )
        await page.run("for (let n = 0; n < 5; n += 1) window.ticks[0]()")
        assert await page.run("window.asked") == 1

    drive(steps)


def test_the_last_choice_of_files_is_the_one_that_is_shown_and_installed(
    opened: tuple[Site, Service], drive: Drive, tmp_path: Path
) -> None:
    site, service = opened
    site.issue(into=tmp_path / "answer")
    (tmp_path / "wrong.note").write_text("no note\n")

    async def steps(page: Page) -> None:
        await enter(page, service)
        await inside(page)
        await page.run(
            "const ask = window.fetch; let n = 0; window.fetch = async (...call) => { n += 1;"
            "if (n === 1) await new Promise((done) => { setTimeout(done, 1500); }); return ask(...call); }"
        )
        await page.run("document.getElementById('renew').open = true")
        await choose(page, tmp_path / "wrong.note")
        await choose(page, tmp_path / "answer" / "issuer.note", tmp_path / "answer" / "license.note")
        await page.until("!document.getElementById('install').disabled")
        await asyncio.sleep(2)
        assert "may be used here" in await page.run(text_of("answer-outcome"))
        assert not await page.run("document.getElementById('changes').hidden")

    drive(steps)


def test_what_a_notice_says_is_shown_as_it_stands_and_never_as_markup(
    opened: tuple[Site, Service], drive: Drive
) -> None:
    markup = "<img src=x onerror=window.hit=1>"
    notice = {"code": "X<b>", "message": f"“{markup}” is \u202eodd", "hint": "GET /models says why"}
    told: dict[str, Any] = {"notices": [notice], "version": markup}

    async def steps(page: Page) -> None:
        await enter(
            page,
            opened[1],
            "const ask = window.fetch; window.fetch = async (...call) => { const reply = await ask(...call);"
            "if (!call[0].endsWith('/overview')) return reply; const told = await reply.json();"
            f"told.license.customer = {json.dumps(markup)};"
            f"return new Response(JSON.stringify({{ ...told, ...{json.dumps(told)} }})); }}",
        )
        await inside(page)
        shown = await page.run(text_of("notices"))
        assert markup in shown
        assert "Next: GET /models says why." in shown
        assert await page.run("document.querySelectorAll('#inside img, #inside b b').length") == 0
        assert await page.run("window.hit ?? 0") == 0
        assert await page.run("document.querySelector('#notices a').search") == "?q=X%3Cb%3E"

    drive(steps)
