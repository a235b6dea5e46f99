from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.config.settings import Settings
from appliance.errors import ModelError, Stopping, UnknownDeployment, UnknownModelVersion
from appliance.models.locations import BUNDLED, Place, find_models, load_models
from appliance.ner.engine import NerEngine
from appliance.pipeline.deployments import Deployment, Deployments


def put(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(b"x")
    return path


def found(*words: str, mount: Path = Path("/nowhere")) -> list[tuple[str, tuple[str, ...], Path]]:
    places = find_models(Settings.read(words, {}), container_mount=mount)
    return [(place.project, place.names, place.path) for place in places]


def test_without_any_setting_the_bundled_model_is_served() -> None:
    assert found() == [("demo", ("production",), BUNDLED)]


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


@dataclass
class Folder:
    name: str
    release: str = "1"
    language: str = "en"
    description: str = ""
    categories: tuple[str, ...] = ("Person",)


class Engine:
    def __init__(self, path: Path) -> None:
        self.folder = Folder(path.name)


def load(path: Path) -> NerEngine:
    if "bad" in path.name:
        raise ModelError(f"model.onnx in {path} is empty")
    return cast("NerEngine", Engine(path))


def test_a_model_that_fails_says_which_file_and_why_and_the_others_serve() -> None:
    places = [
        Place(project="p", names=("one",), path=Path("/m/bad")),
        Place(project="p", names=("two", "alias"), path=Path("/m/good")),
        Place(project="p", names=("two",), path=Path("/m/again")),
        Place(project="p", names=("no name",), path=Path("/m/good")),
    ]
    loaded = load_models(places, load)
    assert [(d.project, d.name, d.model) for d in loaded.deployments] == [
        ("p", "two", "good"),
        ("p", "alias", "good"),
    ]
    assert len(loaded.engines) == 1
    reasons = {failed.name: failed.reason for failed in loaded.failed}
    assert "model.onnx in /m/bad is empty" in reasons["one"]
    assert "another folder" in reasons["two"]
    assert "cannot be a project" in reasons["no name"]


def test_when_no_model_loads_the_first_reason_ends_the_start() -> None:
    with pytest.raises(ModelError, match=r"/m/bad1 "):
        load_models([Place(project="p", names=(n,), path=Path(f"/m/{n}")) for n in ("bad1", "bad2")], load)


def deployment(project: str, name: str, model: str = "m") -> Deployment:
    return Deployment(project=project, name=name, model=model, release="1.2", recognizer=cast("Any", None))


def test_names_are_case_sensitive_and_failed_ones_are_told_apart() -> None:
    served = Deployments()
    with pytest.raises(Stopping):
        served.find("p", "d")
    failing = load_models([Place(project="p", names=("x",), path=Path("/bad")), good()], load)
    served.set([deployment("p", "d")], failing.failed)
    assert served.find("p", "d").name == "d"
    with pytest.raises(UnknownDeployment, match="could not be loaded"):
        served.find("p", "x")
    for project, name in (("P", "d"), ("p", "D"), ("d", "p")):
        with pytest.raises(UnknownDeployment, match="No model is served"):
            served.find(project, name)


def good() -> Place:
    return Place(project="p", names=("d",), path=Path("/good"))


def test_the_first_answers_prebuilt_requests_in_its_own_version_only() -> None:
    served = Deployments()
    served.set([deployment("p", "a"), deployment("p", "b")])
    assert served.default().name == served.default("1.2").name == "a"
    with pytest.raises(UnknownModelVersion):
        served.default("2021-06-01")


def test_a_model_id_means_the_only_model_a_unique_name_or_the_alias() -> None:
    one = Deployments()
    one.set([deployment("p", "a")])
    assert one.by_model_id("0b0d_anything_latest").name == "a"
    two = Deployments(alias="guid_latest")
    two.set([deployment("p", "a", "m1"), deployment("p", "b", "m2")])
    assert [two.by_model_id(i).name for i in ("guid_latest", "b", "m2", "p/a")] == ["a", "b", "b", "a"]
    with pytest.raises(UnknownDeployment):
        two.by_model_id("other")
