"""Labels are compared and learnt as answers can be: whole words, trimmed."""

import pytest

from appliance.datasets.document import Label, LabelledDocument
from appliance.ner.model_folder import ModelFolder
from appliance.ner.tokenizer import tokenizer_of
from appliance.training.base.open_base import bundled_base
from appliance.training.evaluation.examine import examine
from appliance.training.label_spans import fit_labels, trim_labels
from tests.support.paths import BUNDLED


def document(text: str, *labels: tuple[str, str]) -> LabelledDocument:
    """A document whose labels are given by the text that they hold."""
    found = []
    at = 0
    for held, category in labels:
        start = text.index(held, at)
        at = start + len(held)
        found.append(Label(start, at, category))
    return LabelledDocument(name="a.txt", text=text, labels=tuple(found))


def held(fitted: LabelledDocument) -> list[str]:
    return [fitted.text[label.start : label.end] for label in fitted.labels]


@pytest.mark.parametrize(
    ("before", "labelled", "answered"),
    [
        ("from", " Berlin", "Berlin"),
        ("from ", "Berlin,", "Berlin"),
        ("from", " Berlin, \n", "Berlin"),
        ("from", '"Berlin', "Berlin"),
        ("from ", "Berlin", "Berlin"),
    ],
)
def test_outer_space_and_punctuation_is_trimmed_as_in_answers(
    before: str, labelled: str, answered: str
) -> None:
    one = document(f"{before}{labelled}  home", (labelled, "City"))
    assert [one.text[label.start : label.end] for label in trim_labels(one)] == [answered]
    fitted = fit_labels([one], tokenizer_of(bundled_base().folder))
    assert held(fitted.documents[0]) == [answered]
    assert fitted.trimmed == (labelled != answered)
    assert (fitted.widened, fitted.lost) == ((), ())


def test_labels_that_cut_words_are_widened_and_named() -> None:
    one = document("\nWe fly to Hamburg and Bremen.", ("Ham", "City"), ("emen", "City"))
    fitted = fit_labels([one], tokenizer_of(bundled_base().folder))
    assert held(fitted.documents[0]) == ["Hamburg", "Bremen"]
    assert fitted.widened == ("a.txt line 2", "a.txt line 2")
    assert fitted.notes() == ["2 of 2 labels cut words: widened to whole ones (a.txt line 2, a.txt line 2)"]


def test_labels_without_a_word_of_their_own_are_left_out_and_named() -> None:
    one = document(
        "Hamburg  , Bremen", ("Ham", "City"), ("burg", "Rest"), ("  ,", "Comma"), ("Bremen", "City")
    )
    fitted = fit_labels([one], tokenizer_of(bundled_base().folder))
    assert held(fitted.documents[0]) == ["Hamburg", "Bremen"]
    assert len(fitted.lost) == 2
    assert "2 of 4 labels hold no word of their own: left out" in "\n".join(fitted.notes())


def test_a_model_is_not_blamed_for_spaces_that_it_cannot_answer() -> None:
    folder = ModelFolder.open(BUNDLED / "ner-en")
    clean = document(
        "Angela Merkel met reporters in Berlin.", ("Angela Merkel", "Person"), ("Berlin", "Location")
    )
    loose = document(
        "Angela Merkel met reporters in Berlin.", ("Angela Merkel ", "Person"), (" Berlin", "Location")
    )
    scores = [examine(folder, [one])[0].micro for one in (clean, loose)]
    assert scores[0] == scores[1]
    assert scores[0].right == 2
