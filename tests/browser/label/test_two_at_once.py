"""The label page where two people change one project, answers are late, or addresses are odd."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from license.authority.authority import Authority
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.hanging import hanging_service
from tests.support.label_page import KEY, LabelPage, begin, labelled_lines, serve_authoring
from tests.support.site import Service, Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(300)]
PROJECTS = "/language/authoring/analyze-text/projects"
VERSION = {"api-version": "2023-04-01"}
TEXT = "Marta Lindqvist met Daniel Okafor in Rotterdam."


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    site = Site(tmp_path_factory.mktemp("two") / "site", vendor)
    yield serve_authoring(site)
    site.close()


@pytest.fixture
def other(service: Service) -> Iterator[httpx2.Client]:
    """Somebody else with the same key."""
    with service.client(headers={"Ocp-Apim-Subscription-Key": KEY}, params=VERSION) as client:
        yield client


def late(part: str, milliseconds: int) -> str:
    """Let what the page asks below a path wait."""
    return (
        "(() => { const ask = window.fetch; window.fetch = async (...call) => {"
        f"if (call[0].includes({json.dumps(part)}))"
        f" await new Promise((done) => {{ setTimeout(done, {milliseconds}); }});"
        "return ask(...call); }; })()"
    )


def test_a_category_that_somebody_else_added_meanwhile_stays(
    service: Service, drive: Drive, other: httpx2.Client
) -> None:
    path = f"{PROJECTS}/categories/categories"

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "categories", categories=("Person",))
        assert other.put(path, json={"categories": ["Person", "Theirs"]}).status_code == 200
        await label.fill("new-category", "Mine")
        await label.submit("categories-form")
        await label.shows("outcome", "Mine is added")
        assert "Theirs" in await label.text("category-list")

    drive(steps)
    assert other.get(f"{PROJECTS}/categories/documents").json()["categories"] == ["Person", "Theirs", "Mine"]


def test_labelling_leaves_what_somebody_else_chose_for_the_test(
    service: Service, drive: Drive, other: httpx2.Client
) -> None:
    document = f"{PROJECTS}/chosen/document"

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "chosen", texts={"a": TEXT}, categories=("Person",))
        kept = other.put(document, params={"location": "a.txt"}, json={"labels": [], "dataset": "Test"})
        assert kept.status_code == 200
        await label.drag(0, 5)
        await label.press("1")
        await label.saved()

    drive(steps)
    found = other.get(document, params={"location": "a.txt"}).json()
    assert (found["dataset"], found["labelCount"]) == ("Test", 1)


def test_a_text_that_somebody_else_took_out_holds_nobody(
    service: Service, drive: Drive, other: httpx2.Client
) -> None:
    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "gone", texts={"a": TEXT, "b": TEXT}, categories=("Person",))
        gone = other.delete(f"{PROJECTS}/gone/document", params={"location": "a.txt"})
        assert gone.status_code == 204
        await label.drag(0, 5)
        await label.press("1")
        await label.shows("outcome", "a.txt was taken out of the project by somebody else")
        await label.shows("doc-name", "b.txt")
        assert "a.txt" not in await label.text("documents")
        await label.drag(0, 5)
        await label.press("1")
        await label.saved()

    drive(steps)
    (left,) = other.get(f"{PROJECTS}/gone/documents").json()["documents"]
    assert (left["location"], left["labelCount"]) == ("b.txt", 1)


def test_a_proposal_that_is_accepted_late_labels_no_other_text(
    service: Service, drive: Drive, other: httpx2.Client
) -> None:
    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "late", texts={"a": TEXT, "b": TEXT})
        await label.click("propose")
        await page.until("document.querySelectorAll('#text mark.proposal').length >= 1")
        await page.run(late("/categories", 1500))
        await page.run(
            "[...document.querySelectorAll('#labels button')]"
            ".find((one) => one.innerText === 'Accept').click()"
        )
        await label.show("b.txt")
        await page.until("document.querySelectorAll('#category-bar button').length >= 1")
        await asyncio.sleep(0.5)
        assert await label.labels() == []

    drive(steps)
    listed = other.get(f"{PROJECTS}/late/documents").json()
    assert [one["labelCount"] for one in listed["documents"]] == [0, 0]


def test_who_begins_while_the_service_is_slow_is_not_called_back(service: Service, drive: Drive) -> None:
    async def steps(page: Page) -> None:
        label = LabelPage(page, service.url)
        await label.open()
        await page.until("!document.getElementById('projects').hidden")
        await page.run(late("/models", 1500))
        await label.make_project("slow")
        await label.paste("a", TEXT)
        await asyncio.sleep(4)
        assert not await page.run("document.getElementById('panel-texts').hidden")

    drive(steps)


def test_who_leaves_while_labels_are_on_their_way_is_asked(service: Service, drive: Drive) -> None:
    leave = (
        "(() => { const left = new Event('beforeunload', { cancelable: true });"
        " dispatchEvent(left); return left.defaultPrevented; })()"
    )

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "leaving", texts={"a": TEXT}, categories=("Person",))
        await page.run(late("/document?", 1500))
        await label.drag(0, 5)
        await label.press("1")
        await asyncio.sleep(0.7)
        assert await page.run(leave), "the request would be cut off"
        await label.saved()
        assert not await page.run(leave)

    drive(steps)


def test_a_save_that_the_page_gave_up_on_is_its_own_when_it_arrives_after_all(
    service: Service, drive: Drive, other: httpx2.Client
) -> None:
    document, where = f"{PROJECTS}/own/document", {"location": "a.txt"}

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "own", texts={"a": TEXT}, categories=("Person",))
        await page.run(no_answer_to_the_first("PUT"))
        await label.drag(0, 5)
        await label.press("1")
        await label.shows("saved", "Not saved: The service has not answered")
        assert other.get(document, params=where).json()["labelCount"] == 1, "it arrived all the same"
        await label.drag(20, 26)
        await label.press("1")
        await label.saved()
        assert "Somebody else" not in await label.text("outcome")

    drive(steps)
    assert other.get(document, params=where).json()["labelCount"] == 2


def no_answer_to_the_first(method: str) -> str:
    """Let the page give up on a request that the service gets and does."""
    return (
        "(() => { const ask = window.fetch; let first = true; window.fetch = async (...call) => {"
        "const reply = await ask(...call);"
        f"if (!first || call[1]?.method !== {json.dumps(method)}) return reply;"
        "first = false; throw new DOMException('given up', 'TimeoutError'); }; })()"
    )


@pytest.mark.slow  # three trainings; by day tests/e2e/authoring/test_retraining.py says the same of the API
def test_who_trains_under_a_name_that_somebody_else_took_hears_it_and_replaces_nothing_unasked(
    service: Service, drive: Drive, other: httpx2.Client, tmp_path: Path
) -> None:
    ships, train = tmp_path / "ships.jsonl", f"{PROJECTS}/taken/:train"
    ships.write_text(labelled_lines())

    async def steps(page: Page) -> None:
        label = await begin(page, service.url, "taken", ships)
        await label.tab("train")
        going = other.post(train, json={"modelLabel": "m1"}).headers["operation-location"]
        await label.submit("train-form")
        await label.shows("taken-text", "The model m1 is being trained with the key label since")
        assert await page.run("document.getElementById('replace').hidden")
        assert await page.run("document.getElementById('model-label').value") == "m2"
        await ended(other, going)
        theirs = other.get(f"{PROJECTS}/taken/models/m1").json()["modelId"]
        await label.fill("model-label", "m1")
        await label.submit("train-form")
        await label.shows("taken-text", "There is a model m1, trained on")
        await label.shows("taken-text", "with the key label; this training would replace it")
        assert await violations(page) == []
        await page.picture(tmp_path / "taken.png")
        assert other.get(f"{PROJECTS}/taken/models/m1").json()["modelId"] == theirs
        # Given up on and pressed again, it is one training; the name that is free stands in the field.
        await page.run(no_answer_to_the_first("POST"))
        await label.click("replace")
        await label.shows("outcome", "has not answered")
        await label.click("replace")
        await label.shows("outcome", "m1 is trained")
        assert other.get(f"{PROJECTS}/taken/models/m1").json()["modelId"] != theirs
        assert "takes the place of the model m1" in await label.text("training-errors")

    drive(steps)
    assert len(other.get(f"{PROJECTS}/taken/train/jobs").json()["value"]) == 2


async def ended(client: httpx2.Client, job: str) -> None:
    for _ in range(600):
        if client.get(job).json()["status"] == "succeeded":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the training did not end")


def test_lists_of_several_pages_are_read_on_this_pages_own_origin(
    service: Service, drive: Drive, other: httpx2.Client
) -> None:
    for name in ("page-one", "page-two"):
        other.patch(f"{PROJECTS}/{name}", json={"language": "en"})
    elsewhere = f"http://inner.example{PROJECTS}?api-version=2023-04-01&skip=1"
    first = {"value": [{"projectName": "page-one"}], "nextLink": elsewhere}

    async def steps(page: Page) -> None:
        await page.send(
            "Page.addScriptToEvaluateOnNewDocument",
            source="(() => { const ask = window.fetch; window.fetch = async (...call) => {"
            "const reply = await ask(...call);"
            "if (!reply.ok || !/projects\\?api-version=[^&]*$/.test(call[0])) return reply;"
            f"return new Response({json.dumps(json.dumps(first))}); }}; }})()",
        )
        label = LabelPage(page, service.url)
        await label.open()
        await page.until("!document.getElementById('projects').hidden")
        names = await page.run("[...document.getElementById('project').options].map((one) => one.value)")
        assert "page-two" in names
        assert not [url for url in page.asked if "inner.example" in url]

    drive(steps)


def test_a_key_that_no_header_takes_is_said_to_be_wrong(service: Service, drive: Drive) -> None:
    async def steps(page: Page) -> None:
        label = LabelPage(page, service.url)
        await label.open("pass\u0142")
        await label.shows("notice", "does not know that access key")

    drive(steps)


def test_a_service_that_hangs_is_not_waited_for_for_ever(drive: Drive) -> None:
    async def steps(page: Page) -> None:
        with hanging_service() as address:
            await page.open(f"{address}/label")
            await page.until(
                "document.getElementById('notice').innerText.includes('has not answered for 1 seconds')"
            )

    drive(steps)
