"""Heads that a connected machine reported go from the vendor to the auditor: the log has to contain them."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from appliance.ledger.transfer.export import write_bundle
from license.authority.cli.main import main as license_main
from license.crypto.ed25519 import SigningKey
from license.evidence.bundle.lines import parse_head_lines, render_head_lines
from license.evidence.log.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from license.evidence.tool.command import main as usage_verify
from tests.integration.connected.conftest import Machine, Vendor


def handed_over(meter: Vendor, file: Path) -> Path:
    """What the vendor's command prints, in a file."""
    name, home = meter.created.resource.name, str(meter.authority.home)
    done = CliRunner().invoke(license_main, ["usage", name, "--heads", "--home", home])
    assert done.exit_code == 0, done.output
    file.write_text(done.stdout)
    return file


def audited(meter: Vendor, what: Path, heads: Path) -> tuple[int, Any]:
    out = io.StringIO()
    roots = str(meter.authority.roots_dir)
    status = usage_verify([str(what), "--roots", roots, "--heads", str(heads), "--json"], out)
    return status, json.loads(out.getvalue())


def codes(said: Any) -> set[str]:
    return {finding["code"] for finding in said["findings"]}


def exported(reporting: Machine, file: Path, *, full: bool = False) -> Path:
    reporting.ledger.checkpoint()
    with file.open("wb") as target:
        write_bundle(reporting.directory, target, identity=reporting.identity.signing, full=full)
    return file


@pytest.fixture
def reported(reporting: Machine, meter: Vendor, tmp_path: Path) -> Path:
    reporting.use(3, 1)
    reporting.reporter.attempt()
    return handed_over(meter, tmp_path / "heads.txt")


def test_a_log_that_contains_what_was_reported_is_clean(
    reporting: Machine, meter: Vendor, reported: Path, tmp_path: Path
) -> None:
    (note,) = parse_head_lines(reported.read_bytes())
    assert read_checkpoint(note).origin == reporting.ledger.origin
    for full in (False, True):
        status, said = audited(meter, exported(reporting, tmp_path / f"{full}.zip", full=full), reported)
        assert (status, codes(said)) == (0, {"claimed"} if not full else set()), said
    assert audited(meter, reporting.directory, reported)[0] == 0


@pytest.mark.parametrize("full", [False, True], ids=["summary", "full"])
def test_a_log_of_another_history_is_a_fork(
    reporting: Machine, meter: Vendor, reported: Path, tmp_path: Path, full: bool
) -> None:
    (note,) = parse_head_lines(reported.read_bytes())
    head = read_checkpoint(note)
    other = Checkpoint(origin=head.origin, size=head.size, root=bytes(32))
    reported.write_bytes(render_head_lines([sign_checkpoint(other, reporting.identity.signing)]))
    status, said = audited(meter, exported(reporting, tmp_path / "e.zip", full=full), reported)
    assert (status, "fork" in codes(said)) == (2, True), said
    assert audited(meter, reporting.directory, reported)[0] == 2


def test_a_head_newer_than_the_export_is_no_verdict_on_it(
    reporting: Machine, meter: Vendor, tmp_path: Path
) -> None:
    reporting.use(3)
    export = exported(reporting, tmp_path / "e.zip")
    reporting.use(4)
    reporting.reporter.attempt()
    heads = handed_over(meter, tmp_path / "heads.txt")
    status, said = audited(meter, export, heads)
    assert (status, "newer" in codes(said)) == (0, True), said
    # Whoever else signs one has to be believed less: that would be a way to hide a rollback.
    (note,) = parse_head_lines(heads.read_bytes())
    stranger = SigningKey.generate("offline-appliance/instance")
    heads.write_bytes(render_head_lines([sign_checkpoint(read_checkpoint(note), stranger)]))
    assert audited(meter, export, heads)[0] == 2


def test_the_log_itself_behind_what_it_reported_was_put_back(
    reporting: Machine, meter: Vendor, tmp_path: Path
) -> None:
    reporting.use(3)
    reporting.ledger.checkpoint()
    shutil.copytree(reporting.directory, tmp_path / "snapshot")
    reporting.use(4)
    reporting.reporter.attempt()
    status, said = audited(meter, tmp_path / "snapshot", handed_over(meter, tmp_path / "heads.txt"))
    assert (status, "rollback" in codes(said)) == (2, True), said


def test_a_head_of_another_machine_says_nothing_of_this_export(
    reporting: Machine, meter: Vendor, reported: Path, tmp_path: Path
) -> None:
    other = SigningKey.generate("offline-appliance/instance")
    origin = f"offline-appliance/customner/{other.verifying.fingerprint}/1"
    head = Checkpoint(origin=origin, size=5, root=bytes(32))
    reported.write_bytes(reported.read_bytes() + render_head_lines([sign_checkpoint(head, other)]))
    status, said = audited(meter, exported(reporting, tmp_path / "e.zip"), reported)
    assert (status, codes(said)) == (0, {"claimed"}), said
    own = Checkpoint(origin=f"{reporting.ledger.origin[:-1]}2", size=5, root=bytes(32))
    line = render_head_lines([sign_checkpoint(own, reporting.identity.signing)])
    reported.write_bytes(line)
    status, said = audited(meter, tmp_path / "e.zip", reported)
    assert (status, codes(said)) == (0, {"claimed", "newer"}), "a log that may have begun since"
    reported.write_bytes(b"checkpoint of 2020-01-01T00:00:00Z: " + line)
    status, said = audited(meter, tmp_path / "e.zip", reported)
    assert (status, "missing-log" in codes(said)) == (2, True), said


def test_where_nothing_was_reported_the_command_says_so(meter: Vendor) -> None:
    words = ["usage", meter.created.resource.name, "--heads", "--home", str(meter.authority.home)]
    done = CliRunner().invoke(license_main, words)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "has reported a head" in done.stderr
    assert CliRunner().invoke(license_main, [*words, "--json"]).exit_code == 2
