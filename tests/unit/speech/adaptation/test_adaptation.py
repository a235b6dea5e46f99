"""The files of an adaptation are read from a model folder, and bad ones are errors of the model."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.speech.adaptation.adaptation import MAX_PHRASES, phrases_of
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BUNDLED

ARPA = "\\1-grams:\n-1 one\n\\end\\\n"


def folder(path: Path, **files: str) -> Path:
    shutil.copytree(BUNDLED["commands"], path)
    described = json.loads((path / "model.json").read_text())
    for name, text in files.items():
        file = name.replace("_", ".")
        (path / file).write_text(text)
        described["files"][file] = hashlib.sha256(text.encode()).hexdigest()
    (path / "model.json").write_text(json.dumps(described))
    return path


def test_all_three_files_are_read(tmp_path: Path) -> None:
    made = folder(tmp_path / "m", domain_arpa=ARPA, phrases_txt="go on\n", pronunciations_txt="A1\ta one\n")
    found = SpeechFolder.open(made).adaptation
    assert found is not None
    assert found.domain is not None
    assert found.domain.words() == ["one"]
    assert found.phrases == ("go on",)
    assert found.pronunciations is not None


def test_a_folder_without_them_has_no_adaptation() -> None:
    assert SpeechFolder.open(BUNDLED["commands"]).adaptation is None


@pytest.mark.parametrize(
    ("name", "text"),
    [("domain_arpa", "no model\n"), ("pronunciations_txt", "no tab\n"), ("phrases_txt", "a" * 300)],
)
def test_a_bad_file_is_an_error_of_the_model_that_names_it(tmp_path: Path, name: str, text: str) -> None:
    made = folder(tmp_path / "m", **{name: text})
    with pytest.raises(ModelError, match=name.replace("_", r"\.")):
        SpeechFolder.open(made)


def test_a_changed_file_is_refused_by_its_digest(tmp_path: Path) -> None:
    made = folder(tmp_path / "m", domain_arpa=ARPA)
    (made / "domain.arpa").write_text(ARPA.replace("one", "two"))
    with pytest.raises(ModelError, match="its SHA-256 differs"):
        SpeechFolder.open(made)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path / "m", phrases_txt="x\n")
    described = json.loads((made / "model.json").read_text())
    (made / "phrases.txt").write_bytes(b"\xff\xfe")
    described["files"]["phrases.txt"] = hashlib.sha256(b"\xff\xfe").hexdigest()
    (made / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=r"phrases\.txt cannot be read"):
        SpeechFolder.open(made)


def test_phrases_are_counted_once_and_limited() -> None:
    assert phrases_of("one  two\n\none two\nthree\n", "p") == ("one two", "three")
    with pytest.raises(ModelError, match="501 phrases"):
        phrases_of("\n".join(map(str, range(MAX_PHRASES + 1))), "p")
