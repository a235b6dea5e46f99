from appliance.datasets.document import Label
from appliance.training.evaluation.report import evaluation_object, score_lines
from appliance.training.evaluation.scoring import Counts, LanguageScores, Scores, score, score_by_language

SHIP = Label(0, 4, "Ship")
PORT = Label(5, 9, "Port")
PAIRS = [([SHIP], [SHIP]), ([SHIP, PORT], [SHIP]), ([PORT], [SHIP]), ([], [])]


def scored(*languages: str) -> Scores:
    every = score(PAIRS)
    return Scores(
        micro=every.micro,
        categories=every.categories,
        confusion=every.confusion,
        languages=score_by_language(languages, PAIRS),
    )


def test_documents_of_each_language_are_scored_on_their_own() -> None:
    assert score_by_language(["en", "de", "de", ""], PAIRS) == {
        "": LanguageScores(documents=1, counts=Counts(right=0, found=0, labelled=0)),
        "de": LanguageScores(documents=2, counts=Counts(right=1, found=2, labelled=3)),
        "en": LanguageScores(documents=1, counts=Counts(right=1, found=1, labelled=1)),
    }


def test_a_report_in_one_language_says_nothing_of_languages() -> None:
    scores = scored("en", "en", "en", "en")
    assert scores.languages == {}
    assert "languages" not in evaluation_object(scores, [])
    assert not any("language" in line for line in score_lines(scores))


def test_a_report_in_several_languages_has_the_figures_of_each() -> None:
    scores = scored("en", "de", "de", "")
    assert evaluation_object(scores, [])["languages"]["de"] == {
        "documents": 2,
        "precision": 0.5,
        "recall": 1 / 3,
        "f1": 0.4,
        "right": 1,
        "found": 2,
        "support": 3,
    }
    lines = score_lines(scores)
    assert lines[lines.index("") + 1 :] == [
        "language   precision  recall     F1  support  documents",
        "not stated       0.0     0.0    0.0        0          1",
        "de              50.0    33.3   40.0        3          2",
        "en             100.0   100.0  100.0        1          1",
    ]
