import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.ner.decoding import Decoder, borders, category_of, infer_scheme, trim
from appliance.ner.session import Logits
from appliance.ner.text_request import TextRequest

BIO = ("O", "B-Person", "I-Person", "B-Place", "I-Place")
BILOU = ("O", "B-P", "I-P", "L-P", "U-P")
BIOES = ("O", "B-P", "I-P", "E-P", "S-P")


def valid(tags: tuple[str, ...], scheme: str) -> bool:
    """The schemes' rules once more, written as a reader of their definition would."""
    before = "O"
    for tag in (*tags, "O"):
        inside = before[0] in "BI" and before[2:] == tag[2:]
        if tag[0] in "ILE" and not inside:
            return False
        if scheme == "BILOU" and before[0] in "BI" and tag[0] not in "ILE":
            return False
        before = tag
    return True


def scores(count: int, labels: int, seed: int, spread: float) -> Logits:
    numbers = np.random.default_rng(seed).normal(0, spread, (count, labels))
    return numbers.astype(np.float32)


@pytest.mark.parametrize(("labels", "scheme"), [(BIO, "BIO"), (BILOU, "BILOU"), (BIOES, "BILOU")])
@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 5))
def test_the_labelling_is_the_best_of_all_that_obey_the_scheme(
    labels: tuple[str, ...], scheme: str, seed: int, count: int
) -> None:
    logits = scores(count, len(labels), seed, 1.0)
    best = max(
        (
            path
            for path in itertools.product(range(len(labels)), repeat=count)
            if valid(tuple(labels[number] for number in path), scheme)
        ),
        key=lambda path: sum(float(logits[word, label]) for word, label in enumerate(path)),
    )
    assert tuple(Decoder(labels, scheme).best_labels(logits)) == best


@pytest.mark.parametrize(("labels", "scheme"), [(BIO, "BIO"), (BILOU, "BILOU")])
@given(seed=st.integers(0, 10_000), count=st.integers(1, 200), lean=st.floats(0, 4))
def test_searching_around_broken_rules_finds_what_a_search_of_the_whole_text_finds(
    labels: tuple[str, ...], scheme: str, seed: int, count: int, lean: float
) -> None:
    logits = scores(count, len(labels), seed, 1.0)
    logits[:, 0] += lean
    decoder = Decoder(labels, scheme)
    found, whole = decoder.best_labels(logits), decoder._search(logits, opens=True, closes=True)
    words = np.arange(count)
    assert valid(tuple(labels[number] for number in found), scheme)
    assert float(logits[words, found].sum()) == pytest.approx(float(logits[words, whole].sum()), abs=1e-3)


def test_a_hundred_thousand_hopeless_words_are_decoded_in_bounded_time() -> None:
    found = Decoder(BILOU, "BILOU").best_labels(scores(20_000, 5, 1, 1.0))
    assert valid(tuple(BILOU[number] for number in found), "BILOU")


def certain(labels: tuple[str, ...], tags: list[str], weight: float = 20.0) -> Logits:
    logits = np.zeros((len(tags), len(labels)), dtype=np.float32)
    for word, tag in enumerate(tags):
        logits[word, labels.index(tag)] = weight
    return logits


def found(
    text: str, tags: list[str], labels: tuple[str, ...] = BIO, scheme: str = "BIO"
) -> list[tuple[str, str]]:
    words = text.split(" ")
    ends = list(itertools.accumulate(len(word) + 1 for word in words))
    starts = [0, *ends[:-1]]
    ends = [end - 1 for end in ends]
    entities = Decoder(labels, scheme).entities(TextRequest(text), starts, ends, certain(labels, tags))
    assert all(0 < entity.score <= 1 for entity in entities)
    return [(text[entity.start : entity.end], entity.category) for entity in entities]


