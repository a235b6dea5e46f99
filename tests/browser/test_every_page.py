"""Every page with fifty models, a used-up plan and an expired licence: what it says, weighs and counts."""

import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import appliance.api
from appliance.config.products import SPEECH_TO_TEXT
from appliance.pipeline.pipeline import TEXT_RECORDS
from tests.support import disks
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, look, needs_chromium, sideways
from tests.support.desk import until
from tests.support.label_page import LabelPage
from tests.support.operators import CALLER, KEYS, OPERATOR, answer
from tests.support.page_loads import loaded
from tests.support.site import Service, Site
from tests.support.tiny_languages import write_tiny_languages

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
MOST_BYTES = 150_000
MOST_BLOCKING = (
    2  # style sheets: the common one, and the page's own; scripts are modules, which block no paint
)
MODELS = 50
EXAMPLE = Path(appliance.api.__file__).parent / "static" / "example.wav"
TRANSCRIBE = "/speechtotext/transcriptions:transcribe"
Pages = dict[str, Callable[[Page, str], Awaitable[None]]]
"""By path: what opens a page, gives it a key where it asks for one, and waits until all is there."""


def filled(name: str, value: str) -> str:
    field = f"document.getElementById({json.dumps(name)})"
    return f"{field}.value = {json.dumps(value)}; {field}.dispatchEvent(new Event('change'))"


async def home(page: Page, url: str) -> None:
    await page.open(f"{url}/")
    await page.run(filled("key", CALLER))
    await page.until("document.querySelectorAll('#models li b').length === 8")
    assert f"Show all {MODELS}" in await page.run("document.getElementById('all-models').innerText")


async def home_of_one(page: Page, url: str) -> None:
    await page.open(f"{url}/")
    await page.run(filled("key", CALLER))
    await page.until("document.querySelectorAll('#models li b').length === 1")


async def admin_of_one(page: Page, url: str) -> None:
    await page.open(f"{url}/admin")
    await page.run(f"{filled('key', OPERATOR)}; document.getElementById('form').requestSubmit()")
    await page.until("document.querySelectorAll('#models tbody tr').length === 1")


async def label(page: Page, url: str) -> None:
    await LabelPage(page, url).open(CALLER)
    await page.until("document.querySelectorAll('#project option').length === 1")
    await page.run("document.getElementById('open').click()")
    await page.until("!document.getElementById('work').hidden")
    await page.until(f"document.querySelectorAll('#model option').length === {MODELS}")


async def admin(page: Page, url: str) -> None:
    await page.open(f"{url}/admin")
    await page.run(f"{filled('key', OPERATOR)}; document.getElementById('form').requestSubmit()")
    await page.until("document.querySelectorAll('#models tbody tr').length === 12")
    await page.until("document.querySelectorAll('#charts figure').length === 5")
    assert f"{MODELS} served" in await page.run("document.getElementById('models-count').innerText")


async def documentation(page: Page, url: str) -> None:
    await page.open(f"{url}/docs")
    assert await page.run("document.querySelectorAll('a[href^=\"/docs/\"]').length") > 10


async def speech_home(page: Page, url: str) -> None:
    await page.open(f"{url}/")
    await page.until("document.getElementById('models').innerText.includes('whisper')")


async def listen(page: Page, url: str) -> None:
    await page.open(f"{url}/listen")
    await page.until("performance.getEntriesByType('resource').some((one) => one.name.endsWith('/models'))")


TEXT_PAGES: Pages = {"/": home, "/label": label, "/admin": admin, "/docs": documentation}
SPEECH_PAGES: Pages = {"/": speech_home, "/listen": listen, "/docs": documentation}


def fifty_models(path: Path) -> str:
    """Lay one model out fifty times, by hard links; memory is given to some of them."""
    first = write_tiny_languages(path / "acme" / "model-00")
    for number in range(1, MODELS):
        folder = path / "acme" / f"model-{number:02}"
        folder.mkdir()
        for file in first.iterdir():
            os.link(file, folder / file.name)
    return f"Models:Path={path}"


def expire(site: Site, service: Service, **bought: Any) -> None:
    """Put a licence in force that ends at once; on a busy machine, another until one did in time."""
    while service.status()["apiStatus"] != "Expired":
        end = int(time.time()) + 2
        site.issue(changes={"expires": end, "terminates": end, "report_by": end}, **bought)
        service.reload()
        while service.status()["apiStatus"] != "Expired" and time.time() < end + 2:
            time.sleep(0.1)


def used(service: Service) -> Any:
    with service.client(headers={"Ocp-Apim-Subscription-Key": CALLER}) as client:
        return client.get("/records/usage-logs/").json()["meters"]


