"""Labels in a project's assets: what is labelled, what counts as labelled, what is refused."""

import pytest

from appliance.authoring.labelling import UNSEEN, Marks, checked, labelled_only, marked, marks_of
from appliance.datasets.label_errors import LabellingMistakes

LABEL = {"category": "Person", "offset": 3, "length": 4}
TEXT = "🙂 Anna met Bert."


def test_marks_go_into_a_document_and_come_out_as_they_were() -> None:
    entry = {"location": "a.txt", "language": "en", "dataset": "Test"}
    marks = Marks(labels=(LABEL,), seen=True)
    changed = marked(entry, marks, 17)
    assert changed["entities"] == [{"regionOffset": 0, "regionLength": 17, "labels": [LABEL]}]
    assert (changed["location"], changed["dataset"]) == ("a.txt", "Test")
    assert marks_of(changed) == marks
    assert marks_of(marked(changed, UNSEEN, 17)) == UNSEEN


def test_a_document_without_entities_may_be_labelled() -> None:
    empty = marked({"location": "a"}, Marks(labels=(), seen=True), 5)
    assert marks_of(empty).seen
    assert not marks_of({"location": "a"}).seen
    assert not marks_of({"location": "a", "entities": [], "labels": []}).seen


def test_labels_of_all_regions_and_of_older_files_count() -> None:
    entry = {"location": "a", "entities": [{"labels": [LABEL]}], "labels": [{**LABEL, "offset": 0}]}
    assert [one["offset"] for one in marks_of(entry).labels] == [0, 3]


def test_the_revision_changes_with_the_labels_alone() -> None:
    one = Marks(labels=(LABEL,), seen=True)
    assert one.revision == Marks(labels=({**LABEL},), seen=True).revision
    assert len({one.revision, UNSEEN.revision, Marks(labels=(), seen=True).revision}) == 3


def test_training_leaves_out_what_nobody_labelled() -> None:
    documents = [{"location": "a", "entities": [{"labels": []}]}, {"location": "b", "entities": []}]
    assets, left_out = labelled_only({"entities": [], "documents": documents})
    assert ([one["location"] for one in assets["documents"]], left_out) == (["a"], 1)


def test_offsets_of_labels_count_utf16_units() -> None:
    (found,) = checked("a", TEXT, [LABEL], ["Person"])
    assert TEXT[found.start : found.end] == "Anna"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([{**LABEL, "offset": 2}], "begins or ends with white space"),
        ([{**LABEL, "offset": 1}], "cuts a character in two"),
        ([{**LABEL, "length": 90}], "lies outside the text"),
        ([LABEL, {**LABEL, "offset": 5, "length": 6}], "overlaps"),
        ([{**LABEL, "category": "Ship"}], "Ship"),
    ],
)
def test_what_cannot_be_a_label_is_refused(labels: list[dict[str, object]], said: str) -> None:
    with pytest.raises(LabellingMistakes) as refused:
        checked("a", TEXT, labels, ["Person"])
    assert said in str(refused.value.mistakes[0])
