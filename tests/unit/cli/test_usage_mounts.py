"""Usage commands find the logs and the keys as the licence commands do."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.usage import usage
from appliance.config.env_file import ENVIRONMENT_FILE
from appliance.config.identity import load_identity
from tests.support.evidence import run_days, vendor
from tests.support.ledger import Machine, Vendor

__all__ = ["vendor"]


@pytest.fixture
def machine(tmp_path: Path, vendor: Vendor) -> Machine:
    """A machine with two days of usage, whose keys lie in its state directory."""
    identity = load_identity(tmp_path / "machine" / "state")
    made = Machine(tmp_path / "machine", vendor, identity=identity.signing)
    made.directory = made.output / "customner" / identity.instance
    run_days(made, 2)
    return made


def run(*words: object, **settings: object) -> Result:
    environ: dict[str, str | None] = {name: None for name in os.environ if "__" in name}
    environ |= {name: str(value) for name, value in settings.items()}
    return CliRunner().invoke(usage, [str(word) for word in words], env=environ)


def test_words_the_environment_and_arguments_name_the_same_mounts(machine: Machine, tmp_path: Path) -> None:
    output, state = machine.output, machine.state
    ways: list[tuple[tuple[object, ...], dict[str, object]]] = [
        ((output, "--state", state), {}),
        ((f"Mounts:Output={output}", f"Mounts:State={state}"), {}),
        ((output, f"Mounts:State={state}"), {}),
        ((), {"Mounts__Output": output, "Mounts__State": state}),
    ]
    for number, (words, settings) in enumerate(ways):
        out = tmp_path / f"{number}.zip"
        done = run("export", *words, "-o", out, **settings)
        assert done.exit_code == 0, done.output
        said = run("verify", out, "--roots", machine.vendor.directory)
        assert said.exit_code == 0, said.output
        rest = [word for word in words if word not in ("--state", state)]
        live = run("verify", *rest, "--roots", machine.vendor.directory, **settings)
        assert live.exit_code == 0, live.output
        report = json.loads(run("report", *rest, "--json", **settings).stdout)
        assert report["meters"][0]["quantity"] == 40, report


@pytest.mark.skipif(ENVIRONMENT_FILE.exists(), reason="a service is installed here, and its mounts are found")
def test_without_any_word_of_them_the_command_says_what_to_name(tmp_path: Path) -> None:
    for words in (("report",), ("verify",), ("export", "-o", tmp_path / "x.zip")):
        done = run(*words)
        assert done.exit_code != 0
        assert "no output directory is named" in done.output
        assert "Mounts:Output=OUTPUT" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "/nowhere"), "there is no file or directory /nowhere"),
        (("verify", "/nowhere.zip"), "there is no file or directory /nowhere.zip"),
        (("report", "Mounts:Output=/nowhere"), "there is no output directory /nowhere"),
        (("report", "/usr", "/var"), "got /usr /var"),
        (("export", "/usr", "Mounts:State=/nowhere", "-o", "x.zip"), "there is no state directory /nowhere"),
        (("receipt",), "got nothing"),
        (("receipt", "/usr", "/nowhere"), "/nowhere is not a directory"),
    ],
)
def test_a_word_that_cannot_be_meant_is_named(words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output
