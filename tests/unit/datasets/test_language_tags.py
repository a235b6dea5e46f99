import pytest

from appliance.datasets.language_tags import canonical, covers, is_tag


@pytest.mark.parametrize(
    ("languages", "asked"),
    [
        (["en"], "en"),
        (["en"], "EN-gb"),
        (["en-US"], "en_GB"),
        (["zh"], "zh-Hans"),
        (["zh-Hans"], "zh"),
        (["zh-Hans"], "zh-chs"),
        (["zh-Hant"], "zh-Hant-TW"),
        (["pt-PT"], "pt-BR"),
        (["he"], "iw"),
        (["nb"], "no"),
        (["en", "de"], "de-AT"),
        (["multilingual"], "sw"),
        (["Multilingual"], "not a tag"),
        ([], "fr"),
        ([""], "fr"),
    ],
)
def test_a_language_is_covered_whatever_its_region_and_spelling(languages: list[str], asked: str) -> None:
    assert covers(languages, asked)


@pytest.mark.parametrize("asked", ["", " ", "auto", "AUTO", "und", "mul", "multilingual"])
def test_a_sender_who_names_no_language_is_told_nothing(asked: str) -> None:
    assert covers(["en"], asked)


@pytest.mark.parametrize(
    ("languages", "asked"),
    [
        (["en"], "fr"),
        (["en", "de"], "zh-Hans"),
        (["zh-Hans"], "zh-Hant"),
        (["en"], "enm"),
        (["en"], "not a tag"),
        (["sr-Latn"], "sr-Cyrl"),
    ],
)
def test_another_language_or_another_script_is_not_covered(languages: list[str], asked: str) -> None:
    assert not covers(languages, asked)


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh-Hans", "de-CH-1901", "sr-Latn-RS", "fil"])
def test_tags_have_the_form_of_bcp_47(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize("text", ["", "e", "en_US", "en-", "-en", "en us", "\u00e9n", "en-" + "a" * 40, "12"])
def test_other_texts_are_no_tags(text: str) -> None:
    assert not is_tag(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("EN", "en"),
        ("pt_br", "pt-BR"),
        ("ZH-HANS", "zh-Hans"),
        ("de-ch-1901", "de-CH-1901"),
        (" sr-latn ", "sr-Latn"),
    ],
)
def test_a_tag_has_one_spelling_however_it_is_written(written: str, expected: str) -> None:
    assert canonical(written) == expected


@pytest.mark.parametrize("text", ["", "not a tag", "12", "multilingual"])
def test_what_is_no_tag_is_left_alone(text: str) -> None:
    assert canonical(text) == text
