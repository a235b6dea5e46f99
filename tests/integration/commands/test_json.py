"""What a program can read: `--json` on every command that prints a table or facts."""

import json
from pathlib import Path
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner

from appliance.cli.main import main as appliance
from license.authority.cli.main import main as license
from tests.support.command_tree import leaves

PROGRAMS: Final = {"appliance": appliance, "license": license}
METER: Final = "CognitiveServices.Ner.Container.TextRecords"

WITHOUT: Final = {
    "appliance clock accept": "prints no data: `clock show --json` has the state",
    "appliance completion": "prints a script for a shell",
    "appliance health": "answers by its exit status, for an engine that asks every few seconds",
    "appliance license request": "writes a note",
    "appliance metering preview": "prints the bytes that would be sent",
    "appliance models remove": "prints no data: `models list --json` has what is left",
    "appliance serve": "runs until it is stopped",
    "appliance site request": "writes a note",
    "appliance site serve": "runs until it is stopped",
    "appliance transcribe": "writes transcripts: `--format json` has them with the times of words",
    "license completion": "prints a script for a shell",
    "license request": "writes a note",
    "license resource approve": "prints no data: `resource show --json` has the resource",
    "license resource grant": "prints no data: `resource show --json` has the resource",
    "license resource limit": "prints no data: `resource show --json` has the resource",
    "license resource regenerate-key": "prints the new key and nothing else",
    "license serve": "runs until it is stopped",
}
"""Commands that have no `--json`, and why."""


def typed(program: str, *words: object) -> Any:
    done = CliRunner().invoke(PROGRAMS[program], [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_command_prints_json_but_those_that_print_no_facts() -> None:
    without = {
        " ".join((name, *path))
        for name, program in PROGRAMS.items()
        for path, command in leaves(program)
        if "--json" not in {option for parameter in command.params for option in parameter.opts}
    }
    assert without == set(WITHOUT)


def test_json_is_one_flag_of_one_name_everywhere() -> None:
    for program in PROGRAMS.values():
        for path, command in leaves(program):
            for option in command.params:
                if "--json" in option.opts:
                    assert isinstance(option, click.Option), path
                    assert (option.opts, option.name, option.is_flag) == (["--json"], "as_json", True), path


def test_the_vendor_reads_new_keys_and_new_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = typed("license", "init", "authority", "--no-passphrase", "--json")
    assert set(made["rootKeys"]) == {
        str(Path("authority/keys") / f"{name}.key") for name in ("root", "spare-root")
    }
    assert made["roots"] == {
        str(path): path.read_text().strip() for path in Path("authority/roots").iterdir()
    }
    rotated = typed("license", "rotate", "issuer", "--json")
    assert (rotated["role"], rotated["epoch"]) == ("issuer", 2)
    typed("license", "resource", "create", "acme", "--customer", "Acme", "--meter", f"{METER}=10", "--json")
    added = typed("license", "resource", "add-units", "acme", f"{METER}=5", "--json")
    assert added == {"name": "acme", "included": {METER: 15}}


def test_a_data_person_reads_what_was_converted_and_every_mistake(place: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    facts = typed("appliance", "dataset", "convert", place / "labelled.conll", "--out", project, "--json")
    assert facts["project"] == str(project / "project.json")
    assert facts["categories"] == ["Location", "Person"]
    check = ("dataset", "check", project / "project.json", "--documents", project / "documents", "--json")
    checked = typed("appliance", *check)
    for key in ("texts", "labels", "categories"):
        assert checked[key] == facts[key]
    assert (checked["mistakes"], checked["hindered"]) == ([], False)
    next((project / "documents").iterdir()).write_text("x")
    done = CliRunner().invoke(appliance, [str(word) for word in check])
    assert done.exit_code == 1
    mistakes = json.loads(done.stdout)["mistakes"]
    assert f"error: {len(mistakes)} labelling mistakes" in done.stderr


def test_an_operator_reads_what_was_exported(place: Path, tmp_path: Path) -> None:
    words = ("usage", "export", place / "machine/output", "--state", place / "machine/state")
    facts = typed("appliance", *words, "-o", tmp_path / "usage.zip", "--json")
    assert facts["file"] == str(tmp_path / "usage.zip")
    assert facts["bytes"] == (tmp_path / "usage.zip").stat().st_size
    assert len(facts["sha256"]) == 64
    refused = CliRunner().invoke(appliance, [*map(str, words), "--dry-run", "--json"])
    assert refused.exit_code == 2
    assert "give --json or --dry-run, not both" in refused.stderr
