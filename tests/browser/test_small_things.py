"""What people stumbled over on the pages: long texts and lists, keys, servers that hang, phones."""

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.products import SPEECH_TO_TEXT
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, full_picture, look, needs_chromium, sideways
from tests.support.hanging import hanging_service
from tests.support.paths import ENGLISH
from tests.support.site import Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
KEY = "browser-key-0123456789"
LONG = "Chancellor Marta Lindqvist met Daniel Okafor of Northwind Shipping in Rotterdam on Tuesday.\n" * 86


def text_of(name: str) -> str:
    return f"document.getElementById('{name}').innerText"


def fill(text: str) -> str:
    return (
        f"document.getElementById('text').value = {json.dumps(text)};"
        "document.getElementById('text').dispatchEvent(new Event('input'));"
        "document.getElementById('form').requestSubmit()"
    )


def give_key(key: str) -> str:
    return (
        f"document.getElementById('key').value = '{key}';"
        "document.getElementById('key').dispatchEvent(new Event('change'))"
    )


async def arrived(path: Path) -> bytes:
    for _ in range(300):
        if path.exists():
            return path.read_bytes()
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path.name} was not downloaded")


def test_a_long_text_goes_as_a_job_and_its_entities_are_folded_copied_and_saved(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
        await page.open(f"{service.url}/")
        await page.until("document.querySelectorAll('#models li b').length === 1")
        await page.run(fill(LONG))
        assert "goes as a job" in await page.run(text_of("count"))
        await page.until("document.getElementById('outcome').innerText.includes('entities in')")
        assert "/language/analyze-text/jobs" in await page.run(text_of("snippet"))
        assert '"kind": "EntityRecognition"' in await page.run(text_of("snippet"))
        found = await page.run("document.querySelectorAll('#marked mark').length")
        assert found > 200
        rows = "document.querySelectorAll('#entities tbody tr').length"
        assert await page.run(rows) == 50
        assert await page.run("document.documentElement.scrollHeight") < 6_000
        assert await violations(page) == []
        await page.run("document.getElementById('more').click()")
        assert await page.run(rows) == found
        await page.run("document.getElementById('save-json').click()")
        entities = json.loads(await arrived(tmp_path / "got" / "entities.json"))
        await page.run("document.getElementById('save-csv').click()")
        table = list(csv.DictReader(io.StringIO((await arrived(tmp_path / "got" / "entities.csv")).decode())))
        assert len(entities) == len(table) == found
        assert {"text", "category", "offset", "length", "confidenceScore"} <= set(entities[0])
        assert table[0]["text"] == entities[0]["text"]
        await page.run("document.getElementById('copy-result').click()")
        await page.until("document.getElementById('copy-result').innerText === 'Copied'")
        await page.run(fill("x" * 125_001))
        assert "of at most 125,000" in await page.run(text_of("count"))
        await page.until("document.getElementById('go').getAttribute('aria-busy') === 'false'")
        await look(page, width=390)
        await page.run(fill("Ada Lovelace met Charles Babbage in London."))
        await page.until("document.querySelectorAll('#entities tbody tr').length < 10")
        cut = "[...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth)"
        assert await page.run(f"{cut}.length") == 0, "nothing of a table is cut on a phone"
        assert await sideways(page) <= 0
        assert await violations(page) == []
        await full_picture(page, tmp_path / "phone.png")

    drive(steps)
    assert service.stop() == 0


def test_the_longest_text_is_answered_and_stays_a_page_that_can_be_used(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start()
    longest = (LONG * 16)[:125_000]

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await page.open(f"{service.url}/")
        await page.until("document.querySelectorAll('#models li b').length === 1")
        await page.run(fill(longest))
        assert "125,000 characters" in await page.run(text_of("count"))
        for _ in range(240):  # a model that reads so much needs longer than pages do
            if await page.run("document.getElementById('go').getAttribute('aria-busy')") == "false":
                break
            await asyncio.sleep(0.25)
        assert " entities in " in await page.run(text_of("outcome"))
        assert await page.run("document.querySelectorAll('#marked mark').length") > 3_000
        assert await page.run("document.querySelectorAll('#entities tbody tr').length") == 50
        assert await page.run("document.documentElement.scrollHeight") < 6_000
        assert await sideways(page) <= 0
        assert page.complaints == []

    drive(steps)
    assert service.stop() == 0


CATEGORIES = [f"Category{n:02}" for n in range(45)]
MANY = {
    "results": {
        "documents": [
            {
                "id": "1",
                "warnings": [],
                "entities": [
                    {"text": "w", "category": name, "offset": 2 * n, "length": 1, "confidenceScore": 0.5}
                    for n, name in enumerate(CATEGORIES)
                ],
            }
        ],
        "errors": [],
    }
}
LOOK = "((one) => [one.backgroundColor, one.boxShadow, one.outlineStyle].join())"


def test_forty_five_categories_look_different(site: Site, drive: Drive, tmp_path: Path) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        for dark in (False, True):
            await look(page, width=1280, dark=dark)
            await page.open(f"{service.url}/")
            await page.run(
                "const ask = window.fetch; window.fetch = (to, how) => (to.includes(':analyze-text')"
                f" ? Promise.resolve(new Response({json.dumps(json.dumps(MANY))})) : ask(to, how))"
            )
            await page.run(fill("w " * len(CATEGORIES)))
            await page.until(f"document.querySelectorAll('#marked mark').length === {len(CATEGORIES)}")
            for part in ("#marked mark", "#legend li"):
                looks = await page.run(
                    f"[...document.querySelectorAll('{part}')].map((one) => {LOOK}(getComputedStyle(one)))"
                )
                assert len(set(looks)) == len(CATEGORIES), part
            assert await violations(page) == []
        await full_picture(page, tmp_path / "categories.png")

    drive(steps)
    assert service.stop() == 0


FORMULA = "=cmd()"
ANSWERED = {
    "results": {
        "documents": [
            {
                "id": "1",
                "warnings": [],
                "entities": [
                    {"text": FORMULA, "category": "Code", "offset": 0, "length": 6, "confidenceScore": 0.5}
                ],
            }
        ],
        "errors": [],
    }
}


def test_a_text_that_begins_like_a_formula_is_no_formula_in_the_table(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        await page.run(
            "const ask = window.fetch; window.fetch = (to, how) => (to.includes(':analyze-text')"
            f" ? Promise.resolve(new Response({json.dumps(json.dumps(ANSWERED))})) : ask(to, how));"
            "window.kept = []; URL.createObjectURL = (blob) => { window.kept.push(blob); return 'data:,'; }"
        )
        await page.run(fill(FORMULA))
        await page.until("document.querySelectorAll('#marked mark').length === 1")
        await page.run("document.getElementById('save-csv').click()")
        (row,) = csv.reader(io.StringIO((await page.run("window.kept[0].text()")).splitlines()[1]))
        assert row == ["'=cmd()", "Code", "0", "6", "0.5"]

    drive(steps)
    assert service.stop() == 0


def test_a_list_of_many_models_is_folded_and_searched(site: Site, drive: Drive, tmp_path: Path) -> None:
    mount = tmp_path / "models" / "acme"
    mount.mkdir(parents=True)
    (mount / "good").symlink_to(ENGLISH)
    for n in range(119):
        (mount / f"model-{n:03}").mkdir()
        (mount / f"model-{n:03}" / "model.onnx").write_bytes(b"damaged")
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'models'}")

    async def steps(page: Page) -> None:
        await look(page, width=390)
        await page.open(f"{service.url}/")
        items = "document.querySelectorAll('#models li').length"
        await page.until(f"{items} === 8")
        assert await page.run("document.documentElement.scrollHeight") < 5_000
        await page.run("document.getElementById('all-models').click()")
        assert await page.run(items) == 8 + 50
        assert await page.run(text_of("all-models")) == "Show 50 more of 120"
        await page.run("document.getElementById('all-models').click()")
        await page.run("document.getElementById('all-models').click()")
        assert await page.run(items) == 120
        assert await page.run(text_of("all-models")) == "Show the first 8"
        await page.run("document.getElementById('all-models').click()")
        assert await page.run(items) == 8
        await page.run(
            "document.getElementById('filter').value = 'model-04';"
            "document.getElementById('filter').dispatchEvent(new Event('input'))"
        )
        assert await page.run(items) == 8
        assert await page.run(text_of("all-models")) == "Show all 10"
        for count in (10, 8, 10):
            await page.run("document.getElementById('all-models').click()")
            assert await page.run(items) == count
        assert await violations(page) == []

    drive(steps)
    assert service.stop() == 0


def test_a_wrong_key_is_said_as_such_and_a_server_that_is_gone_too(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start(f"ApiKeys:one={KEY}")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        await page.until("document.getElementById('models').innerText.includes('Enter an access key')")
        await page.run(give_key("wrong"))
        await page.run(fill("Ada Lovelace"))
        await page.until(
            "document.getElementById('outcome').innerText.includes('not an access key of this server')"
        )
        assert "region" not in await page.run("document.body.innerText")
        await page.run(give_key("pass\u00ef"))
        await page.run(fill("Ada Lovelace"))
        await page.until(
            "document.getElementById('outcome').innerText.includes('not an access key of this server')"
        )
        await page.run(give_key(KEY))
        await page.until("document.querySelectorAll('#models li b').length === 1")
        service.kill()
        await page.run(fill("Ada Lovelace"))
        await page.until("document.getElementById('outcome').innerText === 'The service does not answer.'")
        assert await page.run("document.querySelectorAll('#models li b').length") == 1, "what was seen stays"
        await page.open("about:blank")

    drive(steps)


@pytest.fixture
def hanging() -> Iterator[str]:
    with hanging_service() as address:
        yield f"{address}/"


def test_a_server_that_hangs_is_not_waited_for_for_ever(drive: Drive, hanging: str) -> None:
    async def steps(page: Page) -> None:
        await page.open(hanging)
        began = time.monotonic()
        await page.run(fill("Ada Lovelace"))
        await page.until(
            "document.getElementById('outcome').innerText.includes('has not answered for 1 seconds')"
        )
        assert time.monotonic() - began < 15
        assert "has not answered" in await page.run(text_of("models"))
        assert "has not answered" in await page.run(text_of("notice"))
        assert await page.run("document.getElementById('go').getAttribute('aria-busy')") == "false"

    drive(steps)


def test_the_speech_page_with_an_access_key_tells_no_wrong_zero(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
    service = site.start("Service=speechtotext", f"ApiKeys:one={KEY}")

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await page.open(f"{service.url}/")
        await page.until("!document.getElementById('access').hidden")
        await page.until("document.getElementById('usage-figure').innerText.includes('not told without')")
        assert "Enter an access key" in await page.run(text_of("models"))
        assert 'subscription="YOUR KEY"' in await page.run(text_of("snippet"))
        assert await violations(page) == []
        await page.run(give_key("wrong"))
        await page.until("document.getElementById('models').innerText.includes('not an access key')")
        await page.run(give_key(KEY))
        await page.until("document.getElementById('usage-figure').innerText.includes('seconds of audio')")
        await page.until("document.getElementById('models').innerText.includes('whisper')")
        await page.run("document.getElementById('example').click()")
        await page.until("document.getElementById('text').innerText.startsWith('He might')")
        await page.until("document.getElementById('usage-figure').innerText.includes('4')")
        for width, dark in ((1280, True), (390, False)):
            await look(page, width=width, dark=dark)
            assert await violations(page) == []
            assert await sideways(page) <= 0

    drive(steps)
    assert service.stop() == 0


def test_the_home_page_is_accessible_in_each_look(site: Site, drive: Drive) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await page.open(f"{service.url}/")
        await page.until("document.querySelectorAll('#models li b').length === 1")
        await page.run(fill("Ada Lovelace met Charles Babbage in London."))
        await page.until("document.querySelectorAll('#marked mark').length >= 2")
        for width, dark in ((1280, False), (1280, True), (390, False), (390, True)):
            await look(page, width=width, dark=dark)
            assert await violations(page) == []
            assert await sideways(page) <= 0

    drive(steps)
    assert service.stop() == 0


def test_the_api_page_leads_home_and_is_dark_where_the_system_is(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue()
    service = site.start()

    async def steps(page: Page) -> None:
        await look(page, width=1280, dark=True)
        await page.open(f"{service.url}/swagger")
        await page.until("document.querySelectorAll('.opblock').length >= 20")
        assert await page.run("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 22)"
        await full_picture(page, tmp_path / "swagger-dark.png")
        await look(page, width=1280)
        assert await page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        await page.run("document.querySelector('a[href=\"/\"]').click()")
        await page.until("document.title.includes('named entities')")

    drive(steps)
    assert service.stop() == 0
