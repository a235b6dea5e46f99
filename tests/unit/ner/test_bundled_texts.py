"""The shipped models on text as people type it: signs that touch a name, lines and columns of names."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.ner.text_request import TextRequest
from tests.support.paths import ENGLISH

Find = Callable[[str], list[tuple[str, str]]]


def finder(path: Path) -> Iterator[Find]:
    engine = NerEngine.load(ModelFolder.open(path), sessions=1, batch_tokens=1024)

    def found(text: str) -> list[tuple[str, str]]:
        (entities,) = asyncio.run(engine.recognize([TextRequest(text)]))
        return [(text[entity.start : entity.end], entity.category) for entity in entities]

    yield found
    engine.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Find]:
    yield from finder(ENGLISH)


@pytest.fixture(scope="module", params=[ENGLISH, ENGLISH.with_name("encoder-en")], ids=["served", "wide"])
def find(request: pytest.FixtureRequest) -> Iterator[Find]:
    yield from finder(request.param)


MERKEL = ("Angela Merkel", "Person")
BERLIN = ("Berlin", "Location")
OSLO = ("Oslo", "Location")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("❤️Angela Merkel❤️ love from Berlin🇩🇪", [MERKEL, BERLIN]),
        ("│Angela Merkel│Oslo│", [MERKEL, OSLO]),
        ("═══Angela Merkel═══Berlin═══", [MERKEL, BERLIN]),
        (
            "Oslo→Berlin, Angela Merkel→Reuters",
            [OSLO, BERLIN, MERKEL, ("Reuters", "Organization")],
        ),
        (
            "Reuters™ and Microsoft® met in Paris◆",
            [("Reuters", "Organization"), ("Microsoft", "Organization"), ("Paris", "Location")],
        ),
        ("\U0001f389Congratulations Angela Merkel\U0001f389 from all in Berlin\U0001f973", [MERKEL, BERLIN]),
        ("☎️Call Peter Smith☎️ in Berlin", [("Peter Smith", "Person"), BERLIN]),
        ("Greetings from London\U0001f1ec\U0001f1e7!", [("London", "Location")]),
        ("Peter O´Brien met Angela Merkel.", [("Peter O´Brien", "Person"), MERKEL]),  # noqa: RUF001
        ("€Angela Merkel€ Berlin£", [MERKEL, BERLIN]),
    ],
)
def test_a_symbol_that_touches_a_name_does_not_hide_it(
    find: Find, text: str, names: list[tuple[str, str]]
) -> None:
    assert find(text) == names


JANE = ("Jane Doe", "Person")
SIEMENS = ("Siemens AG", "Organization")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Jane Doe\r\nAcme Inc", [JANE, ("Acme Inc", "Organization")]),
        (
            "Kind regards,\r\nJane Doe\r\nSenior Engineer\r\nMicrosoft Ireland\r\nDublin",
            [JANE, ("Microsoft Ireland", "Organization"), ("Dublin", "Location")],
        ),
        ("Jane Doe\tSiemens AG\tBerlin", [JANE, SIEMENS, BERLIN]),
        ("Jane Doe,Siemens AG,Berlin", [JANE, SIEMENS, BERLIN]),
        ("Jane Doe | Siemens AG | Berlin", [JANE, SIEMENS, BERLIN]),
        ("Siemens\nMicrosoft\nGoogle", [(n, "Organization") for n in ("Siemens", "Microsoft", "Google")]),
        ("Peter Smith\nLondon", [("Peter Smith", "Person"), ("London", "Location")]),
        ("Oslo & Rome", [OSLO, ("Rome", "Location")]),
    ],
)
def test_a_name_ends_with_its_line_or_column(served: Find, text: str, names: list[tuple[str, str]]) -> None:
    assert served(text) == names


def test_a_name_goes_on_where_prose_is_wrapped(served: Find) -> None:
    text = "The minutes say who took part: among others Angela\r\nMerkel, who had come from Berlin."
    assert served(text) == [("Angela\r\nMerkel", "Person"), BERLIN]
