"""The pages in a real browser, driven over its debugging protocol, against a real service.

What the browser asked for is taken from its own log: nothing but this server. The pictures of each page lie
in the test's temporary folder.
"""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from appliance.config.products import CUSTOM_NER, SPEECH_TO_TEXT
from appliance.ledger.ledger import UsageRecord
from license.evidence.tool.command import run_verify
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.ledger import Machine, Vendor
from tests.support.paths import ENGLISH
from tests.support.site import Service, Site
from tests.support.tiny_languages import write_tiny_languages

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
KEY = "browser-key-0123456789"


def only(service: Service, page: Page) -> None:
    elsewhere = [url for url in page.asked if not url.startswith(("data:", f"{service.url}/"))]
    assert elsewhere == [], "nothing is fetched from outside"
    assert len(page.asked) > 5


def test_the_home_page_tries_a_text_on_any_model_and_asks_nobody_else(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    mount = tmp_path / "models" / "acme"
    mount.mkdir(parents=True)
    for name in ("one", "two"):
        (mount / name).symlink_to(ENGLISH)
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'models'}")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        await page.until("document.querySelectorAll('#models li').length === 2")
        await page.until("document.getElementById('licence-figure').innerText.includes('days left')")
        before = await page.picture(tmp_path / "home.png")
        await page.run("document.getElementById('form').requestSubmit()")
        await page.until("document.querySelectorAll('#marked mark').length >= 5")
        assert "Rotterdam" in await page.run("document.getElementById('marked').innerText")
        assert "%" in await page.run("document.getElementById('entities').innerText")
        assert "/language/:analyze-text" in await page.run("document.getElementById('snippet').innerText")
        await page.until("document.getAnimations().every((a) => a.playState === 'finished')")
        after = await page.picture(tmp_path / "tried.png")
        assert len(after) > 20_000
        assert after != before
        await page.run(
            "const s = document.getElementById('model'); s.value = 'acme/two';"
            "s.dispatchEvent(new Event('change'));"
            "document.getElementById('form').requestSubmit()"
        )
        await page.until("performance.getEntriesByType('resource').some((r) => r.name.includes('/jobs/'))")
        await page.until("document.getElementById('outcome').innerText.includes('entities in')")
        assert "acme" in await page.run("document.getElementById('snippet').innerText")
        assert "two" in await page.run("document.getElementById('snippet').innerText")
        assert page.complaints == []
        only(service, page)

    drive(steps)
    assert service.stop() == 0


HEBREW = "\u05d1\u05e0\u05d9\u05de\u05d9\u05df \u05e0\u05ea\u05e0\u05d9\u05d4\u05d5"
JERUSALEM = "\u05d1\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd"
MET = "\u05e4\u05d2\u05e9 \u05d0\u05ea"
SURFACES = "[...document.querySelectorAll('#marked mark')].map((one) => one.firstChild.data)"
LEFT = "((one) => one.getBoundingClientRect().left)"


def fill(text: str, language: str) -> str:
    return (
        f"document.getElementById('text').value = {json.dumps(text)};"
        f"document.getElementById('language').value = {json.dumps(language)};"
        "document.getElementById('language').dispatchEvent(new Event('change'));"
        "document.getElementById('form').requestSubmit()"
    )


def test_the_home_page_shows_right_to_left_text_and_warns_of_a_language_the_model_was_not_made_for(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    write_tiny_languages(tmp_path / "models" / "demo" / "tiny")
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'models'}")
    text = f"{HEBREW} {MET} Angela Merkel {JERUSALEM}.\nAngela Merkel {MET} {HEBREW}."

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        await page.until("document.querySelectorAll('#models li').length === 1")
        assert "English, German, Simplified Chinese, Japanese and 5 more languages" in await page.run(
            "document.getElementById('models').innerText"
        )
        await page.run(fill(text, "he"))
        await page.until("document.querySelectorAll('#marked mark').length === 5")
        assert await page.run(SURFACES) == [HEBREW, "Angela Merkel", JERUSALEM, "Angela Merkel", HEBREW]
        assert await page.run("document.getElementById('warnings').hidden")
        assert '"language": "he"' in await page.run("document.getElementById('snippet').innerText")
        for name in ("text", "marked"):
            direction = f"getComputedStyle(document.getElementById('{name}')).direction"
            assert await page.run(direction) == "rtl", name
        # Hebrew begins at the right edge, and so does its first name; the second line begins at the left.
        pieces = "[...document.querySelectorAll('#marked mark')].map((one) => one.getClientRects().length)"
        assert await page.run(pieces) == [1] * 5, "a name and its label stay together"
        first, second, third, fourth, fifth = await page.run(
            f"[...document.querySelectorAll('#marked mark')].map({LEFT})"
        )
        assert first > second > third
        assert fourth < fifth
        await page.until("document.getAnimations().every((a) => a.playState === 'finished')")
        await page.picture(tmp_path / "hebrew.png")

        await page.run(fill("Angela Merkel", "sv"))
        await page.until("!document.getElementById('warnings').hidden")
        assert "was made for en, de, zh-Hans" in await page.run(
            "document.getElementById('warnings').innerText"
        )
        await page.until("document.getAnimations().every((a) => a.playState === 'finished')")
        await page.picture(tmp_path / "warned.png")
        await page.run(fill("Angela Merkel", ""))
        await page.until("document.getElementById('warnings').hidden")
        assert '"language"' not in await page.run("document.getElementById('snippet').innerText")
        await page.run("document.getElementById('tab-python').click()")
        assert "language=" not in await page.run("document.getElementById('snippet').innerText")
        await page.run(fill("Angela Merkel", "de"))
        assert 'language="de"' in await page.run("document.getElementById('snippet').innerText")
        assert page.complaints == []
        only(service, page)

    drive(steps)
    assert service.stop() == 0