def test_words_of_one_entity_become_one_span() -> None:
    text = "Ada Lovelace met Mary Somerville in London"
    tags = ["B-Person", "I-Person", "O", "B-Person", "I-Person", "O", "B-Place"]
    assert found(text, tags) == [
        ("Ada Lovelace", "Person"),
        ("Mary Somerville", "Person"),
        ("London", "Place"),
    ]


def test_touching_entities_stay_apart() -> None:
    assert found("Ada Mary", ["B-Person", "B-Person"]) == [("Ada", "Person"), ("Mary", "Person")]


def test_bilou_and_its_twin_mark_the_same_entities() -> None:
    text = "Ada King Lovelace met Mary"
    expected = [("Ada King Lovelace", "P"), ("Mary", "P")]
    assert found(text, ["B-P", "I-P", "L-P", "O", "U-P"], BILOU, "BILOU") == expected
    assert found(text, ["B-P", "I-P", "E-P", "O", "S-P"], BIOES, "BILOU") == expected


def test_labels_without_prefixes_join_while_they_are_equal() -> None:
    labels = ("O", "Person", "B-side")
    tags = ["Person", "Person", "B-side", "O"]
    assert found("Ada Lovelace x y", tags, labels, "IO") == [("Ada Lovelace", "Person"), ("x", "B-side")]


def test_iob1_entities_may_open_with_an_inside_label() -> None:
    labels = ("O", "I-Person", "B-Person")
    tags = ["I-Person", "I-Person", "B-Person"]
    assert found("Ada Lovelace Mary", tags, labels, "IOB1") == [
        ("Ada Lovelace", "Person"),
        ("Mary", "Person"),
    ]


def test_a_category_without_an_opening_label_opens_with_its_inside_label() -> None:
    assert found("Ada King", ["I-P", "I-P"], ("O", "I-P", "B-Q")) == [("Ada King", "P")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("from Acme Inc.\nOslo is", ["from Acme Inc.", "Oslo is"]),
        ('a "Great Day."\r\nOslo', ['a "Great Day."', "Oslo"]),
        ("gone!  \x85Oslo", ["gone!", "Oslo"]),
        ("one\n \t\ntwo", ["one", "two"]),
        ("one\r\n\r\ntwo", ["one", "two"]),
        ("one\u2029two", ["one", "two"]),
        ("Doe,Jane;Oslo, Rome", ["Doe", ",", "Jane", ";", "Oslo, Rome"]),
        ("\u4ed6\u6765\u4e86\u3002\nOslo", ["\u4ed6\u6765\u4e86\u3002", "Oslo"]),
        ("one\r\ntwo\rthree\nfour", ["one\r\ntwo\rthree\nfour"]),
        ("J.\nSmith of the U.S.\nArmy, St.\nPetersburg", ["J.\nSmith of the U.S.\nArmy, St.\nPetersburg"]),
        ("3,000 and 1;2", ["3,000 and 1;2"]),
        ("", [""]),
    ],
)
def test_borders_stand_between_sentences_of_lines_paragraphs_and_columns(text: str, parts: list[str]) -> None:
    places = [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]
    cuts = borders(text, [start for start, _ in places])
    spans = itertools.pairwise((0, *cuts, len(places)))
    found = [text[places[first][0] : places[end - 1][1]] for first, end in spans if end]
    assert found == [part for part in parts if part]


def test_no_entity_goes_on_over_a_border_if_the_model_has_borders() -> None:
    text, tags = "Acme Inc.\nOslo", ["B-Person", "I-Person", "I-Person"]
    for labels, scheme, marks in ((BIO, "BIO", tags), (("O", "Person"), "IO", ["Person"] * 3)):
        logits = certain(labels, marks)
        logits[2, 1] += 10
        for own, ends in ((False, [14]), (True, [9, 14])):
            decoder = Decoder(labels, scheme, borders=own)
            entities = decoder.entities(TextRequest(text), [0, 5, 10], [4, 9, 14], logits)
            assert [entity.end for entity in entities] == ends


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 11), max_size=4))
def test_between_borders_each_part_is_labelled_as_a_text_of_its_own(seed: int, cuts: set[int]) -> None:
    logits, decoder = scores(12, len(BILOU), seed, 1.0), Decoder(BILOU, "BILOU")
    parts = itertools.pairwise((0, *sorted(cuts), 12))
    apart = [label for first, end in parts for label in decoder.best_labels(logits[first:end])]
    assert decoder.best_labels(logits, sorted(cuts)) == apart


