"""`license show` and `license check`: what an operator asks before it matters."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from appliance.cli.main import main
from appliance.licensing.installation import Installation
from license.authority.issuing.issue import Terms
from tests.support.site import Site

Operate = Callable[..., Result]
Said = Callable[[Result], dict[str, Any]]


def test_show_says_what_stops_and_when(operate: Operate, site: Site) -> None:
    site.issue(terms=Terms(days=20, grace_days=3, report_days=10))
    result = operate("license", "show")
    assert result.exit_code == 0
    for words in ("Expiring, expires in 20 days", "requests are refused", "1,000,000", "issuer", "root"):
        assert words in result.stdout


def test_show_in_json_names_what_was_refused(operate: Operate, said: Said, site: Site) -> None:
    site.issue()
    (site.license / "bad.note").write_text("nonsense")
    shown = said(operate("license", "show", "--json"))
    assert shown["state"] == "Valid"
    assert [(Path(one["file"]).name, one["code"]) for one in shown["refused"]] == [("bad.note", "Malformed")]


def test_check_says_yes_with_its_exit_status(operate: Operate, site: Site) -> None:
    site.issue()
    result = operate("license", "check")
    assert result.exit_code == 0
    assert "Valid, expires in 365 days" in result.stdout


def test_check_says_no_to_an_expired_licence_with_the_next_step(operate: Operate, site: Site) -> None:
    end = int(time.time()) + 3  # the machine may be busy while the licence is made
    site.issue(changes=dict.fromkeys(("expires", "terminates", "report_by"), end))
    time.sleep(max(0.0, end - time.time()))
    result = operate("license", "check")
    assert result.exit_code == 78
    assert "error: the licence expired at" in result.stderr
    assert "hint: " in result.stderr


def test_check_of_a_line_the_licence_does_not_name(operate: Operate, site: Site) -> None:
    issued = site.issue()
    result = operate("license", "check", "--model", "ner-en/9")
    assert result.exit_code == 78
    assert f"licence {issued.id}" in result.stderr
    assert "ner-en/9" in result.stderr
    assert "hint: ask the vendor" in result.stderr


def test_check_of_nothing_says_what_may_be_asked(operate: Operate, site: Site) -> None:
    site.issue()
    result = operate("license", "check", "--model", "/no/such/thing")
    assert result.exit_code == 78
    assert "neither a file or folder here nor a model line" in result.stderr


def test_without_a_licence_the_documented_sentence_is_shown(operate: Operate, site: Site) -> None:
    assert operate("license", "request", "-o", "-").exit_code == 0
    result = operate("license", "show")
    assert result.exit_code == 78
    assert "The provided license path was not found." in result.stderr


def test_without_a_mount_the_setting_is_named(operate: Operate, site: Site) -> None:
    result = operate("license", "show", "Mounts:License=")
    assert result.exit_code == 78
    assert "Mounts:License is missing" in result.stderr


@pytest.mark.parametrize("group", ["license", "clock"])
def test_every_command_has_help_with_an_example(group: str) -> None:
    from click.testing import CliRunner

    listed = CliRunner().invoke(main, [group, "--help"])
    assert listed.exit_code == 0
    names = re.findall(r"(?m)^  (\S+)  ", listed.output.partition("Commands:")[2])
    assert len(names) > 1
    for name in names:
        shown = CliRunner().invoke(main, [group, name, "--help"])
        assert shown.exit_code == 0, name
        assert f"appliance {group} {name}" in shown.output


def test_the_settings_file_of_the_host_comes_before_environment_and_words(tmp_path: Path) -> None:
    file = tmp_path / "appliance.env"
    file.write_text("# settings\nEula=accept\nMounts__License=/from/file\nMounts__Output='/from/file'\n\n")
    environ = {"Mounts__Output": "/from/environment"}
    site = Installation.read(["Mounts:State=/from/words"], environ, roots_directory=None, system=file)
    assert site.license_directory() == Path("/from/file")
    assert site.settings.output_mount == Path("/from/environment")
    assert site.state == Path("/from/words")
    assert site.settings.eula == "accept"
    assert site.hosted


def test_on_a_host_with_the_unit_the_state_is_where_systemd_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "appliance.env"
    file.write_text("Mounts__License=/etc/appliance/license\n")
    site = Installation.read([], {"HOME": "/h"}, roots_directory=None, system=file)
    assert site.state == Path("/var/lib/private/appliance")
    other = ["Mounts:License=/elsewhere"]
    site = Installation.read(other, {"HOME": "/h"}, roots_directory=None, system=file)
    assert (site.hosted, site.state) == (False, Path("/elsewhere/identity"))


def test_a_missing_settings_file_is_none(tmp_path: Path) -> None:
    site = Installation.read([], {"HOME": "/h"}, roots_directory=None, system=tmp_path / "none")
    assert site.settings.license_mount is None
