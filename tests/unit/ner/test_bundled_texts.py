"""The shipped models on text as people type it: signs that touch a name, lines and columns of names."""

import asyncio
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.models.locations import GENERAL
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.ner.text_request import TextRequest
from appliance.ner.tokenizer import tokenizer_of
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
def many() -> Iterator[Find]:
    yield from finder(GENERAL["multi"])


@pytest.fixture(scope="module", params=GENERAL.values(), ids=list(GENERAL))
def served(request: pytest.FixtureRequest) -> Iterator[Find]:
    yield from finder(request.param)


@pytest.fixture(
    scope="module", params=[*GENERAL.values(), ENGLISH.with_name("encoder-en")], ids=[*GENERAL, "wide"]
)
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
        ("Jane Doe\tSiemens AG\tBerlin", [JANE, SIEMENS, BERLIN]),
        ("Jane Doe,Siemens AG,Berlin", [JANE, SIEMENS, BERLIN]),
        ("Jane Doe | Siemens AG | Berlin", [JANE, SIEMENS, BERLIN]),
        ("Siemens\nMicrosoft\nGoogle", [(n, "Organization") for n in ("Siemens", "Microsoft", "Google")]),
        ("Peter Smith\nLondon", [("Peter Smith", "Person"), ("London", "Location")]),
        ("Oslo & Rome", [OSLO, ("Rome", "Location")]),
        ("Acme Inc.\nOslo is cold.", [("Acme Inc.", "Organization"), OSLO]),
        ("Angela Merkel\x85Oslo", [MERKEL, OSLO]),
        ("Angela Merkel\x1eOslo", [MERKEL, OSLO]),
        ("Angela Merkel\fOslo", [MERKEL, OSLO]),
        ("Angela Merkel\0Oslo", [MERKEL, OSLO]),
        ("Angela Merkel\u200bOslo", [MERKEL, OSLO]),
        ("Angela Merkel\u2028Oslo", [MERKEL, OSLO]),
    ],
)
def test_a_name_ends_with_its_line_or_column(served: Find, text: str, names: list[tuple[str, str]]) -> None:
    assert served(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("☎️Call Peter Smith☎️ in Berlin", [("Peter Smith", "Person"), BERLIN]),
        (
            "Kind regards,\r\nJane Doe\r\nSenior Engineer\r\nMicrosoft Ireland\r\nDublin",
            [JANE, ("Microsoft Ireland", "Organization"), ("Dublin", "Location")],
        ),
    ],
)
def test_a_word_beside_a_name_is_no_name_to_the_english_model(
    text: str, names: list[tuple[str, str]]
) -> None:
    """That of many languages takes "Call" into the name, and "Kind regards" for one: its card says so."""
    for find in finder(ENGLISH):
        assert find(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("He met J.\nSmith of the U.S.\nArmy.", ["J.\nSmith", "U.S.\nArmy"]),
        ("They came to St.\nPetersburg and stayed there.", ["St.\nPetersburg"]),
    ],
)
def test_a_line_that_ends_in_an_abbreviation_is_no_border(served: Find, text: str, names: list[str]) -> None:
    assert [name for name, _ in served(text)] == names


def test_a_name_goes_on_where_prose_is_wrapped(served: Find) -> None:
    text = "The minutes say who took part: among others Angela\r\nMerkel, who had come from Berlin."
    assert served(text) == [("Angela\r\nMerkel", "Person"), BERLIN]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada Lovelace lived in London.", [("Ada Lovelace", "Person"), ("London", "Location")]),
        (
            "10115 Berlin, Platz der Republik 1",
            [("10115 Berlin", "Location"), ("Platz der Republik 1", "Location")],
        ),
        ("1\ufe0f\u20e3Berlin", [BERLIN]),
        ("Jane Doe,Acme Inc,Oslo", [JANE, ("Acme Inc", "Organization"), OSLO]),
    ],
)
def test_the_model_of_many_languages_reads_what_a_stranger_tries_first(
    many: Find, text: str, names: list[tuple[str, str]]
) -> None:
    assert many(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "Angela Merkel traf in München Vertreter von Siemens und der Deutschen Bahn.",
            [
                MERKEL,
                ("München", "Location"),
                ("Siemens", "Organization"),
                ("Deutschen Bahn", "Organization"),
            ],
        ),
        (
            "Gabriel García Márquez nació en Aracataca.",
            [("Gabriel García Márquez", "Person"), ("Aracataca", "Location")],
        ),
        (
            "村上春樹は京都で生まれ、早稲田大学で学んだ。",
            [("村上春樹", "Person"), ("京都", "Location"), ("早稲田大学", "Organization")],
        ),
        ("鲁迅出生于绍兴。", [("鲁迅", "Person"), ("绍兴", "Location")]),
        ("وُلد نجيب محفوظ في القاهرة.", [("نجيب محفوظ", "Person"), ("القاهرة", "Location")]),
        ("सचिन तेंदुलकर का जन्म मुंबई में हुआ था।", [("सचिन तेंदुलकर", "Person"), ("मुंबई", "Location")]),
        (
            "Nguyễn Văn A làm việc tại Đại học Hà Nội.",
            [("Nguyễn Văn A", "Person"), ("Đại học Hà Nội", "Organization")],
        ),
    ],
    ids=["German", "Spanish", "Japanese", "Chinese", "Arabic", "Hindi", "Vietnamese"],
)
def test_names_are_found_in_languages_that_training_hardly_showed(
    many: Find, text: str, names: list[tuple[str, str]]
) -> None:
    assert many(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "문재인 대통령은 서울에서 기자들을 만났다.",
        "Chủ tịch Hồ Chí Minh sinh tại Nghệ An.",
        "村上春樹はバグダッドで生まれた。",
    ],
    ids=["Korean", "Vietnamese", "Japanese"],
)
def test_composed_and_decomposed_letters_are_read_alike(many: Find, text: str) -> None:
    composed = many(unicodedata.normalize("NFC", text))
    assert composed
    decomposed = many(unicodedata.normalize("NFD", text))
    assert [(unicodedata.normalize("NFC", name), category) for name, category in decomposed] == composed


@pytest.mark.parametrize("path", GENERAL.values(), ids=list(GENERAL))
@pytest.mark.parametrize(
    "endless",
    [
        "a" + "\ufe0f" * 50_000,
        "1" + "\u20e3" * 50_000,
        "\U0001f44d" + "\U0001f3fd" * 50_000,
        "\U0001f469" + "\u200d\U0001f469" * 25_000,
        "\u1100" * 50_000,
        "\u0915\u094d" * 25_000,
        "a" + "\u0301" * 50_000,
        "a" + "\U000e0100" * 50_000,
    ],
    ids=[
        "selectors",
        "keycaps",
        "skin tones",
        "joined emoji",
        "Korean",
        "Devanagari",
        "accents",
        "variations",
    ],
)
def test_one_text_element_is_few_tokens_however_long_it_is(path: Path, endless: str) -> None:
    text = f"Angela Merkel {endless} met Barack Obama"
    (document,) = tokenizer_of(ModelFolder.open(path)).cut([text])
    assert sum(len(window.ids) for window in document.windows) < 80
    words = [text[start:end] for start, end in zip(document.starts, document.ends, strict=True)]
    assert words[:2] == ["Angela", "Merkel"]
    assert words[-3:] == ["met", "Barack", "Obama"]
