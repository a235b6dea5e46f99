"""Display models: each makes of recognised words what it says, and one that is broken is refused by name."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.command_line import DISPLAY_TYPES
from appliance.errors import ModelError
from appliance.speech.decoding.segment import Heard, HeardWord
from appliance.speech.display.loading import load_forms
from appliance.speech.display.numbers import write_numbers
from appliance.speech.display.pipeline import Forms, Pauses
from appliance.speech.display.rescoring import WordModel
from appliance.speech.display.rewriting import Rules
from appliance.speech.display.text import Profanity
from license.authority.authority import Authority
from tests.e2e.speech.test_rest import ASKED, wav
from tests.support.display import ARPA, RULES, write_pauses, write_punctuator, write_rescorer, write_rules
from tests.support.site import Service, Site
from tests.support.speech_site import speech_site
from tests.support.tones import silence, speak, write_model
from tests.support.usp import PATH

NO_KEYS: object = None  # plain folders need none
RATE = 16_000


def heard(*words: str, gaps: tuple[float, ...] = ()) -> list[HeardWord]:
    """Words of a tenth of a second, with gaps behind them in seconds."""
    found, at = [], 0.0
    for word, gap in zip(words, (*gaps, *[0.05] * len(words)), strict=False):
        found.append(HeardWord(text=word, start=int(at * RATE), end=int((at + 0.1) * RATE), confidence=0.9))
        at += 0.1 + gap
    return found


def load(folder: Path, *chosen: str) -> Forms:
    return load_forms(folder, NO_KEYS, chosen)  # type: ignore[arg-type]


def test_a_table_writes_its_words_and_leaves_numbers_to_what_is_built_in() -> None:
    rules = Rules.read(RULES, "rules.tsv")
    pieces = rules.write(["turn", "left", "at", "gate", "twenty", "four", "per", "cent", "one"])
    assert [piece.text for piece in pieces] == ["TURN-L", "at", "Gate", "24", "%", "1"]
    assert [(piece.first, piece.end) for piece in pieces][:4] == [(0, 2), (2, 3), (3, 4), (4, 6)]


@given(
    st.lists(
        st.sampled_from(["turn", "left", "gate", "per", "cent", "one", "two", "twenty", "oh", "x"]),
        max_size=12,
    )
)
def test_pieces_cover_all_words_once_in_order(words: list[str]) -> None:
    pieces = Rules.read(RULES, "rules.tsv").write(words)
    assert [at for piece in pieces for at in range(piece.first, piece.end)] == list(range(len(words)))
    assert Rules.read("", "rules.tsv").write(words) == write_numbers(words)


def test_an_n_gram_model_scores_as_the_format_says() -> None:
    model = WordModel.read(ARPA, "lm.arpa", weight=1.0, word=0.0)
    log10 = np.log(10)
    # <s>→go backs off (-0.3 - 1.0), go→to is known (-0.1), to→</s> backs off without a weight (-1.0)
    assert model.bonus(["go", "to"]) == pytest.approx(log10 * (-1.3 - 0.1 - 1.0))
    assert model.bonus(["zebra"]) == pytest.approx(log10 * (-0.3 - 3.0 - 1.0))


def test_rescoring_puts_the_likelier_text_first(tmp_path: Path) -> None:
    forms = load(write_model(tmp_path / "m"))
    assert forms.rank([]) == []
    write_rescorer(tmp_path / "m/rescore", rescore={"weight": 1.0})
    forms = load(tmp_path / "m")
    texts = [
        Heard(text=text, words=(), confidence=0.5, score=score)
        for text, score in (("go two", -1.0), ("go to", -1.5))
    ]
    assert [one.text for one in forms.rank(texts)] == ["go to", "go two"]


def test_pauses_end_sentences() -> None:
    forms = Forms(pauses=Pauses(seconds=0.3, words=24))
    shown = forms.show(heard("turn", "left", "one", "two", gaps=(0.05, 0.4)), Profanity.MASKED)
    assert shown.display == "Turn left. 12."
    assert shown.lexical == "turn left one two"
    assert [(piece.first, piece.end) for piece in shown.pieces] == [(0, 1), (1, 2), (2, 4)]


def test_a_classifier_sets_marks_and_capitals(tmp_path: Path) -> None:
    write_punctuator(write_model(tmp_path / "m") / "punct")
    forms = load(tmp_path / "m")
    shown = forms.show(heard("turn", "left", "i", "go", "now", "twenty", "four"), Profanity.MASKED)
    assert shown.display == "Turn left, I go now? 24."
    assert forms.show([], Profanity.MASKED).display == ""


def test_a_model_that_is_asked_for_and_missing_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_rules(write_model(tmp_path / "m") / "wfstitn")
    with caplog.at_level(logging.INFO):
        forms = load(tmp_path / "m", "Punct")
    assert forms.names == ()  # what is there and was not chosen is not used
    assert "Punct was asked for" in caplog.text
    with caplog.at_level(logging.INFO):
        assert load(tmp_path / "m").names == (("Wfstitn", "speech-wfstitn 1.0.0"),)
    assert "no display model in use for Punct, Rescore, Resegment" in caplog.text


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda at: write_rules(at, "no tab here\n"), "is not a rule"),
        (lambda at: write_rules(at, task="speech-punct"), "speech-punct"),
        (lambda at: write_rescorer(at, "this is no model"), "no n-grams"),
        (lambda at: write_rescorer(at, ARPA.replace("-1.0\ttwo", "nan\ttwo")), "no 1-gram"),
        (lambda at: write_rescorer(at, ARPA.replace("2-grams", "9-grams")), "more than"),
        (lambda at: write_pauses(at, resegment={"pause_seconds": -1}), "pause_seconds"),
        (lambda at: write_punctuator(at, ("O", "COMMA", "ELEPHANT")), "ELEPHANT"),
        (lambda at: write_punctuator(at, ("O", "COMMA", "?"), files={}), "SHA-256"),
    ],
)
def test_a_broken_display_model_is_refused(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    written = write(tmp_path / "made")
    kind = {"rules.tsv": "wfstitn", "lm.arpa": "rescore", "model.onnx": "punct"}
    name = next((kind[one.name] for one in written.iterdir() if one.name in kind), "resegment")
    shutil.move(written, tmp_path / "m" / name)
    with pytest.raises(ModelError, match=words):
        load(tmp_path / "m")


@pytest.fixture(scope="module")
def polished(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    """A service whose model folder brings all four."""
    site = speech_site(tmp_path_factory.mktemp("forms") / "site", vendor)
    folder = write_model(tmp_path_factory.mktemp("polished") / "tones")
    write_punctuator(folder / "punct")
    write_rescorer(folder / "rescore")
    write_pauses(folder / "resegment")
    write_rules(folder / "wfstitn")
    yield site.start("Service=speechtotext", f"Mounts:Model={folder}")
    site.close()


def test_the_service_shows_what_its_display_models_make(polished: Service) -> None:
    sound = np.concatenate([silence(0.3), speak("turn left go to gate now"), silence(0.5)])
    with polished.client() as client:
        asked = {**ASKED, "format": "detailed"}
        reply = client.post(PATH.format(mode="interactive"), params=asked, content=wav(sound))
        best = reply.json()["NBest"][0]
        assert best["Lexical"] == "turn left go to gate now"
        assert best["ITN"] == "TURN-L go to Gate now"
        assert best["Display"] == reply.json()["DisplayText"] == "TURN-L go to Gate now?"
        files = {"audio": wav(sound)}
        whole = client.post(
            "/speechtotext/transcriptions:transcribe", params={"api-version": "2024-11-15"}, files=files
        )
        assert whole.json()["combinedPhrases"][0]["text"] == best["Display"]
    for kind in DISPLAY_TYPES:
        assert f"display model {kind}: " in polished.text()


def test_a_chosen_type_is_the_only_one_in_use(new_site: Callable[..., Site], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tones")
    write_rules(folder / "wfstitn")
    write_pauses(folder / "resegment")
    service = new_site().start("Service=speechtotext", f"Mounts:Model={folder}", "wfstitn", "Rescore")
    with service.client() as client:
        sound = np.concatenate([speak("gate"), silence(0.5)])
        reply: httpx2.Response = client.post(
            PATH.format(mode="interactive"), params=ASKED, content=wav(sound)
        )
    assert reply.json()["DisplayText"] == "Gate."
    assert service.stop() == 0
    assert "Rescore was asked for" in service.text()
    assert "no display model in use for Punct, Rescore, Resegment" in service.text()
