"""The page of a site's desk in a real browser: a real desk, and replicas that are there, gone and lost."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.identity import load_identity
from license.authority.authority import Authority
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, full_picture, look, needs_chromium, sideways
from tests.support.desk import DeskSite, until
from tests.support.operators import answer
from tests.support.page_loads import loaded

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
MOST_BYTES = 150_000


@pytest.fixture
def desk(tmp_path: Path, vendor: Authority) -> Iterator[DeskSite]:
    site = DeskSite(tmp_path / "site", vendor)
    yield site
    site.close()


def test_the_desks_page_shows_the_site_in_each_look(desk: DeskSite, drive: Drive, tmp_path: Path) -> None:
    desk.buy(1_000)
    desk.set_up(instances=3)
    process = desk.start()
    sites = [desk.replica(name) for name in ("there", "lost")]
    there, lost = (one.start("Models:General=en") for one in sites)
    with there.client() as client:
        until(lambda: answer(client).status_code == 200)  # the desk listens before it grants units
    lost.kill()
    gone = load_identity(sites[1].state).instance
    written = desk.run("write-off", gone, "--home", str(desk.home), "--url", desk.url)
    assert written.returncode == 0, written.stderr
    address = f"http://operator:{desk.key}@{desk.url.removeprefix('http://')}/"

    async def steps(page: Page) -> None:
        for width, dark in ((1280, False), (1280, True), (390, False), (390, True)):
            await look(page, width=width, dark=dark)
            await page.open(address)
            shown = await page.run("document.body.innerText")
            assert "Site of Test customer" in shown
            assert "1 of 3 hold a lease" in shown
            assert "Nothing: the site serves." in shown
            assert re.search(r"of 1,000 TextRecords are charged \(\d+ %\), of them \d+ lost", shown)
            assert "1 of them; " in shown
            assert await violations(page) == []
            assert await sideways(page) <= 0
            await page.run("document.querySelector('details').open = true")
            assert await page.run(f"document.body.innerText.includes('{gone}')")
            assert await violations(page) == []
            await full_picture(page, tmp_path / f"desk-{width}-{'dark' if dark else 'light'}.png")
        load = await loaded(page)
        assert 10_000 < load.size < MOST_BYTES
        assert load.blocking == (), "the style stands in the page"
        background = "getComputedStyle(document.querySelector('.card')).backgroundColor"
        assert await page.run(background) == "rgb(24, 31, 31)", "the policy lets the style in"
        assert page.complaints == []
        assert {url.partition("@")[2] or url for url in page.asked if not url.startswith("data:")} <= {
            address.partition("@")[2],
            f"{desk.url}/",
        }

    drive(steps)
    assert there.stop() == 0
    process.stop()
