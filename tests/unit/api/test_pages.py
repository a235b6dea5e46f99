"""The home page as a browser under a strict Content-Security-Policy would take it."""

import re
from pathlib import Path

import pytest

import appliance.api
from tests.support.parsed_page import ParsedPage

STATIC = Path(appliance.api.__file__).parent / "static"
ELSEWHERE = re.compile(r"""(?:https?:)?//[\w.-]+\.\w|@import|\burl\((?!["']?data:)""")


SCRIPTS = {"index.html": "app.js", "speech.html": "speech.js", "admin.html": "admin.js"}


@pytest.fixture(scope="module", params=SCRIPTS)
def page(request: pytest.FixtureRequest) -> ParsedPage:
    parser = ParsedPage()
    parser.name = request.param
    parser.feed((STATIC / request.param).read_text())
    return parser


def test_no_script_or_style_is_inline(page: ParsedPage) -> None:
    assert page.inline == []
    attributes = [name for _, found in page.elements for name in found]
    assert [name for name in attributes if name == "style" or name.startswith("on")] == []


def test_everything_it_loads_is_a_file_beside_it(page: ParsedPage) -> None:
    sources = [found["src"] for _, found in page.elements if found.get("src")]
    sources += [found["href"] for tag, found in page.elements if tag == "link" and found.get("href")]
    assert sources
    for source in sources:
        assert source is not None
        assert source.startswith("/static/")
        assert (STATIC / source.removeprefix("/static/")).is_file()


@pytest.mark.parametrize(
    "name", sorted(path.name for path in STATIC.glob("*.*") if path.suffix in (".html", ".css", ".js"))
)
def test_no_address_outside_this_server_is_named(name: str) -> None:
    assert ELSEWHERE.findall((STATIC / name).read_text()) == []


def test_names_point_at_elements_that_exist_once(page: ParsedPage) -> None:
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    pointers = {
        word
        for _, found in page.elements
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls")
        for word in (found.get(name) or "").split()
    }
    wanted = re.findall(r'\$\("([\w-]+)"\)', (STATIC / SCRIPTS[page.name]).read_text())
    assert (pointers | set(wanted)) - set(ids) == set()


def test_a_person_without_sight_is_told_what_everything_is(page: ParsedPage) -> None:
    by_tag = dict(page.elements)
    assert by_tag["html"]["lang"] == "en"
    assert {"main", "header", "footer", "h1"} <= set(by_tag)
    labels = {found.get("for") for tag, found in page.elements if tag == "label"}
    for tag, found in page.elements:
        if tag in ("textarea", "input"):
            assert found["id"] in labels
        if tag == "img":
            assert "alt" in found
        if tag == "svg":
            assert found.get("aria-labelledby") or found.get("aria-label") or found.get("aria-hidden")


@pytest.mark.parametrize("name", SCRIPTS.values())
def test_nothing_from_outside_can_become_markup(name: str) -> None:
    script = (STATIC / name).read_text()
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)
        == []
    )
