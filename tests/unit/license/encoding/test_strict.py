import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from license.encoding.strict import (
    MAX_INT,
    MAX_TIME,
    MIN_INT,
    clean_text,
    decode_base64,
    encode_base64,
    format_date,
    format_time,
    parse_date,
    parse_json,
    parse_time,
)
from license.errors import Malformed

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(MIN_INT, MAX_INT)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=20,
)


def test_byte_order_mark_and_carriage_returns_are_dropped() -> None:
    assert clean_text(b"\xef\xbb\xbfa\r\nb\r\n") == "a\nb\n"


def test_only_one_byte_order_mark_is_dropped() -> None:
    assert clean_text("\ufeff\ufeffa".encode()) == "\ufeffa"


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"a\x00", b"a\tb", b"\x1b[31m", b"\x0b", b"\xed\xa0\x80", "a".encode("utf-16"), b"\xc0\x80"],
)
def test_text_that_is_not_clean_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        clean_text(data)


def test_text_is_limited_in_bytes_before_it_is_decoded() -> None:
    assert clean_text(b"a" * 10, max_bytes=10)
    with pytest.raises(Malformed, match="larger than 10"):
        clean_text(b"a" * 11, max_bytes=10)


@settings(max_examples=50)  # generating the values is what takes the time
@given(st.dictionaries(st.text("abc"), values))
def test_json_of_strings_integers_and_containers_survives(value: dict[str, object]) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1,"a":1}', "twice"),
        ('{"a":{"b":1,"\\u0062":2}}', "twice"),
        ('{"a":1.0}', "not an integer"),
        ('{"a":1e3}', "not an integer"),
        ('{"a":NaN}', "not an integer"),
        ('{"a":-Infinity}', "not an integer"),
        ('{"a":9223372036854775808}', "64 bits"),
        ('{"a":-9223372036854775809}', "64 bits"),
        ('{"a":' + "9" * 60_000 + "}", "64 bits"),
        ("[1]", "not an object"),
        ('"a"', "not an object"),
        ("null", "not an object"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{} {}", "not JSON"),
        ('{"a":01}', "not JSON"),
        ('{"a":+1}', "not JSON"),
        ('{"a":"\n"}', "not JSON"),
        ('{"a":\u0661}', "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('{"a":"\\ud800"}', "surrogate"),
        ('{"\\udc00":[1]}', "surrogate"),
        ('{"a":["\\ud800"]}', "surrogate"),
        ('{"a":"\ud800"}', "surrogate"),
        ('{"a":"\\u0000"}', "NUL"),
        ('{"a":' + "[" * 33 + "]" * 33 + "}", "deeper"),
        ("[" * 60_000, "deeper"),
        ('{"a":' * 10_000, "deeper"),
        ('{"a":"' + "x" * 65_536 + '"}', "larger"),
        ('{"a":"' + "é" * 32_768 + '"}', "larger"),
    ],
)
def test_json_that_two_readers_could_see_differently_is_refused(text: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse_json(text)


def test_brackets_inside_strings_are_not_nesting() -> None:
    assert parse_json('{"a":"' + "[{" * 100 + '","b":"\\"[[["}')["a"] == "[{" * 100


def test_depth_of_exactly_the_limit_is_read() -> None:
    assert parse_json('{"a":' + "[" * 31 + "]" * 31 + "}")


@given(st.text(max_size=200))
def test_any_text_is_an_object_or_malformed(text: str) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(parse_json(text), dict)


@given(st.binary(max_size=100))
def test_base64_survives(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@pytest.mark.parametrize(
    "text", ["AB==", "AA=", "AA", "AA==\n", " AA==", "A A==", "AA==AA==", "_-8=", "ÄÄ==", "A", "="]
)
def test_a_second_spelling_of_base64_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode_base64(text)


@given(st.integers(0, MAX_TIME))
def test_times_survive(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "1969-12-31T23:59:59Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00.0Z",
        "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "\uff12026-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "",
    ],
)
def test_a_time_has_one_spelling(text: str) -> None:
    with pytest.raises(Malformed):
        parse_time(text)


@pytest.mark.parametrize("seconds", [-1, MAX_TIME + 1, MAX_INT])
def test_a_second_without_text_form_is_refused(seconds: int) -> None:
    with pytest.raises(Malformed):
        format_time(seconds)


def test_a_date_is_the_first_second_of_its_day() -> None:
    assert parse_date("2026-01-01") == parse_time("2026-01-01T00:00:00Z") == 1_767_225_600
    assert format_date(1_767_225_600 + 86_399) == "2026-01-01"
