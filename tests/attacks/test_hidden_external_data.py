"""A supplied ONNX file that makes the installation's key its answer, its reference to the file hidden."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import onnxruntime
import pytest

from appliance.errors import ModelError
from appliance.onnx_tools.runtime import open_session
from tests.support.exports import export, exported_files
from tests.support.forked_process import run_forked_text
from tests.support.onnx_spellings import chunk, hiding_tag, padded_tag, reader_of, varint

__all__ = ["export", "exported_files"]

SECRET = bytes(range(200, 232))


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a key in it, as `appliance serve` has one."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "instance.key").write_bytes(SECRET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("data_folder")
def test_the_attack_is_real_and_onnxruntime_left_to_itself_answers_with_the_key() -> None:
    for hidden in (True, False):
        data = reader_of("state/instance.key", len(SECRET), hidden=hidden)
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        assert bytes(session.run(None, {})[0]) == SECRET


@pytest.mark.usefixtures("data_folder")
@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("location", ["state/instance.key", "../state/instance.key", "/etc/hostname"])
def test_our_sessions_have_no_folder_to_read_from(hidden: bool, location: str) -> None:
    with pytest.raises(ModelError, match="refused by onnxruntime"):
        open_session(reader_of(location, len(SECRET), hidden=hidden))


def test_our_sessions_read_no_format_but_the_one_that_was_checked(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(SECRET)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(tmp_path))
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    onnxruntime.InferenceSession(
        reader_of("w", len(SECRET), hidden=False), options, providers=["CPUExecutionProvider"]
    )
    flat = (tmp_path / "model.ort").read_bytes()
    assert onnxruntime.InferenceSession(flat, providers=["CPUExecutionProvider"]).run(None, {})
    with pytest.raises(ModelError, match="refused by onnxruntime"):
        open_session(flat)


def _padded(model: bytes) -> bytes:
    return padded_tag(14, 2) + varint(0) + model


def _unknown(model: bytes) -> bytes:
    return model + chunk(4000, b"")


def _group(model: bytes) -> bytes:
    return model + varint(4000 << 3 | 3) + varint(4000 << 3 | 4)


def _two_graphs(model: bytes) -> bytes:
    return model + hiding_tag(7, 2) + varint(0)


@pytest.mark.e2e
@pytest.mark.parametrize("spell", [_padded, _unknown, _group, _two_graphs])
def test_no_other_spelling_of_a_model_is_taken_in(
    spell: Callable[[bytes], bytes], export: Callable[..., Path], exported_files: Mapping[str, bytes]
) -> None:
    done = _add(export(model__onnx=spell(exported_files["model.onnx"])))
    assert done.returncode == 78, done.stderr
    assert "model.onnx is not an ONNX model" in done.stderr


@pytest.mark.e2e
def test_a_model_that_hides_its_reference_to_the_key_is_not_taken_in(
    data_folder: Path, export: Callable[..., Path]
) -> None:
    model = reader_of("state/instance.key", len(SECRET))
    done = _add(export(model__onnx=model))
    assert done.returncode == 78, done.stderr
    assert "model.onnx is not an ONNX model" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((data_folder / "models").glob("*/*"))


@pytest.mark.e2e
def test_a_model_folder_that_hides_it_and_signs_its_digests_is_not_served(
    data_folder: Path, exported_files: Mapping[str, bytes]
) -> None:
    folder = data_folder / "models" / "p" / "m"
    folder.mkdir(parents=True)
    files = {**exported_files, "model.onnx": reader_of("state/instance.key", len(SECRET))}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    (folder / "model.json").write_text(
        json.dumps({"format": 1, "task": "ner", "name": "m", "files": digests})
    )
    done = _appliance("models", "test", "p/m", f"Models:Path={data_folder / 'models'}")
    assert done.returncode == 78, done.stdout + done.stderr
    assert "is not an ONNX model" in done.stdout + done.stderr
    assert SECRET.hex() not in done.stdout


def _add(folder: Path) -> "subprocess.CompletedProcess[str]":
    models = folder.parent / "models"
    return _appliance("models", "add", str(folder), "--project", "p", "--name", "m", f"Models:Path={models}")


def _appliance(*words: str) -> "subprocess.CompletedProcess[str]":
    return run_forked_text("appliance", words, environ={**os.environ, "NO_COLOR": "1"})
