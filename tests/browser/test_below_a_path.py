"""The home page below a path that a proxy gives the service."""

import pytest

from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.site import SENTENCE, Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]


def test_a_long_text_is_answered_below_a_path_too(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start("Http:TrustedProxies=127.0.0.0/8")
    text = f"{SENTENCE} " * (6_000 // len(SENTENCE))

    async def steps(page: Page) -> None:
        await page.send("Network.setExtraHTTPHeaders", headers={"X-Forwarded-Prefix": "/ai"})
        await page.open(f"{service.url}/ai/")
        await page.until("document.querySelectorAll('#models li b').length === 1")
        await page.run(
            f"document.getElementById('text').value = `{text}`;"
            "document.getElementById('form').requestSubmit()"
        )
        await page.until("document.getElementById('go').getAttribute('aria-busy') === 'false'")
        assert " entities in " in await page.run("document.getElementById('outcome').innerText")

    drive(steps)
    assert service.stop() == 0
