"""The model that is prepared while the rest of a start goes on."""

import asyncio
import shutil
from pathlib import Path

import pytest

from appliance.config.settings import Settings
from appliance.models.locations import GENERAL
from appliance.ner.engine import NerEngine
from appliance.ner.text_request import TextRequest
from appliance.services.preload import begin_preloading
from tests.support.site import Site

ACCEPTED = "Eula=accept"


def test_the_first_model_is_handed_over_once_and_answers() -> None:
    preloader = begin_preloading(Settings.read([ACCEPTED], {}))
    assert preloader is not None
    prepared = preloader.take(GENERAL["multi"])
    assert prepared is not None
    assert preloader.take(GENERAL["multi"]) is None, "it is not kept"
    engine = NerEngine.start(prepared, sessions=1)
    try:
        (found,) = asyncio.run(engine.recognize([TextRequest("Ada Lovelace wrote from London.")]))
    finally:
        engine.close(timeout_seconds=10)
    assert [entity.category for entity in found] == ["Person", "Location"]


def test_another_path_gets_nothing(tmp_path: Path) -> None:
    preloader = begin_preloading(Settings.read([ACCEPTED], {}))
    assert preloader is not None
    assert preloader.take(tmp_path) is None
    preloader.join()


def test_a_folder_that_has_changed_since_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(GENERAL["en"], folder)
    preloader = begin_preloading(Settings.read([ACCEPTED, f"Mounts:Model={folder}"], {}))
    assert preloader is not None
    preloader.join()
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"changed")
    assert preloader.take(folder) is None


def test_a_model_that_is_refused_is_left_to_whoever_loads_it(tmp_path: Path) -> None:
    for name in ("model.onnx", "tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes(b"{}")
    preloader = begin_preloading(Settings.read([ACCEPTED, f"Mounts:Model={tmp_path}"], {}))
    assert preloader is not None
    assert preloader.take(tmp_path) is None


@pytest.mark.parametrize(
    "words", [[], [ACCEPTED, "Models:Path=/nowhere"], [ACCEPTED, "Mounts:Model=PACKAGES"]]
)
def test_nothing_begins_without_accepted_terms_or_a_plain_folder(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "m.age").touch()
    (tmp_path / "model.onnx").touch()
    assert (
        begin_preloading(Settings.read([word.replace("PACKAGES", str(tmp_path)) for word in words], {}))
        is None
    )


@pytest.mark.e2e
def test_a_changed_model_is_refused_by_name_although_it_was_begun_with(site: Site, tmp_path: Path) -> None:
    site.issue()
    folder = tmp_path / "model"
    folder.mkdir()
    for path in GENERAL["multi"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"changed")
    ended = site.run(f"Mounts:Model={folder}")
    assert ended.returncode == 78
    assert "model.onnx is not the file that model.json names" in ended.stderr
