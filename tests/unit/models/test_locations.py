from pathlib import Path

import pytest

from appliance.config.settings import Settings
from appliance.errors import ModelError
from appliance.models.locations import GENERAL, find_models, models_below


def put(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(b"x")
    return path


def found(*words: str, mount: Path = Path("/nowhere")) -> list[tuple[str, tuple[str, ...], Path]]:
    places = find_models(Settings.read(words, {}), container_mount=mount)
    return [(place.project, place.names, place.path) for place in places]


def test_without_any_setting_the_bundled_model_is_served() -> None:
    assert found() == [("demo", ("production",), GENERAL["multi"])]


def test_one_model_folder_is_served_under_the_configured_names(tmp_path: Path) -> None:
    folder = put(tmp_path / "m")
    for word in ("Mounts:Model", "Models:Path"):
        assert found(f"{word}={folder}", "ProjectName=P") == [("P", ("production",), folder)]


def test_folders_below_the_mount_name_project_and_deployment(tmp_path: Path) -> None:
    a, b, c = put(tmp_path / "acme" / "prod"), put(tmp_path / "acme" / "test"), put(tmp_path / "bare")
    put(tmp_path / ".hidden" / "x")
    (tmp_path / "empty" / "nothing").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("x")
    expected = [("acme", ("prod",), a), ("acme", ("test",), b), ("demo", ("bare",), c)]
    assert found(f"Models:Path={tmp_path}") == expected
    assert found(mount=tmp_path) == expected, "the container's mount needs no setting"


@pytest.mark.parametrize("where", ["loans/v1", "v1", "."])
def test_the_containers_parameters_find_the_exported_model(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "mount" / where
    put(folder)
    put(tmp_path / "mount" / "another" / "one")
    words = ["projectName=loans", "exportedModelName=v1"]
    assert found(*words, mount=tmp_path / "mount") == [("loans", ("v1", "production"), folder)]


def test_an_exported_model_that_is_not_there_names_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        found("projectName=loans", "exportedModelName=v1", mount=tmp_path)
    assert str(tmp_path / "loans" / "v1") in caught.value.message


@pytest.mark.parametrize("name", ["missing", "file", "empty"])
def test_a_named_mount_without_a_model_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=name):
        found(f"Models:Path={tmp_path / name}")


def test_a_speech_service_has_the_models_below_the_mount_besides_its_first(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "tokens.txt").write_text("a 0")
    put(tmp_path / "calls" / "v2")
    places = models_below(Settings.read([f"Models:Path={tmp_path}"], {}))
    named = [(place.project, place.names, place.path.name) for place in places]
    assert named == [("calls", ("v2",), "v2"), ("demo", ("de",), "de")]
    assert models_below(Settings.read([], {})) == []
