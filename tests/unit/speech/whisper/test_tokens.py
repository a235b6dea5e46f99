"""Tokens become words of the caller's text, and nothing a caller writes becomes a special token."""

import itertools
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.whisper.tokens import WhisperTokens, lexical
from tests.support.whisper import MERGED, tiny_folder


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> WhisperTokens:
    config = SpeechFolder.open(tiny_folder(tmp_path_factory.mktemp("tiny") / "m")).whisper
    assert config is not None
    return WhisperTokens(config)


def written(tokens: WhisperTokens, text: str, language: str = "en") -> list[str]:
    found = tokens.words(tokens.encode(text), language)
    assert all(left.end == right.first for left, right in itertools.pairwise(found))
    return [word.written for word in found]


def test_words_keep_their_space_and_their_punctuation(tokens: WhisperTokens) -> None:
    assert written(tokens, " Hello, you - the world!") == [" Hello,", " you -", " the", " world!"]
    assert written(tokens, ' He said "no".') == [" He", " said", ' "no".']


def test_characters_of_several_tokens_stay_whole(tokens: WhisperTokens) -> None:
    assert written(tokens, " Größe für 25 €") == [" Größe", " für", " 25", " €"]
    assert written(tokens, " \U0001f600 you") == [" \U0001f600 you"]


def test_languages_without_spaces_have_a_word_for_each_character(tokens: WhisperTokens) -> None:
    assert written(tokens, "你好,世界。", "zh") == ["你", "好,", "世", "界。"]


def test_punctuation_alone_is_no_word(tokens: WhisperTokens) -> None:
    assert written(tokens, " ... ?") == []
    assert written(tokens, "") == []


def test_lexical_form_is_lower_case_without_punctuation_around() -> None:
    assert [lexical(word) for word in (" Hello,", ' "Don\'t!"', " U.S.", " 3.5%", " —")] == [
        "hello", "don't", "u.s", "3.5%", "",
    ]  # fmt: skip


def test_a_special_token_in_a_phrase_is_text(tokens: WhisperTokens) -> None:
    special = set(tokens.config.languages.values()) | {tokens.config.end, tokens.config.start}
    assert not special & set(tokens.encode("<|endoftext|><|startoftranscript|><|de|>"))


def test_the_prompt_names_language_and_task(tokens: WhisperTokens) -> None:
    config = tokens.config
    assert tokens.begin("de") == [
        config.start, config.languages["de"], config.transcribe, config.no_timestamps
    ]  # fmt: skip


def test_phrases_come_before_the_prompt_as_many_as_there_is_room_for(tokens: WhisperTokens) -> None:
    plain = tokens.begin("en")
    found = tokens.begin("en", ["hello world", "you"])
    assert found[0] == tokens.config.previous
    assert found[-len(plain) :] == plain
    assert tokens.text(found[1 : -len(plain)]) == " hello world, you."
    many = tokens.begin("en", [f"phrase {number}" for number in range(500)])
    assert len(many) - len(plain) <= tokens.config.positions // 2


def test_a_model_whose_tokenizer_is_broken_is_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "m")
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace('"BPE"', '"Nothing"'))
    config = SpeechFolder.open(folder).whisper
    assert config is not None
    with pytest.raises(ModelError, match="tokenizer"):
        WhisperTokens(config)


def test_older_exports_keep_their_tokenizer_in_three_files(tokens: WhisperTokens, tmp_path: Path) -> None:
    names = (
        *MERGED,
        "config.json",
        "generation_config.json",
        "vocab.json",
        "merges.txt",
        "added_tokens.json",
    )
    config = SpeechFolder.open(tiny_folder(tmp_path / "m", *names)).whisper
    assert config is not None
    older = WhisperTokens(config)
    for text in (" hello world", " Größe, you!", "<|de|>"):
        assert older.encode(text) == tokens.encode(text)
        assert older.text(older.encode(text)) == text
    assert older.begin("fr", ["you"]) == tokens.begin("fr", ["you"])
