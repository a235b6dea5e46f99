"""The label page in each of its states: light and dark, desktop and phone, and where something is wrong.

Pictures of the states lie in the test's temporary folder.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.label_page import KEY, LabelPage, begin, labelled_lines, serve_authoring
from tests.support.site import Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(300)]
CATEGORIES = [f"Category{number}" for number in range(3, 21)]


async def everywhere(label: LabelPage, name: str, pictures: Path) -> None:
    """Look at a state wide in the light and narrow in the dark: axe finds nothing, and nothing is cut off."""
    for width, scheme in ((1280, "light"), (390, "dark")):
        await label.size(width)
        await label.scheme(scheme)
        await label.page.until("document.getAnimations().every((one) => one.playState === 'finished')")
        await label.page.picture(pictures / f"{name}-{width}-{scheme}.png")
        assert await violations(label.page) == [], (name, width, scheme)
        assert await label.page.run("document.documentElement.scrollWidth") <= width, (name, width)
    await label.size(1280)
    await label.scheme("light")


@pytest.mark.slow
def test_each_step_is_right_in_light_and_dark_wide_and_narrow(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)
    (tmp_path / "ships.jsonl").write_text(labelled_lines())

    async def steps(page: Page) -> None:
        label = LabelPage(page, service.url)
        await page.open(f"{service.url}/label")
        await page.until("!document.getElementById('access').hidden")
        await everywhere(label, "key", tmp_path)
        await label.open()
        await page.until("!document.getElementById('projects').hidden")
        await everywhere(label, "projects", tmp_path)
        await label.make_project("ships")
        await label.choose(tmp_path / "ships.jsonl")
        await label.shows("outcome", "24 texts added")
        await label.add_categories(*CATEGORIES)
        await label.paste("new", "Contoso sold the vessel Gannet.\nLitware did not.")
        await everywhere(label, "texts", tmp_path)
        await label.tab("train")
        await everywhere(label, "before-training", tmp_path)
        assert await label.train_and_deploy() > 50
        await everywhere(label, "trained", tmp_path)
        await label.tab("label")
        await label.shows("doc-name", "new.txt")
        assert "takes 1 text record" in await label.text("cost")
        await label.click("propose")
        await page.until("document.querySelectorAll('#text mark.proposal').length >= 2")
        await label.focus_text()
        await label.press("Enter")
        await label.press("Enter")
        await page.until("document.querySelectorAll('#text mark:not(.proposal)').length === 1")
        await everywhere(label, "label", tmp_path)
        # What was proposed is remembered in this browser: nothing is asked, or counted, twice.
        await label.saved()
        asked = len([url for url in page.asked if "analyze-text/jobs" in url])
        here = await page.run("location.href")
        await page.open("about:blank")
        await page.open(here)
        await page.until("!document.getElementById('access').hidden")
        await label.fill("key", KEY)
        await label.submit("access")
        await page.until("document.querySelectorAll('#text mark.proposal').length >= 1")
        assert len([url for url in page.asked if "analyze-text/jobs" in url]) == asked
        elsewhere = [url for url in page.asked if not url.startswith((f"{service.url}/", "data:", "blob:"))]
        assert elsewhere == []
        assert [text for text in page.complaints if "401" not in text] == []

    drive(steps)
    assert service.stop() == 0


@pytest.mark.slow
def test_the_worst_mistakes_stand_in_their_sentences_and_lead_to_their_texts(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)
    (tmp_path / "ships.jsonl").write_text(labelled_lines())
    text = "Contoso sold the vessel Gannet.\nLitware did not."
    at = text.index("not")

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "mistaken", tmp_path / "ships.jsonl", categories=("Never",))
        await label.paste("new", text)
        await label.tab("label")
        await label.shows("doc-name", "new.txt")
        await label.drag(at, at + 3)
        await label.press("3")
        await label.fill("dataset", "Test")
        await label.saved()
        assert await label.train_and_deploy() < 100
        await label.shows("mistakes", "Litware did [not].")
        await everywhere(label, "mistakes", tmp_path)
        await label.tab("texts")
        await label.tab("train")
        await page.run("document.querySelector('#mistakes .place').click()")
        await page.until("!document.getElementById('panel-label').hidden")
        await label.shows("doc-name", "new.txt")

    drive(steps)
    assert service.stop() == 0


@pytest.mark.slow
def test_two_served_models_are_compared_on_labelled_texts_and_asked_once(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)
    (tmp_path / "ships.jsonl").write_text(labelled_lines())

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "compared", tmp_path / "ships.jsonl")
        await label.train_and_deploy()
        await label.tab("compare")
        await page.until("document.getElementById('model-a').value === 'compared/production'")
        assert await page.run("document.getElementById('model-b').value") == "demo/production"
        await label.submit("compare-form")
        await label.shows("compare-cost", "24 texts: 48 text records would be counted")
        await label.submit("compare-form")
        await page.until("!document.getElementById('comparison').hidden")
        await label.shows("verdict", "compared/production is better, and these texts are enough to say so")
        assert await label.count("#comparison-table tbody tr") >= 3
        await page.run("document.querySelector('#keep-actions .keep').click()")
        await label.shows("outcome", "Kept with the card of compared/production")
        await page.run("document.getElementById('card').open = true")
        await label.shows("card-text", "## Compared on 2")
        assert "sold the vessel" not in await label.text("card-text")
        await everywhere(label, "compared", tmp_path)
        await label.submit("compare-form")
        await label.shows("compare-cost", "nothing is counted")
        await page.run("document.querySelector('#unlike .place').click()")
        await page.until("!document.getElementById('panel-label').hidden")

    drive(steps)
    assert service.stop() == 0


def test_labelled_files_of_no_project_are_compared_on_and_the_result_is_saved(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)
    text = "She met Charles Babbage in London."
    places = (("Person", 8, 23), ("Location", 27, 33))
    line = {"text": text, "entities": [{"start": a, "end": b, "label": name} for name, a, b in places]}
    (tmp_path / "known.jsonl").write_text(json.dumps(line))
    got = tmp_path / "got"

    async def steps(page: Page) -> None:
        label = LabelPage(page, service.url)
        await page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(got))
        await label.open()
        await page.until("!document.getElementById('projects').hidden")
        await label.click("compare-files")
        await page.until("!document.getElementById('panel-compare').hidden")
        assert await page.run("document.getElementById('compared-texts').value") == "files"
        await label.submit("compare-form")
        await label.shows("outcome", "Choose labelled files first")
        await label.choose(tmp_path / "known.jsonl", field="#compared-files")
        await label.submit("compare-form")
        await label.shows("compare-cost", "1 text: 1 text record would be counted")
        await label.submit("compare-form")
        await page.until("!document.getElementById('comparison').hidden")
        await label.shows("verdict", "100.0")
        await label.shows("verdict", "F1 of demo/production")
        assert await label.text("project-facts") == "of no project"
        await everywhere(label, "files", tmp_path)
        await label.submit("compare-form")
        await label.shows("compare-cost", "nothing is counted")
        await label.click("save-comparison")
        for _ in range(100):
            if (got / "comparison.json").exists():
                break
            await asyncio.sleep(0.05)
        saved = json.loads((got / "comparison.json").read_text())
        assert (saved["kind"], saved["a"], saved["texts"]) == (
            "appliance-comparison",
            "demo/production",
            ["known.jsonl"],
        )
        assert await page.run("localStorage.length") == 0
        await page.run("document.querySelector('#keep-actions .keep').click()")
        await label.shows("outcome", "demo/production was trained in no project of this server")
        await label.click("other")
        await label.make_project("afterwards")
        await label.tab("compare")
        assert await page.run("document.getElementById('compared-texts').value") == "all"
        assert all("401" in text or "404" in text for text in page.complaints)

    drive(steps)
    assert service.stop() == 0


@pytest.mark.slow
def test_a_second_person_labels_blind_and_both_settle_what_differs(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)

    async def steps(page: Page) -> None:
        label = await begin(
            page,
            service.url,
            "two",
            texts={"one": "Anna met Bert in Oslo."},
            categories=("Person", "Place"),
        )
        for start, end, key in ((0, 4, "1"), (9, 13, "1"), (17, 21, "2")):
            await label.drag(start, end)
            await label.press(key)
        await label.tab("people")
        await label.fill("person", "bea")
        await label.submit("person-form")
        await label.shows("outcome", "You label as bea")
        assert await label.marks() == [], "the second person does not see the first one's labels"
        assert await page.run("document.getElementById('propose').disabled")
        for start, end, key in ((0, 4, "1"), (9, 13, "2")):
            await label.drag(start, end)
            await label.press(key)
        await label.saved()
        await label.tab("people")
        await label.click("back")
        await page.until("document.getElementById('back-line').hidden")
        await label.click("compare")
        await label.shows("agreement-figure", "F1 40.0")
        await label.shows("agreement-figure", "kappa 0.43")
        await everywhere(label, "people", tmp_path)
        await page.run("document.querySelector('#differing .document').click()")
        await page.until("document.querySelectorAll('#labels .proposed').length === 1")
        await page.run("document.querySelector('#labels .proposed button:not(.place)').click()")
        await page.until("document.querySelectorAll('#labels .proposed').length === 0")
        assert await label.marks() == [["Anna", "Person"], ["Bert", "Place"], ["Oslo", "Place"]]
        await label.saved()

    drive(steps)
    assert service.stop() == 0


def test_a_wrong_key_and_a_server_without_authoring_are_said_in_words(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)

    async def wrong(page: Page) -> None:
        label = LabelPage(page, service.url)
        await label.open("not-the-key")
        await label.shows("notice", "does not know that access key")
        assert await violations(page) == []
        await label.fill("key", KEY)
        await label.submit("access")
        await page.until("!document.getElementById('projects').hidden")
        assert await page.run("document.getElementById('notice').hidden")
        await label.fill("new-name", "a b")
        assert not await page.run("document.getElementById('new-name').checkValidity()")

    drive(wrong)
    assert service.stop() == 0
    service = site.start()

    async def off(page: Page) -> None:
        await page.open(f"{service.url}/label")
        await LabelPage(page, service.url).shows("notice", "Authoring:Enabled=true")
        assert await violations(page) == []

    drive(off)
    assert service.stop() == 0


def test_a_used_up_plan_refuses_proposals_in_words_and_labelling_goes_on(site: Site, drive: Drive) -> None:
    site.issue(meters={TEXT_RECORDS: 3}, overage="block")
    service = site.start("Authoring:Enabled=true", f"ApiKeys:label={KEY}")

    async def steps(page: Page) -> None:
        label = await begin(
            page,
            service.url,
            "used-up",
            texts={"one": "Anna met Bert in Oslo. " * 100, "two": "Zoe met Max in Rome. " * 100},
            categories=("Person",),
        )
        await label.shows("cost", "takes 3 text records")
        await label.click("propose")
        await label.shows("proposed", "3 text records counted")
        await label.click("propose")
        await label.shows("proposed", "asked before: nothing is counted")
        await label.show("two.txt")
        await label.click("propose")
        await page.until("document.getElementById('outcome').dataset.tone === 'bad'")
        assert "plan" in await label.text("outcome")
        await label.drag(0, 3)
        await label.press("1")
        assert await label.labels() == [{"category": "Person", "offset": 0, "length": 3}]
        await label.saved()

    drive(steps)
    assert service.stop() == 0


def test_labels_wait_while_the_service_is_gone_and_are_kept_when_it_is_back(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)
    port = service.url.rpartition(":")[2]

    async def steps(page: Page) -> None:
        label = await begin(
            page, service.url, "gone", texts={"one": "Anna met Bert."}, categories=("Person",)
        )
        assert service.stop() == 0
        await label.drag(0, 4)
        await label.press("1")
        await label.shows("saved", "the service does not answer")
        again = serve_again(site, port)
        await label.saved()
        with again.client(headers={"Ocp-Apim-Subscription-Key": KEY}) as client:
            kept: dict[str, Any] = client.get(
                "/language/authoring/analyze-text/projects/gone/document",
                params={"api-version": "2023-04-01", "location": "one.txt"},
            ).json()
        assert kept["labels"] == [{"category": "Person", "offset": 0, "length": 4}]
        assert again.stop() == 0

    drive(steps)


def serve_again(site: Site, port: str) -> Any:
    return site.start("Authoring:Enabled=true", f"ApiKeys:label={KEY}", f"Http:Port={port}")