def test_confidence_is_the_mean_probability_of_the_words_labels() -> None:
    logits = np.log(np.array([[0.1, 0.9, 0.0], [0.3, 0.0, 0.7]], dtype=np.float32) + 1e-12)
    (entity,) = Decoder(("O", "B-P", "I-P"), "BIO").entities(
        TextRequest("ab"), [0, 1], [1, 2], logits.astype(np.float32)
    )
    assert entity.score == pytest.approx(0.8)


def test_scores_that_are_no_numbers_are_refused() -> None:
    logits = np.full((1, len(BIO)), np.nan, dtype=np.float32)
    logits[0, 0] = 0
    with pytest.raises(ValueError, match="not numbers"):
        Decoder(BIO, "BIO").entities(TextRequest("a"), [0], [1], logits)


@pytest.mark.parametrize(
    ("surface", "kept"),
    [
        ("Acme Corp,", "Acme Corp"),
        (" Acme ", "Acme"),
        ("Acme (UK)", "Acme (UK)"),
        ("Acme)", "Acme"),
        ("(Acme", "Acme"),
        ("“Acme”", "“Acme”"),
        ("“Acme", "Acme"),
        ('Acme"', "Acme"),
        ("U.S.", "U.S."),
        ("Yahoo!", "Yahoo!"),
        ("O\u2019Brien\u2019s", "O\u2019Brien\u2019s"),
        ("Paris\U0001f600", "Paris"),
        ("\u2764\ufe0f\U0001f44d\U0001f3fb Paris", "Paris"),
        ("\U0001f468\u200d\U0001f469", ""),
        ("Cafe\u0301", "Cafe\u0301"),
        (",;:", ""),
        ("", ""),
    ],
)
def test_loose_punctuation_is_no_part_of_a_name(surface: str, kept: str) -> None:
    start, end = trim(f"<{surface}>", 1, 1 + len(surface))
    assert f"<{surface}>"[start:end] == kept


@given(st.text(alphabet=' ,;:()[]{}"“”«»ab', max_size=12))
def test_trimming_stays_within_and_settles(surface: str) -> None:
    start, end = trim(surface, 0, len(surface))
    assert 0 <= start <= end <= len(surface)
    assert trim(surface, start, end) == (start, end)


def test_the_scheme_shows_in_the_prefixes() -> None:
    assert infer_scheme(BIO) == "BIO"
    assert infer_scheme(BILOU) == infer_scheme(BIOES) == "BILOU"
    assert infer_scheme(("O", "Person")) == "IO"
    assert infer_scheme(("O", "E-MAIL", "U-RL")) == infer_scheme(("O", "B-CELL", "T-CELL")) == "IO"
    assert infer_scheme(("O", "B-E-MAIL", "I-E-MAIL", "E-MAIL")) == "BIO"
    assert infer_scheme(("O", "I-PER", "I-LOC")) == infer_scheme(("[PAD]", "O", "B-PER", "I-PER")) == "BIO"
    assert [category_of(label, "IO") for label in ("E-MAIL", "[PAD]", "<pad>")] == ["E-MAIL", "", ""]
    assert category_of("E-MAIL", "BIO") == "E-MAIL"
    assert [category_of(label, "BIO") for label in ("O", "B-Place", "Place")] == ["", "Place", "Place"]


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        Decoder(BIO, "XYZ")
