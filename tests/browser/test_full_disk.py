"""The pages to label and to listen on a disk without a free byte: what they say, and that nothing is lost."""

from pathlib import Path

import pytest

from appliance.config.products import SPEECH_TO_TEXT
from tests.support import disks
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.label_page import begin, serve_authoring
from tests.support.site import Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(300)]


def test_labels_wait_on_a_full_disk_and_are_kept_when_there_is_room(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    disks.require_mounts()
    with disks.tmpfs(site.state, megabytes=8), disks.tmpfs(tmp_path / "texts", megabytes=1) as texts:
        service = serve_authoring(site, f"Authoring:Documents={texts}")
        fillers = [site.state / "filler", texts / "filler"]

        async def steps(page: Page) -> None:
            label = await begin(
                page, service.url, "full", texts={"one": "Anna met Bert."}, categories=("Person",)
            )
            for filler in fillers:
                disks.fill(filler)
            await label.drag(0, 4)
            await label.press("1")
            await label.shows("saved", "Not saved: ")
            assert "free space" in await label.text("saved")
            assert str(site.home) not in await page.run("document.body.innerText")
            await label.tab("texts")
            await label.fill("pasted", "Zoe sang. " * 3_000)
            await label.submit("paste")
            await label.shows("outcome", "free space")
            assert await page.run("document.getElementById('pasted').value.length") > 20_000
            assert await violations(page) == []
            for filler in fillers:
                filler.unlink()
            await label.tab("label")
            await label.saved()
            assert await label.marks() == [["Anna", "Person"]]
            await label.tab("texts")
            await label.submit("paste")
            await label.shows("outcome", "1 text added")

        drive(steps)
        assert service.stop() == 0


def test_a_recording_is_refused_in_words_on_a_full_disk_and_heard_when_there_is_room(
    site: Site, drive: Drive
) -> None:
    disks.require_mounts()
    with disks.tmpfs(site.output, megabytes=24):
        site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
        service = site.start("Service=speechtotext", "Models:Speech=commands")
        filler = site.output / "filler"
        outcome = "document.getElementById('outcome')"

        async def refused(page: Page) -> bool:
            await page.run("document.getElementById('example').click()")
            await page.until("document.getElementById('example').ariaBusy === 'false'")
            return bool(await page.run(f"{outcome}.dataset.tone === 'bad'"))

        async def steps(page: Page) -> None:
            await page.open(f"{service.url}/listen")
            await page.until("document.querySelectorAll('#model option').length === 1")
            disks.fill(filler)
            for _ in range(50):
                if await refused(page):
                    break
            said = await page.run(f"{outcome}.innerText")
            assert "usage" in said, said
            assert str(site.home) not in said
            assert await page.run("document.getElementById('result').hidden")
            assert await violations(page) == []
            filler.unlink()
            for _ in range(100):
                if not await refused(page):
                    break
            assert not await page.run("document.getElementById('result').hidden")

        drive(steps)
        assert service.stop() == 0
