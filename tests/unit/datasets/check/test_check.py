"""The check says what hinders training and what weakens it, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from appliance.datasets.check.check import TO_LEARN, check
from appliance.datasets.check.encoder_facts import EncoderFacts, LanguageFacts
from appliance.datasets.check.report import CheckReport
from appliance.datasets.document import TEST, TRAIN, Label, Labelled, LabelledDocument, categories_of


def document(number: int, dataset: str = "", category: str = "PER", text: str = "") -> LabelledDocument:
    text = text or f"Anna{number} wrote letter number {number}."
    return LabelledDocument(
        name=f"{number}", text=text, labels=(Label(0, text.index(" "), category),), dataset=dataset
    )


def facts(documents: Sequence[LabelledDocument], **changes: object) -> EncoderFacts:
    size = len(documents)
    plain = EncoderFacts(
        window_tokens=128,
        words=(6,) * size,
        windows=(1,) * size,
        longest_words=(7,) * size,
        languages={"en": LanguageFacts(documents=size, unknown_share=0, pieces=1.1)},
        trimmed=0,
        widened=(),
        lost=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def checked(documents: Sequence[LabelledDocument], *declared: str, **changes: object) -> CheckReport:
    labelled = Labelled(
        name="p", categories=(*categories_of(documents), *declared), documents=tuple(documents)
    )
    return check(labelled, facts(documents, **changes))


def codes(report: CheckReport) -> dict[str, bool]:
    return {one.code: one.hinders for one in report.findings}


GOOD = [document(number, TEST if number % 4 == 0 else TRAIN) for number in range(60)]


def test_good_documents_have_counts_and_no_finding() -> None:
    report = checked(GOOD)
    assert report.findings == ()
    assert (report.documents, report.words, report.labels) == (60, 360, 60)
    assert (report.train, report.test, report.split) == (45, 15, "as the project file says")
    assert report.categories["PER"].train == 45
    assert report.longest[0] == ("0", 6)


def test_a_test_document_that_is_learnt_from_is_called_leakage() -> None:
    copies = [replace(one, name=f"t{one.name}", dataset=TEST) for one in GOOD[1:4]]
    report = checked([*GOOD, *copies])
    assert codes(report) == {"Leakage": True, "SameText": False}
    assert report.leaked == ("t1", "t2", "t3")
    assert "3 of 18 test documents (17%)" in report.findings[0].message
    assert "F1 of 100" in report.findings[0].message


def test_one_such_document_of_many_is_a_note() -> None:
    many = [document(number, TEST if number % 2 else TRAIN) for number in range(120)]
    assert codes(checked([*many, replace(many[0], name="t", dataset=TEST)])) == {
        "Leakage": False,
        "SameText": False,
    }


def test_copies_inside_one_part_are_no_leakage() -> None:
    report = checked([*GOOD, replace(GOOD[1], name="copy")])
    assert codes(report) == {"SameText": False}
    assert report.same == (("1", "copy"),)


def test_the_same_text_with_other_labels_is_a_finding_of_its_own() -> None:
    other = replace(GOOD[1], name="copy", labels=(Label(0, 5, "ORG"),) * 1)
    assert "SameTextOtherLabels" in codes(checked([*GOOD, other]))


def test_rare_categories_are_named_with_their_counts() -> None:
    few = [document(number, TRAIN, "ORG") for number in range(100, 100 + TO_LEARN - 1)]
    report = checked([*GOOD, *few], "NEVER")
    assert codes(report) == {"UnusedCategories": False, "RareInTraining": False, "RareInTest": False}
    by_code = {one.code: one.examples for one in report.findings}
    assert by_code["RareInTraining"] == (f"ORG ({TO_LEARN - 1})",)
    assert by_code["RareInTest"] == ("ORG (0)",)
    assert by_code["UnusedCategories"] == ("NEVER (0)",)


def test_documents_that_cannot_be_split_hinder() -> None:
    report = checked([document(1)])
    assert codes(report) == {"NoSplit": True}
    assert report.split == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "languages": {
                    "zh": LanguageFacts(
                        documents=60, unknown_share=0.6, pieces=1, refused="it cannot read zh"
                    )
                }
            },
            {"Language": True},
        ),
        (
            {
                "languages": {
                    "pt": LanguageFacts(documents=60, unknown_share=0, pieces=1.7, note="many pieces")
                }
            },
            {"Language": False},
        ),
        ({"trimmed": 3}, {"OuterSpaces": False}),
        ({"widened": ("1 line 1",)}, {"CutWords": False}),
        ({"widened": ("1 line 1",) * 20}, {"CutWords": True}),
        ({"lost": ("1 line 1",)}, {"NoWords": False}),
        ({"lost": ("1 line 1",) * 60}, {"NoWords": True}),
        ({"longest_words": (700, *(5,) * 59)}, {"LongWords": False}),
    ],
)
def test_what_the_encoder_makes_of_them_is_judged(
    changes: dict[str, object], expected: dict[str, bool]
) -> None:
    assert codes(checked(GOOD, **changes)) == expected


def test_where_a_language_is_refused_the_remedy_is_that_of_training() -> None:
    refused = LanguageFacts(
        documents=60, unknown_share=0.6, pieces=1, refused="it cannot", remedy="take multi"
    )
    (finding,) = checked(GOOD, languages={"zh": refused}).findings
    assert finding.remedy == "take multi"


def test_documents_longer_than_the_service_takes_are_named() -> None:
    long = document(900, TRAIN, text="Anna " + "a " * 70_000)
    assert codes(checked([*GOOD, long])) == {"LongDocuments": False}


def test_what_hinders_comes_first() -> None:
    report = checked([document(1), replace(document(1), name="2")], trimmed=1, lost=("1 line 1",) * 2)
    hindering = [one.hinders for one in report.findings]
    assert hindering == sorted(hindering, reverse=True)
    assert report.hindered
