import random

from hypothesis import given
from hypothesis import strategies as st

from recipes.ner.augment import PACKED_CHARACTERS, SYMBOLS, Names, decorated, packed, recased, written
from recipes.ner.corpora import OTHER, TYPES, Sentence, Span

ITEMS = [
    Sentence(
        source="a",
        text="Ann saw Emma in Rome .",
        spans=(Span(0, 3, "Person"), Span(8, 12, OTHER), Span(16, 20, "Location")),
    ),
    Sentence(
        source="a",
        text="in Ulan Bator with Bartholomew",
        spans=(Span(3, 13, "Location"), Span(19, 30, "Person")),
    ),
    Sentence(source="b", text="nothing here", spans=()),
]


def seeded(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311


@given(st.integers(0, 999))
def test_swapped_names_stand_where_their_spans_say(seed: int) -> None:
    names = Names(ITEMS)
    known = {(span.kind, item.text[span.start : span.end]) for item in ITEMS for span in item.spans}
    for item in ITEMS:
        changed = names.swapped(item, seeded(seed), each=1.0)
        assert [span.kind for span in changed.spans] == [span.kind for span in item.spans]
        assert {(span.kind, changed.text[span.start : span.end]) for span in changed.spans} <= known


def test_names_of_other_kinds_are_never_swapped() -> None:
    changed = Names(ITEMS).swapped(ITEMS[0], seeded(1), each=1.0)
    assert " saw Emma in " in changed.text


def test_recasing_keeps_a_text_whose_length_would_change() -> None:
    item = Sentence(source="a", text="Straße", spans=(Span(0, 6, "Location"),))
    assert recased(item, upper=True) == item
    assert recased(item, upper=False).text == "straße"


@given(st.integers(0, 999), st.sampled_from([0.0, 0.4, 1.0]))
def test_packing_keeps_every_sentence_once_and_joins_one_source_only(seed: int, share: float) -> None:
    items = [*ITEMS[:2] * 20, *[ITEMS[2]] * 20]
    windows = list(packed(items, seeded(seed), share))
    assert " ".join(window.text for window in windows) == " ".join(item.text for item in items)
    for window in windows:
        assert len(window.text) <= PACKED_CHARACTERS
        assert ("nothing" in window.text) == (window.source == "b")
        for span in window.spans:
            assert window.text[span.start : span.end] in {"Ann", "Emma", "Rome", "Ulan Bator", "Bartholomew"}


def named(item: Sentence) -> list[tuple[str, str]]:
    return [(item.text[span.start : span.end], span.kind) for span in item.spans]


def test_tokens_are_joined_as_they_are_written_and_names_keep_their_places() -> None:
    text = 'Ann ( of St . Ives ) said , "it \'s $ 5 !"'
    item = Sentence(source="a", text=text, spans=(Span(0, 3, "Person"), Span(9, 18, "Location")))
    joined = written(item)
    assert joined.text == 'Ann (of St. Ives) said, "it\'s $5!"'
    assert named(joined) == [("Ann", "Person"), ("St. Ives", "Location")]


@given(st.integers(0, 999))
def test_a_symbol_touches_each_served_name_and_is_no_part_of_it(seed: int) -> None:
    touching = Sentence(source="a", text="李白杭州", spans=(Span(0, 2, "Person"), Span(2, 4, "Location")))
    for item in (*ITEMS, touching):
        changed = decorated(item, seeded(seed))
        assert named(changed) == named(item)
        for span in changed.gold:
            around = (
                changed.text[: span.start].endswith(SYMBOLS),
                changed.text[span.end :].startswith(SYMBOLS),
            )
            assert any(around)


@given(st.integers(0, 999))
def test_a_list_holds_names_alone_and_what_stands_between_them(seed: int) -> None:
    listed = Names(ITEMS).listed("a", seeded(seed))
    known = {(item.text[s.start : s.end], s.kind) for item in ITEMS for s in item.gold} & {
        (name, kind) for name, kind in named(listed)
    }
    assert set(named(listed)) == known
    assert 2 <= len(listed.spans) <= 6
    assert {kind for _, kind in named(listed)} <= set(TYPES)
