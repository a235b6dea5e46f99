"""Names without a space, as long as they may be, on a phone and on a desk: nothing leaves the window."""

from pathlib import Path

import pytest

from tests.support.browser import Drive, Page, drive, look, needs_chromium, sideways
from tests.support.label_page import KEY, LabelPage
from tests.support.operators import KEYS, OPERATOR
from tests.support.paths import ENGLISH
from tests.support.site import Service, Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
WIDTHS = (360, 1280)
PROJECT, CATEGORY, TEXT = "W" * 50, "C" * 60, "N" * 90


@pytest.fixture
def service(site: Site, tmp_path: Path) -> Service:
    folder = tmp_path / "models" / PROJECT
    for number in range(2):
        (folder / f"{'M' * 45}-{number}").mkdir(parents=True)
        (folder / f"{'M' * 45}-{number}" / "model.onnx").write_bytes(b"damaged")
    (folder / "good").symlink_to(ENGLISH)
    site.issue()
    models = f"Models:Path={tmp_path / 'models'}"
    return site.start(*KEYS, f"ApiKeys:label={KEY}", "Authoring:Enabled=true", models)


async def fits(page: Page, *, what: str) -> None:
    for width in WIDTHS:
        await look(page, width=width)
        wide = await page.run(
            "[...document.querySelectorAll('body *')].filter((one) => !one.closest('.scroll, pre, .text')"
            " && one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80))"
        )
        assert await sideways(page) <= 0, (what, width, wide)


def test_long_names_leave_no_page_wider_than_its_window(service: Service, drive: Drive) -> None:
    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/admin")
        await page.run(
            f"document.getElementById('key').value = '{OPERATOR}';"
            "document.getElementById('form').requestSubmit()"
        )
        await page.until("document.querySelectorAll('#models tbody tr').length === 3")
        await fits(page, what="operators")
        await page.open(f"{service.url}/")
        await page.run(
            f"document.getElementById('key').value = '{KEY}';"
            "document.getElementById('key').dispatchEvent(new Event('change'))"
        )
        await page.until("document.querySelectorAll('#models li b').length === 3")
        await fits(page, what="home")
        label = LabelPage(page, service.url)
        await label.open()
        await label.make_project(PROJECT)
        await label.paste(TEXT, f"Marta Lindqvist met Daniel Okafor. {'x' * 300}")
        await label.add_categories(CATEGORY)
        await fits(page, what="texts")
        await label.tab("label")
        await label.shows("doc-name", TEXT)
        await label.drag(0, 15)
        await label.press("1")
        await label.saved()
        for step in ("label", "people", "train", "compare"):
            await label.tab(step)
            assert await label.text("outcome") == "", "what was said of another step is gone"
            await fits(page, what=step)
        await page.open("about:blank")

    drive(steps)
    assert service.stop() == 0
