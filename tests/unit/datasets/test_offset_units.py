"""What offsets count: found by the labels' own text, or asked for where many labels cut words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.datasets.label_errors import DatasetError
from appliance.datasets.offset_units import (
    CANDIDATES,
    CODE_POINTS,
    UTF16,
    OffsetUnit,
    Spot,
    choose,
    places,
    span,
)

TEXT = "👩🏽‍🔬 Zoë says:\r\nmet Anna Lee.\r\nAnd Bob Roe, and e\u0301ve Poe; Cy Fox.\r\n"
NAMES = ("Zoë", "Anna Lee", "Bob Roe", "e\u0301ve Poe", "Cy Fox")


def spots(unit: OffsetUnit, *, said: bool, text: str = TEXT) -> list[Spot]:
    """Places of the names as a tool that counts in a unit writes them."""
    steps = places(text, unit) or list(range(len(text) + 1))
    found = []
    for name in NAMES:
        start = text.index(name)
        end = steps.index(start + len(name)) - unit.inclusive
        found.append(Spot(steps.index(start), end, name if said else None))
    return found


@pytest.mark.parametrize("unit", CANDIDATES, ids=str)
@pytest.mark.parametrize("said", [True, False])
def test_a_unit_is_found_or_asked_for(unit: OffsetUnit, said: bool) -> None:
    texts = [(TEXT, spots(unit, said=said))]
    if unit == CODE_POINTS:
        assert choose(texts, CODE_POINTS, "x").unit == CODE_POINTS
        return
    if said:
        choice = choose(texts, CODE_POINTS, "x")
        assert choice.unit == unit
        assert f"offsets count {unit}" in choice.note
        return
    with pytest.raises(DatasetError, match="if offsets count code-points, 0 if they count ") as asked:
        choose(texts, CODE_POINTS, "x")
    assert f"--offset-unit {unit}" in (asked.value.hint or "")


def test_a_few_labels_that_cut_words_raise_no_question() -> None:
    text = "Nokiahandy and Bosch and Siemens and Porsche and Audi"
    labels = [
        Spot(0, 5),
        *(Spot(text.index(one), text.index(one) + len(one)) for one in ("Bosch", "Siemens", "Audi")),
    ]
    assert choose([(text, labels)], CODE_POINTS, "x").unit == CODE_POINTS


def test_words_without_spaces_between_them_are_not_cut() -> None:
    text = "東京都に行きました"
    assert choose([(text, [Spot(0, 2), Spot(2, 3), Spot(3, 5)])], CODE_POINTS, "x").unit == CODE_POINTS


def test_where_no_unit_agrees_the_usual_one_stays() -> None:
    assert choose([("abc def", [Spot(0, 3, "xyz"), Spot(4, 7, "uvw")])], UTF16, "x").unit == UTF16


@pytest.mark.parametrize("unit", CANDIDATES, ids=str)
def test_a_unit_is_read_as_it_is_written(unit: OffsetUnit) -> None:
    assert OffsetUnit.parse(str(unit)) == unit


@pytest.mark.parametrize("text", ["", "words", "utf16+", "utf16+crlf", "UTF16"])
def test_another_word_names_no_unit(text: str) -> None:
    with pytest.raises(DatasetError, match="no unit of offsets") as refused:
        OffsetUnit.parse(text)
    assert "code-points, utf16, bytes, graphemes" in (refused.value.hint or "")


@given(st.text(st.characters(codec="utf-8")), st.data())
def test_steps_lead_to_their_code_points(text: str, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(CANDIDATES))
    steps = places(text, unit)
    if steps is None:
        return
    assert steps[-1] == len(text)
    assert [one for one in steps if one >= 0] == sorted({one for one in steps if one >= 0})
    if unit.counted == "bytes" and not unit.crlf_as_one:
        assert len(steps) == len(text.encode()) + 1
    start = data.draw(st.integers(-3, len(steps) + 3))
    end = data.draw(st.integers(-3, len(steps) + 3))
    found = span(Spot(start, end), steps, len(text), unit)
    assert found is None or 0 <= found[0] < found[1] <= len(text)