def test_the_speech_page_hears_the_recording_that_it_offers(site: Site, drive: Drive, tmp_path: Path) -> None:
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
    service = site.start("Service=speechtotext")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        await page.until("document.getElementById('licence-figure').innerText.includes('days left')")
        await page.run("document.getElementById('example').click()")
        await page.until(
            "document.getElementById('text').innerText === 'He might even have been made amiable himself.'"
        )
        await page.until("document.getElementById('usage-figure').innerText.includes('4')")
        assert len(await page.picture(tmp_path / "speech.png")) > 20_000
        assert page.complaints == []
        only(service, page)

    drive(steps)
    assert service.stop() == 0


def test_the_home_page_asks_for_a_key_only_where_one_is_wanted(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start(f"ApiKeys:one={KEY}")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        await page.until("!document.getElementById('access').hidden")
        await page.run(
            f"const k = document.getElementById('key'); k.value = '{KEY}';"
            "k.dispatchEvent(new Event('change'))"
        )
        await page.until("document.querySelectorAll('#models li b').length === 1")
        await page.run("document.getElementById('form').requestSubmit()")
        await page.until("document.querySelectorAll('#marked mark').length >= 5")
        assert KEY not in await page.run("document.body.innerText")
        only(service, page)

    drive(steps)
    assert service.stop() == 0


def test_swagger_shows_every_operation_and_try_it_out_answers(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/swagger")
        await page.until("document.querySelectorAll('.opblock').length >= 20")
        assert "Unable to render" not in await page.run("document.body.innerText")
        await page.run("document.querySelector('.opblock-post .opblock-summary-control').click()")
        await page.until("document.querySelector('button.execute') !== null")
        # Swagger UI shows the button a moment before it hears it.
        await page.until(
            "document.querySelector('.live-responses-table .response-col_status') !== null"
            " || (document.querySelector('button.execute:not(:disabled)')?.click(), false)"
        )
        shown = await page.run("document.querySelector('.live-responses-table').innerText")
        assert "200" in shown
        assert "Ada Lovelace" in shown
        assert len(await page.picture(tmp_path / "swagger.png")) > 20_000
        assert [text for text in page.complaints if "Content Security Policy" in text] == []
        only(service, page)
        assert {urlsplit(url).path for url in page.asked} >= {
            "/swagger/swagger-ui-bundle.js",
            "/openapi.json",
        }

    drive(steps)
    assert service.stop() == 0


def test_the_page_of_a_verification_fits_a_phone_a_screen_and_paper(drive: Drive, tmp_path: Path) -> None:
    vendor = Vendor(tmp_path / "roots")
    machine = Machine(tmp_path / "machine", vendor)
    ledger = machine.open()
    asyncio.run(
        ledger.commit(
            [UsageRecord(meter=CUSTOM_NER.meter, quantity=1_234_567, billed=1_234_567, request_id="r")]
        )
    )
    ledger.close()
    machine.sql("UPDATE entry SET text = replace(text, 'boot', 'boom') WHERE n = 1")
    report = tmp_path / "report.html"
    run_verify(machine.output, vendor.roots, html=report)

    async def steps(page: Page) -> None:
        await page.open(report.as_uri())
        for width, media in ((390, "screen"), (1280, "screen"), (680, "print")):
            await page.send("Emulation.setEmulatedMedia", media=media)
            await page.send(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=844,
                deviceScaleFactor=1,
                mobile=False,
            )
            assert await page.run("innerWidth") == width
            assert await page.run("document.documentElement.scrollWidth") <= width
            await page.picture(tmp_path / f"{media}-{width}.png")
        assert await violations(page) == []
        hidden = (
            "[...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth).length"
        )
        assert await page.run(hidden) == 0, "on paper nobody can scroll"

    drive(steps)
