"""The label page as a browser under a strict Content-Security-Policy would take it."""

import re
from pathlib import Path

import pytest

import appliance.api
from appliance.api.authoring.label_page import routes
from tests.support.parsed_page import ParsedPage

FOLDER = Path(appliance.api.__file__).parent / "static" / "label"
COMMON = ("style.css", "icon.svg", "dom.js")
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.js"))
ELSEWHERE = re.compile(r"""(?:https?:)?//[\w.-]+\.\w|@import|\burl\((?!["']?data:)""")
BUDGET = 150_000


@pytest.fixture(scope="module")
def page() -> ParsedPage:
    parsed = ParsedPage()
    parsed.feed((FOLDER / "label.html").read_text())
    return parsed


def test_page_and_files_are_served_by_exact_name() -> None:
    paths = {route.path for route in routes()}
    assert {"/label", "/label/", "/static/label/main.js", "/static/label/label.css"} <= paths
    assert "/static/label/label.html" not in paths


def test_the_page_with_all_it_loads_keeps_its_budget() -> None:
    own = sum(path.stat().st_size for path in FOLDER.iterdir())
    common = sum((FOLDER.parent / name).stat().st_size for name in COMMON)
    assert own + common < BUDGET


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(page: ParsedPage) -> None:
    assert page.inline == []
    attributes = [name for _, found in page.elements for name in found]
    assert [name for name in attributes if name == "style" or name.startswith("on")] == []
    sources = [found["src"] for _, found in page.elements if found.get("src")]
    sources += [found["href"] for tag, found in page.elements if tag == "link"]
    for source in sources:
        assert source is not None
        assert (FOLDER.parent / source.removeprefix("/static/")).is_file()
    for path in FOLDER.iterdir():
        assert ELSEWHERE.findall(path.read_text()) == [], path.name


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_from_outside_can_become_markup(name: str) -> None:
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
    assert re.findall(dangerous, (FOLDER / name).read_text()) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_name_elements_and_modules_that_exist(page: ParsedPage, name: str) -> None:
    script = (FOLDER / name).read_text()
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) - set(ids) == set()
    for module in re.findall(r'from "(\.{1,2}/[\w.]+)"', script):
        assert (FOLDER / module).is_file()


def test_every_field_is_told_to_who_does_not_see_it(page: ParsedPage) -> None:
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    pointers = {
        word
        for _, found in page.elements
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls")
        for word in (found.get(name) or "").split()
    }
    assert pointers - set(ids) == set()
    labelled = {found.get("for") for tag, found in page.elements if tag == "label"}
    for tag, found in page.elements:
        if tag in {"input", "select", "textarea"}:
            assert found["id"] in labelled, found["id"]
        if tag == "progress":
            assert found.get("aria-labelledby")


def test_without_javascript_there_is_a_sentence_that_says_what_else_does_it() -> None:
    html = (FOLDER / "label.html").read_text()
    found = re.search(r"<noscript>(.*?)</noscript>", html, re.DOTALL)
    assert found
    assert "appliance train" in found[1]
