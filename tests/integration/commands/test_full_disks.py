"""Commands that write much say before the work that a disk is too full, and change nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main as appliance
from license.authority.cli.main import main as license
from tests.support.disks import full_disk
from tests.support.paths import BUNDLED

PROGRAMS = {"appliance": appliance, "license": license}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk without a free byte."""
    with full_disk(tmp_path / "disk") as folder:
        yield folder


def refused(status: int, program: str, *words: object) -> Result:
    done = CliRunner().invoke(PROGRAMS[program], [str(word) for word in words])
    assert done.exit_code == status, done.output
    error, hint = done.stderr.splitlines()[-2:]
    assert " MB in " in error, error
    assert error.endswith(", and 0 MB are free there")
    assert hint == "hint: make room on that disk, or name a place on another one"
    return done


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_models_add(full: Path, tmp_path: Path, form: str) -> None:
    source = BUNDLED / "ner-en"
    if form == "zip":
        source = Path(shutil.make_archive(str(tmp_path / "model"), "zip", source))
    said = refused(
        74, "appliance", "models", "add", source, "--project", "p", "--name", "m", f"Models:Path={full}"
    )
    assert f"error: the model {source} needs 20 MB in {full}" in said.stderr
    assert list(full.iterdir()) == []


def test_train(full: Path, place: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    CliRunner().invoke(
        appliance, ["dataset", "convert", str(place / "labelled.conll"), "--out", str(project)]
    )
    words = ("train", project / "project.json", "--documents", project / "documents", "--out", full / "model")
    said = refused(74, "appliance", *words)
    assert f"error: the model {full / 'model'} needs 24 MB in {full}" in said.stderr
    assert len(said.stderr.splitlines()) == 3, "what it would learn from, and the refusal"
    assert list(full.iterdir()) == []


def test_a_full_export(full: Path, place: Path) -> None:
    words = ("usage", "export", place / "machine/output", "--state", place / "machine/state")
    said = refused(74, "appliance", *words, "--full", "-o", full / "usage.zip")
    assert "error: the full export needs 1 MB" in said.stderr
    assert list(full.iterdir()) == []


def test_pack(full: Path, place: Path, tmp_path: Path) -> None:
    home = tmp_path / "authority"
    shutil.copytree(place / "authority", home)
    words = ("pack", BUNDLED / "ner-en", "--line", "ner-en/1", "--release", "1.0.0", "--out", full)
    said = refused(1, "license", *words, "--home", home)
    assert "error: the package ner-en-1-1.0.0.age needs 20 MB" in said.stderr
    assert list(full.iterdir()) == []
