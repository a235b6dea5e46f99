"""A request by file: who asks, what for, and that nothing secret leaves."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from appliance.config.identity import load_identity
from license.licenses.request import open_request
from tests.support.site import Site

Operate = Callable[..., Result]


def test_a_request_makes_the_keys_once_and_names_both(operate: Operate, site: Site, tmp_path: Path) -> None:
    out = tmp_path / "request.note"
    assert operate("license", "request", "-o", str(out), "--model", "ner-en/3").exit_code == 0
    request = open_request(out.read_bytes())
    identity = load_identity(site.state, create=False)
    assert identity.hpke is not None
    assert (request.instance, request.hpke) == (identity.vkey, identity.hpke.public)
    assert (request.product, request.models) == ("ner", ("ner-en/3",))
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in site.state.iterdir()} == {
        "instance.key": 0o600,
        "hpke.key": 0o600,
    }
    secret = (site.state / "hpke.key").read_text().strip()
    assert secret not in out.read_text()
    assert operate("license", "request", "-o", str(out)).exit_code == 0
    assert open_request(out.read_bytes()).hpke == request.hpke


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_keys_that_root_makes_belong_to_whoever_owns_the_directory(operate: Operate, site: Site) -> None:
    os.chown(site.state, 12_345, 12_345)
    assert operate("license", "request", "-o", "-").exit_code == 0
    assert {path.stat().st_uid for path in site.state.iterdir()} == {12_345}


def test_a_request_goes_to_standard_output_too(operate: Operate) -> None:
    result = operate("license", "request", "-o", "-")
    assert open_request(result.stdout_bytes).product == "ner"


def test_keys_open_to_others_are_refused(operate: Operate, site: Site) -> None:
    load_identity(site.state)
    (site.state / "hpke.key").chmod(0o644)
    result = operate("license", "request", "-o", "-")
    assert result.exit_code == 78
    assert "open to other users" in result.stderr


def test_a_word_that_is_no_setting_is_named(operate: Operate) -> None:
    result = operate("license", "request", "-o", "-", "Mounts:Lisence=/x")
    assert result.exit_code == 78
    assert "nothing reads the setting Mounts:Lisence" in result.stderr


def test_the_answer_is_installed_with_the_settings_of_the_request(operate: Operate, tmp_path: Path) -> None:
    done = operate("license", "request", "-o", str(tmp_path / "r.note"), "Service=speechtotext")
    assert done.exit_code == 0
    command = done.output.strip().rpartition("then: ")[2]
    assert command.startswith("appliance license install license.note issuer.note ")
    assert {"Service=speechtotext"} < set(command.split())
    assert all(word.startswith(("Mounts:", "Service=", "--roots", "/")) for word in command.split()[5:])
