"""The bundled encoder says what it makes of documents, as a training would."""

from appliance.datasets.document import Label, Labelled, LabelledDocument
from appliance.training.base.open_base import bundled_base
from appliance.training.encoder_facts import encoder_facts

TEXT = "Ada Lovelace wrote to Charles."


def document(name: str, text: str, *labels: Label, language: str = "") -> LabelledDocument:
    return LabelledDocument(name=name, text=text, labels=labels, language=language)


def test_words_windows_and_ends_of_labels_are_counted() -> None:
    documents = (
        document("a", TEXT, Label(0, 13, "PER"), Label(22, 26, "PER")),
        document("b", "word " * 400),
        document("c", "x" * 90 + " .", Label(91, 92, "PER")),
    )
    facts = encoder_facts(
        Labelled(name="p", categories=("PER",), documents=documents, language="en"), bundled_base()
    )
    assert facts.words == (6, 400, 2)
    assert facts.windows[0] == 1 < facts.windows[1]
    assert facts.longest_words[2] == 90
    assert facts.trimmed == 1
    assert facts.widened == ("a line 1",)
    assert facts.languages["en"].documents == 3


def test_a_language_that_it_cannot_read_is_refused_by_name() -> None:
    documents = (
        document("a", "安娜在北京写了一封信给她的朋友。" * 5, Label(0, 2, "PER"), language="zh"),
        document("b", TEXT, language="en"),
    )
    facts = encoder_facts(Labelled(name="p", categories=("PER",), documents=documents), bundled_base())
    assert "cannot read the documents in language 'zh'" in facts.languages["zh"].refused
    assert "--base multi" in facts.languages["zh"].remedy
    assert facts.languages["en"].refused == facts.languages["en"].note == ""
