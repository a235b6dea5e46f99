"""The documentation in a real browser: each look, the search by keyboard, the way from an error to it."""

import json

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, look, needs_chromium, sideways
from tests.support.site import Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]


def test_pages_can_be_read_and_searched_in_each_look(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        for width, dark in ((1280, False), (390, True)):
            await look(page, width=width, dark=dark)
            for name in ("README.md", "operator.md", "formats.md"):
                await page.open(f"{service.url}/docs/{name}")
                assert await sideways(page) <= 0
                assert await violations(page) == []
        await look(page, width=360)
        await page.open(f"{service.url}/docs/errors.md")
        cut = await page.run(
            "[...document.querySelectorAll('td:first-child code')].map((one) =>"
            " [one.innerText, one.getClientRects().length])"
            ".filter(([code, lines]) => lines > 1 && /^\\w+$/.test(code))"
        )
        assert cut == [], "nobody reads a code that is cut in four"
        await look(page, width=1280)
        await page.run(
            "document.getElementById('q').focus(); document.getElementById('q').value = 'ClockHeld'"
        )
        for kind in ("rawKeyDown", "char", "keyUp"):
            await page.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                code="Enter",
                text="\r",
                windowsVirtualKeyCode=13,
            )
        await page.until("document.querySelectorAll('.hits li').length >= 1")
        assert await violations(page) == []
        assert page.complaints == []
        assert [url for url in page.asked if not url.startswith((service.url, "data:"))] == []

    drive(steps)
    assert service.stop() == 0


def test_an_error_on_the_home_page_leads_to_what_explains_it(site: Site, drive: Drive) -> None:
    site.issue(meters={TEXT_RECORDS: 1}, overage="block")
    service = site.start()

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        for _ in range(2):
            await page.run(
                f"document.getElementById('text').value = {json.dumps('Ada Lovelace ' * 20)};"
                "document.getElementById('form').requestSubmit()"
            )
            await page.until("document.getElementById('go').getAttribute('aria-busy') === 'false'")
        await page.until("document.querySelector('#outcome a') !== null")
        await page.run("document.querySelector('#outcome a').click()")
        await page.until("document.querySelector('.hits a') !== null")
        first = "document.querySelector('.hits a').getAttribute('href')"
        assert await page.run(first) == "/docs/errors.md#code-OutOfQuota"

    drive(steps)
    assert service.stop() == 0
