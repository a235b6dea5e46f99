"""Labelling in a real browser against a real service: keys and mouse, guards, undo, right to left, emoji."""

from pathlib import Path

import pytest

from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.label_page import KEY, SHIFT, begin, serve_authoring
from tests.support.site import Site

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(900)]
BASE = "/language/authoring/analyze-text/projects"
VERSION = {"api-version": "2023-04-01"}


def test_texts_are_labelled_by_keys_and_mouse_guarded_undone_and_kept(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)

    async def steps(page: Page) -> None:
        label = await begin(
            page,
            service.url,
            "letters",
            texts={"first": "🙂 Anna Smith met Bert in New York."},
            categories=("Person", "Place"),
        )
        await label.focus_text()
        # The emoji is a word of its own: two steps to "Anna", one more with Shift to "Smith".
        await label.press("ArrowRight")
        await label.press("ArrowRight")
        await label.press("ArrowRight", SHIFT)
        await label.press("1")
        assert await label.marks() == [["Anna Smith", "Person"]]
        # Spaces at the ends and a word cut in two are put right.
        await label.drag(17, 22)
        await label.press("1")
        assert await label.marks() == [["Anna Smith", "Person"], ["Bert", "Person"]]
        await label.drag(27, 33)
        await label.press("2")
        assert (await label.marks())[2] == ["New York", "Place"]
        # What overlaps is refused, and said; the same stretch gets another category.
        await label.drag(8, 16)
        await label.press("2")
        assert "overlaps" in await label.text("outcome")
        assert len(await label.marks()) == 3
        await label.drag(18, 22)
        await label.press("2")
        assert (await label.marks())[1] == ["Bert", "Place"]
        await label.press("u")
        assert (await label.marks())[1] == ["Bert", "Person"]
        await label.press("U", SHIFT)
        assert (await label.marks())[1] == ["Bert", "Place"]
        await label.press("Delete")
        assert len(await label.marks()) == 2
        await label.saved()
        assert await violations(page) == []
        # A closed browser loses nothing.
        await label.open()
        await page.until("!document.getElementById('existing').hidden")
        await label.click("open")
        await page.until("document.querySelectorAll('#text mark').length === 2")
        assert await label.text("doc-name") == "first.txt"
        with service.client(headers={"Ocp-Apim-Subscription-Key": KEY}) as client:
            kept = client.get(f"{BASE}/letters/document", params={**VERSION, "location": "first.txt"}).json()
        units = [(one["category"], one["offset"], one["length"]) for one in kept["labels"]]
        assert units == [("Person", 3, 10), ("Place", 26, 8)]

    drive(steps)
    assert service.stop() == 0


def test_texts_from_right_to_left_and_emoji_have_the_offsets_of_the_service(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve_authoring(site)
    hebrew = "👩🏽‍🔬 בנימין פגש את Angela Merkel בירושלים."
    city = "בירושלים"

    async def steps(page: Page) -> None:
        label = await begin(
            page,
            service.url,
            "hebrew",
            texts={"one": hebrew},
            categories=("Person", "Place"),
            language="he",
        )
        assert await page.run("getComputedStyle(document.getElementById('text')).direction") == "rtl"
        await label.focus_text()
        # The arrow to the left goes on in a text from right to left.
        await label.press("ArrowLeft")
        await label.press("ArrowLeft")
        await label.press("1")
        at = utf16(hebrew, hebrew.index(city))
        await label.drag(at, at + len(city))
        await label.press("2")
        # Half of an emoji of several parts becomes all of it.
        await label.drag(2, 4)
        await label.press("2")
        assert await label.marks() == [["👩🏽‍🔬", "Place"], ["בנימין", "Person"], [city, "Place"]]
        await label.saved()
        await page.picture(tmp_path / "hebrew.png")
        assert await violations(page) == []
        with service.client(headers={"Ocp-Apim-Subscription-Key": KEY}) as client:
            kept = client.get(f"{BASE}/hebrew/document", params={**VERSION, "location": "one.txt"}).json()
        units = hebrew.encode("utf-16-le")
        surfaces = [
            units[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
            for one in kept["labels"]
        ]
        assert surfaces == ["👩🏽‍🔬", "בנימין", city]

    drive(steps)
    assert service.stop() == 0


def utf16(text: str, index: int) -> int:
    return len(text[:index].encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("text", "name", "language", "records"),
    [
        ("Anna met Bert in Oslo. " * 5_434 + "Zoe sang.", "Zoe", "en", 125),
        ("👩🏽‍🔬 דנה פגשה את בני. " * 5_680 + "אילן שר.", "אילן", "he", 108),
    ],
    ids=["english", "hebrew and emoji"],
)
def test_a_text_as_long_as_a_job_takes_is_labelled_at_its_end(
    site: Site, drive: Drive, text: str, name: str, language: str, records: int
) -> None:
    service = serve_authoring(site)
    assert 124_900 < len(text) < 125_000
    at = utf16(text, text.index(name))

    async def steps(page: Page) -> None:
        label = await begin(
            page, service.url, "long", texts={"long": text}, categories=("Person",), language=language
        )
        await label.shows("cost", f"takes {records} text records")
        await label.drag(at, at + len(name))
        await label.press("1")
        assert await label.marks() == [[name, "Person"]]
        assert await label.labels() == [{"category": "Person", "offset": at, "length": len(name)}]
        await label.saved()

    drive(steps)
    assert service.stop() == 0


def test_who_changes_a_text_after_somebody_else_is_told_and_overwrites_nothing(
    site: Site, drive: Drive
) -> None:
    service = serve_authoring(site)
    bert = {"category": "Person", "offset": 9, "length": 4}

    async def steps(page: Page) -> None:
        label = await begin(
            page, service.url, "both", texts={"one": "Anna met Bert."}, categories=("Person",)
        )
        params = {**VERSION, "location": "one.txt"}
        with service.client(headers={"Ocp-Apim-Subscription-Key": KEY}) as client:
            client.put(f"{BASE}/both/document", params=params, json={"labels": [bert]}).raise_for_status()
            await label.drag(0, 4)
            await label.press("1")
            await label.shows("saved", "Somebody else changed these labels")
            assert client.get(f"{BASE}/both/document", params=params).json()["labels"] == [bert]
        await page.run("document.querySelector('#saved button').click()")
        await page.until("document.querySelector('#text mark')?.textContent === 'Bert'")

    drive(steps)
    assert service.stop() == 0
