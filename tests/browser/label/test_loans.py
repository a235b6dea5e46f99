"""A data person labels the example loan documents from nothing to a served model, on one page."""

import json
import time
from typing import Any

import httpx2
import pytest

from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.label_page import KEY, LabelPage, begin, serve_authoring
from tests.support.paths import ROOT
from tests.support.site import Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, pytest.mark.slow, needs_chromium, pytest.mark.timeout(900)]
LOANS = ROOT / "docs" / "examples" / "loans"
PROJECT = json.loads((LOANS / "project.json").read_text())
CATEGORIES = [entity["category"] for entity in PROJECT["assets"]["entities"]]
WANTED: dict[str, list[dict[str, Any]]] = {
    one["location"]: sorted(
        (label for region in one["entities"] for label in region["labels"]),
        key=lambda one: int(one["offset"]),
    )
    for one in PROJECT["assets"]["documents"]
}
BY_HAND = 9
VERSION = {"api-version": "2023-04-01"}


async def label_by_hand(label: LabelPage, location: str) -> None:
    """Label a text from nothing."""
    await label.show(location)
    for one in WANTED[location]:
        await label.label_as(one["category"], one["offset"], one["offset"] + one["length"], CATEGORIES)
    assert await label.labels() == WANTED[location]
    await label.saved()


async def accept_and_correct(label: LabelPage, location: str) -> int:
    """Accept what the model proposes, then correct it; return how many labels had to be changed."""
    await label.show(location)
    await label.focus_text()
    await label.press("a")
    wrong = [one for one in await label.labels() if one not in WANTED[location]]
    for one in wrong:
        await label.drag(one["offset"], one["offset"] + one["length"])
        await label.press("Delete")
    missing = [one for one in WANTED[location] if one not in await label.labels()]
    for one in missing:
        await label.label_as(one["category"], one["offset"], one["offset"] + one["length"], CATEGORIES)
    assert await label.labels() == WANTED[location]
    await label.saved()
    return len(wrong) + len(missing)


def test_a_person_labels_the_loan_documents_from_nothing_to_a_served_model(site: Site, drive: Drive) -> None:
    service = serve_authoring(site)
    locations = list(WANTED)

    async def steps(page: Page) -> None:
        label = await begin(
            page, service.url, "loans", *sorted((LOANS / "documents").iterdir()), categories=CATEGORIES
        )
        await label.tab("label")
        await label.shows("progress-text", "0 of 14 texts labelled")
        for location in locations[:BY_HAND]:
            await label_by_hand(label, location)
        await label.shows("progress-text", "9 of 14 texts labelled")

        # A first model of nine texts proposes the labels of the others, which says what it costs before.
        await label.train_and_deploy()
        assert "5 documents are not labelled yet" in await label.text("training-errors")
        await label.tab("label")
        await label.fill("filter", "unlabelled")
        assert "counted and recorded like any other" in await label.text("cost")
        await label.click("propose-all")
        await label.shows("proposed", "5 texts would be counted as 10 text records")
        await label.click("propose-all")
        await label.shows("proposed", "10 text records counted")
        changed = [await accept_and_correct(label, location) for location in locations[BY_HAND:]]
        assert sum(changed) < sum(len(WANTED[one]) for one in locations[BY_HAND:]) / 2
        await label.shows("progress-text", "14 of 14 texts labelled, 168 labels")

        assert await label.train_and_deploy() > 80
        assert await label.count("#scores tbody tr") == len(CATEGORIES) + 1
        assert await violations(page) == []

    drive(steps)
    with service.client(headers={"Ocp-Apim-Subscription-Key": KEY}) as client:
        assert counted(client) == 10, "each proposal is recorded like any other answer"
        found = categories_found(client, "Date 5/11/2021. The Note shall bear interest three percent (3%).")
        assert found >= {"Date", "Interest"}
        listed = client.get(
            "/language/authoring/analyze-text/projects/loans/documents", params=VERSION
        ).json()
    assert {one["location"]: one["labels"] for one in listed["documents"]} == WANTED
    assert service.stop() == 0


def counted(client: httpx2.Client) -> int:
    """Text records of this month."""
    now = time.gmtime()
    found = client.get(f"/records/usage-logs/{now.tm_mon}/{now.tm_year}").json()
    return sum(meter["quantity"] for meter in found["meters"])


def categories_found(client: httpx2.Client, text: str) -> set[str]:
    """Ask the deployed model as any caller would."""
    parameters = {"projectName": "loans", "deploymentName": "production"}
    body = {
        "analysisInput": {"documents": [{"id": "1", "language": "en", "text": text}]},
        "tasks": [{"kind": "CustomEntityRecognition", "parameters": parameters}],
    }
    reply = client.post("/language/analyze-text/jobs", params=VERSION, json=body)
    job: dict[str, Any] = {"status": "notStarted"}
    deadline = time.monotonic() + 60
    while job["status"] != "succeeded" and time.monotonic() < deadline:
        job = client.get(reply.headers["operation-location"]).json()
    return {one["category"] for one in job["tasks"]["items"][0]["results"]["documents"][0]["entities"]}
