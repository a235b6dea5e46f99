"""Two models' answers to the same documents: figures of both, and where only one found an entity."""

from dataclasses import replace

from appliance.datasets.document import Label, LabelledDocument
from appliance.training.evaluation.compare import compare, comparison_lines, comparison_object

ANNA, BERT, PARIS = Label(0, 4, "Person"), Label(9, 13, "Person"), Label(17, 22, "Place")
TEXT = "Anna met Bert in Paris."


def documents(count: int) -> list[LabelledDocument]:
    return [
        LabelledDocument(name=f"d{number}", text=TEXT, labels=(ANNA, BERT, PARIS)) for number in range(count)
    ]


def test_f1_of_both_and_their_difference_by_category() -> None:
    found = compare(documents(10), [[ANNA, PARIS]] * 10, [[ANNA, BERT]] * 10)
    assert found.categories["Person"].value > 0.3
    assert found.categories["Person"].sure
    assert found.categories["Place"].value == -1
    assert found.all.value == 0
    assert [one.categories["Person"].right for one in found.scores] == [10, 20]


def test_what_only_one_found_stands_in_its_sentence_with_whether_it_is_right() -> None:
    wrong = Label(5, 8, "Place")
    found = compare(documents(2), [[ANNA], [ANNA]], [[ANNA], [ANNA, BERT, wrong]])
    assert found.differing == ("d1",)
    first, second = found.unlike
    assert (first.by, first.right, first.sentence) == (1, False, "Anna [met] Bert in Paris.")
    assert (second.by, second.right, second.line) == (1, True, 1)


def test_a_category_that_one_model_does_not_know_is_compared_with_nothing() -> None:
    found = compare(documents(1), [[]], [[Label(0, 4, "Ship")]])
    text = "\n".join(comparison_lines(found, ("a", "b"), 20))
    assert found.categories["Ship"].value == 0
    assert "only B (wrong) Ship: [Anna] met" in text


def test_no_more_sentences_are_quoted_than_asked_for() -> None:
    found = compare(documents(30), [[ANNA]] * 30, [[BERT]] * 30)
    assert len(found.unlike) == 60
    assert len(comparison_object(found, ("a", "b"), 20)["shown"]) == 20
    lines = comparison_lines(found, ("a", "b"), 20)
    assert sum("only " in line for line in lines) == 20
    assert any("in 30 of 30 documents, in 60 entities; the first 20:" in line for line in lines)


def test_the_verdict_says_whether_the_documents_are_enough() -> None:
    same = compare(documents(3), [[ANNA]] * 3, [[ANNA]] * 3)
    assert "both answer the same" in "\n".join(comparison_lines(same, ("a", "b"), 20))
    better = compare(documents(30), [[ANNA]] * 30, [[ANNA, BERT]] * 30)
    assert "B is better" in "\n".join(comparison_lines(better, ("a", "b"), 20))
    few = compare(documents(2), [[ANNA], [BERT]], [[ANNA, BERT], []])
    assert "too few to say" in "\n".join(comparison_lines(few, ("a", "b"), 20))


def test_documents_of_each_language_are_compared_on_their_own() -> None:
    one = compare(documents(4), [[ANNA]] * 4, [[ANNA, BERT]] * 4)
    assert one.languages == {}
    assert "languages" not in comparison_object(one, ("a", "b"), 20)
    mixed = [replace(each, language="de" if number else "") for number, each in enumerate(documents(4))]
    found = compare(mixed, [[ANNA]] * 4, [[ANNA, BERT]] * 3 + [[]])
    assert {name: each.documents for name, each in found.languages.items()} == {"": 1, "de": 3}
    assert [side.right for side in found.languages["de"].sides] == [3, 4]
    told = comparison_object(found, ("a", "b"), 20)["languages"]
    assert told["de"]["documents"] == 3
    assert told[""]["f1A"] == 0.5
    lines = comparison_lines(found, ("a", "b"), 20)
    assert [line.split()[0] for line in lines if line.startswith(("language", "not stated", "de "))] == [
        "language",
        "not",
        "de",
    ]
