"""One string in several categories, or labelled here and not there, is found with its places."""

from appliance.datasets.check.contradictions import contradictions
from appliance.datasets.document import Label, LabelledDocument


def document(name: str, text: str, *labels: tuple[str, str]) -> LabelledDocument:
    found = []
    place = 0
    for words, category in labels:
        start = text.index(words, place)
        place = start + len(words)
        found.append(Label(start, place, category))
    return LabelledDocument(name=name, text=text, labels=tuple(found))


def test_a_string_of_two_categories_is_said_with_counts_and_places() -> None:
    (one,), missed = contradictions(
        [
            document("a", "Iraq and\nIraq", ("Iraq", "Place"), ("Iraq", "State")),
            document("b", "Iraq", ("Iraq", "Place")),
        ]
    )
    assert (one.text, one.ways, one.minority) == ("Iraq", {"Place": 2, "State": 1}, 1)
    assert one.places == {"Place": "a line 1", "State": "a line 2"}
    assert missed == []


def test_a_string_often_labelled_and_often_not_is_said() -> None:
    between, (one,) = contradictions(
        [
            document(
                "a", "New York, New York, New  York", *[("New York", "Place")] * 2, ("New  York", "Place")
            ),
            document("b", "to New York or Newark", *[]),
            document("c", "in New York", *[]),
        ]
    )
    assert between == []
    assert (one.text, one.ways) == ("New York", {"Place": 3, "": 2})
    assert one.places[""] == "b line 1"


def test_an_occurrence_inside_a_longer_label_is_not_a_missing_one() -> None:
    found = contradictions(
        [
            document("a", "York York York", *[("York", "Place")] * 3),
            document("b", "York City and York City", *[("York City", "Place")] * 2),
        ]
    )
    assert found == ([], [])


def test_a_string_at_the_very_end_of_a_text_is_looked_for_whole() -> None:
    documents = [
        document("a", "New York New York New York", *[("New York", "Place")] * 3),
        document("b", "a new and a New", *[]),
        document("c", "New York City York", *[("New York City", "Place"), ("York", "Name")]),
    ]
    assert contradictions(documents) == ([], [])


def test_labels_without_a_word_are_passed_over() -> None:
    assert contradictions([document("a", "🙂 ok", ("🙂", "Mood"))]) == ([], [])