async def each_says(page: Page, service: Service, pages: Pages, sentence: str) -> None:
    """Open each page: it says what is wrong, is accessible and light, and opening it counts nothing."""
    before = used(service)
    await page.send("Network.setCacheDisabled", cacheDisabled=True)  # all of its bytes are counted
    for path, show in pages.items():
        await show(page, service.url)
        if path != "/docs":  # which is open whatever the licence says
            await page.until(f"document.body.innerText.includes({json.dumps(sentence)})")
            explained = "document.querySelectorAll('a[href*=\"/docs/search?q=\"]').length"
            assert await page.run(explained) >= 1, f"{path} leads to what explains it"
        assert await violations(page) == [], path
        assert await sideways(page) <= 0, path
        load = await loaded(page)
        assert 10_000 < load.size < MOST_BYTES, (path, load)
        assert 1 <= len(load.blocking) <= MOST_BLOCKING, (path, load)
    assert used(service) == before


async def each_has_a_sentence_without_scripts(page: Page, service: Service, pages: Pages) -> None:
    await page.send("Emulation.setScriptExecutionDisabled", value=True)
    for path in pages:
        await page.open(f"{service.url}{path}")
        wanted = "Documentation" if path == "/docs" else "This page needs JavaScript from this server"
        assert wanted in await page.run("document.body.innerText"), path
    await page.send("Emulation.setScriptExecutionDisabled", value=False)


def test_each_page_of_fifty_models_says_that_the_plan_is_used_up_or_the_licence_expired(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    site.issue(meters={TEXT_RECORDS: 1}, overage="block")
    service = site.start(
        *KEYS, fifty_models(tmp_path / "models"), "Models:MemoryMiB=16", "Authoring:Enabled=true"
    )
    with service.client(headers={"Ocp-Apim-Subscription-Key": CALLER}) as client:
        assert [answer(client).status_code for _ in range(2)] == [200, 403]
        project = {"projectName": "loans", "projectKind": "CustomEntityRecognition", "language": "en"}
        path, version = "/language/authoring/analyze-text/projects/loans", {"api-version": "2023-04-01"}
        client.patch(path, params=version, json={**project, "storageInputContainerName": "loans"})

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await each_says(page, service, TEXT_PAGES, "plan's 1 units")
        expire(site, service)
        await look(page, width=390, dark=True)
        await each_says(page, service, TEXT_PAGES, "licence expired at")
        await each_has_a_sentence_without_scripts(page, service, TEXT_PAGES)

    drive(steps)
    assert service.stop() == 0


def full_disk(site: Site, ask: Callable[[], int]) -> None:
    """Fill the disk of the usage records for good: also what the service frees for its last words."""
    for number in range(3):
        disks.fill(site.output / f"filler-{number}")
        until(lambda: ask() == 503)


@pytest.mark.parametrize("product", ["ner", "speech"])
def test_each_page_says_that_the_disk_is_full_and_goes_on_when_there_is_room(
    site: Site, drive: Drive, product: str
) -> None:
    disks.require_mounts()
    meter, pages, words = {
        "ner": (TEXT_RECORDS, {"/": home_of_one, "/admin": admin_of_one, "/docs": documentation}, KEYS),
        "speech": (
            SPEECH_TO_TEXT.meter,
            {"/": speech_home, "/docs": documentation},
            ("Service=speechtotext",),
        ),
    }[product]
    with disks.tmpfs(site.output, megabytes=24):
        site.issue(product=product, meters={meter: 1_000_000})
        service = site.start(*words)
        headers = {"Ocp-Apim-Subscription-Key": CALLER}
        with service.client(headers=headers) as client:

            def ask() -> int:
                if product == "ner":
                    return answer(client).status_code
                files = {"audio": EXAMPLE.read_bytes()}
                version = {"api-version": "2024-11-15"}
                return client.post(TRANSCRIBE, params=version, files=files).status_code

            full_disk(site, ask)
            assert client.get("/status").json()["ledger"]["healthy"] is False

            async def steps(page: Page) -> None:
                for width, dark in ((1280, False), (390, True)):
                    await look(page, width=width, dark=dark)
                    for path, show in pages.items():
                        await show(page, service.url)
                        if path != "/docs":
                            await page.until("document.body.innerText.includes('ledger cannot be written')")
                        assert await violations(page) == [], path
                        assert await sideways(page) <= 0, path

            drive(steps)
            for filler in site.output.glob("filler-*"):
                filler.unlink()
            until(lambda: ask() == 200)
        assert service.stop() == 0


def test_each_page_of_the_speech_service_says_that_the_plan_is_used_up_or_the_licence_expired(
    site: Site, drive: Drive
) -> None:
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 4}, overage="block")
    service = site.start("Service=speechtotext")
    with service.client() as client:
        files = {"audio": EXAMPLE.read_bytes()}
        version = {"api-version": "2024-11-15"}
        heard = [client.post(TRANSCRIBE, params=version, files=files).status_code for _ in range(2)]
        assert heard == [200, 403]

    async def steps(page: Page) -> None:
        await look(page, width=1280)
        await each_says(page, service, SPEECH_PAGES, "plan's 4 units")
        expire(site, service, product="speech", meters={SPEECH_TO_TEXT.meter: 4})
        await look(page, width=390, dark=True)
        await each_says(page, service, SPEECH_PAGES, "licence expired at")
        await each_has_a_sentence_without_scripts(page, service, SPEECH_PAGES)

    drive(steps)
    assert service.stop() == 0
