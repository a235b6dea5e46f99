from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.errors import ModelError, Stopping, UnknownDeployment
from appliance.models.locations import Place
from appliance.ner.engine import NerEngine
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.services.text_models import load_models


@dataclass
class Folder:
    name: str
    path: Path = Path("/m")
    release: str = "1"
    language: str = "en"
    made_for: tuple[str, ...] = ("en",)
    description: str = ""
    categories: tuple[str, ...] = ("Person",)


class Engine:
    def __init__(self, path: Path) -> None:
        self.folder = Folder(path.name)


class PanicError(BaseException):
    """As the tokenizer's library raises it: no Exception."""


def load(path: Path) -> NerEngine:
    if "panic" in path.name:
        raise PanicError("index out of range")
    if "bad" in path.name:
        raise ModelError(f"model.onnx in {path} is empty")
    return cast("NerEngine", Engine(path))


def test_a_model_that_fails_says_which_file_and_why_and_the_others_serve() -> None:
    places = [
        Place(project="p", names=("one",), path=Path("/m/bad")),
        Place(project="p", names=("two", "alias"), path=Path("/m/good")),
        Place(project="p", names=("two",), path=Path("/m/again")),
        Place(project="p", names=("no name",), path=Path("/m/good")),
        Place(project="p", names=("five",), path=Path("/m/panic")),
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
    assert reasons["five"] == "it cannot be loaded: PanicError: index out of range"


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
