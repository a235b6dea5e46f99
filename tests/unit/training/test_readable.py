"""Texts that the encoder cannot read are refused or named, with the share that it does not know."""

import pytest
from tokenizers import Tokenizer, models

from appliance.datasets.document import LabelledDocument
from appliance.datasets.label_errors import DatasetError
from appliance.ner.tokenizer import Reading, TextTokenizer, tokenizer_of
from appliance.training.base.open_base import bundled_base
from appliance.training.readable import check_readable, read_by_language


def text(words: str, language: str = "") -> LabelledDocument:
    return LabelledDocument(name=words, text=words, labels=(), language=language)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return tokenizer_of(bundled_base().folder)


def test_english_is_read_and_chinese_is_refused_by_its_language(tokenizer: TextTokenizer) -> None:
    english = text("The loan is granted by Contoso Bank.")
    chinese = text("\u8d37\u6b3e\u7531\u94f6\u884c\u53d1\u653e", "zh")
    readings = read_by_language([english, chinese], tokenizer, "en")
    assert readings["en"].unknown == 0
    with pytest.raises(DatasetError, match=r"in language 'zh': \d+% of the tokens are unknown") as caught:
        check_readable(readings)
    assert "--base multi" in caught.value.hint
    with pytest.raises(DatasetError) as again:
        check_readable(readings, english=False)
    assert "--base FOLDER" in again.value.hint
    assert check_readable({"en": readings["en"]}) == []


def test_a_language_that_the_vocabulary_was_not_made_for_is_noted(tokenizer: TextTokenizer) -> None:
    words = "Rettighedshaverne underskrev aftalen med virksomheden i København."
    readings = read_by_language([text(words, "da")], tokenizer, "en")
    (note,) = check_readable(readings)
    assert "cuts a word of the documents in language 'da' into" in note
    assert check_readable(readings, english=False) == []


def test_a_small_share_of_unknown_tokens_is_noted() -> None:
    (note,) = check_readable({"": Reading(tokens=100, unknown=3, words=90)})
    assert note.startswith("3.0% of the tokens of the documents are unknown")


def test_the_unknown_token_is_found_whatever_the_kind_of_tokenizer() -> None:
    kinds = {
        "unigram": models.Unigram([("a", -1.0), ("<unk>", 0.0)], unk_id=1),
        "word level": models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"),
        "bytes": models.BPE({"a": 0, "b": 1}, []),
    }
    shares = {}
    for name, model in kinds.items():
        made = TextTokenizer(
            Tokenizer(model).to_str().encode(), window_tokens=64, overlap_tokens=8, case_classes=False
        )
        shares[name] = made.reading(["a", "\u4e2d", "\ud800"]).unknown_share
    assert shares["unigram"] == pytest.approx(2 / 3)
    assert shares["word level"] == pytest.approx(2 / 3)
    assert shares["bytes"] == 0
