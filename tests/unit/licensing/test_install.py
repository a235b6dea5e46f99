"""A licence that was carried in: read however it travelled, verified before it is saved, never in the way."""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from appliance.config.identity import load_identity
from tests.support.site import Site

Operate = Callable[..., Result]
DAY = 86_400


@pytest.fixture
def stick(site: Site, tmp_path: Path) -> Path:
    """The two notes for this site, on their way."""
    site.issue(into=tmp_path / "stick")
    return tmp_path / "stick"


def names(site: Site) -> list[str]:
    return sorted(path.name for path in site.license.iterdir())


@pytest.mark.parametrize(("directory", "file"), [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644)])
def test_both_files_in_either_order_are_installed_as_readable_as_their_directory(
    operate: Operate, site: Site, stick: Path, directory: int, file: int
) -> None:
    site.license.chmod(directory)
    result = operate("license", "install", str(stick / "issuer.note"), str(stick / "license.note"))
    assert result.exit_code == 0, result.output
    assert names(site) == ["issuer.note", "license.note"]
    for path in site.license.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == file
        assert path.read_bytes() == (stick / path.name).read_bytes()
    assert "Test customer" in result.stdout
    assert "in 365 days" in result.stdout
    assert "1,000,000 until" in result.stdout
    assert "within a minute" in result.stderr


def test_a_program_reads_what_was_installed_and_what_a_dry_run_would_install(
    operate: Operate, site: Site, stick: Path
) -> None:
    looked = json.loads(operate("license", "install", str(stick), "--dry-run", "--json").stdout)
    assert (looked["saved"], names(site)) == (None, [])
    done = json.loads(operate("license", "install", str(stick), "--json").stdout)
    assert done["saved"] == str(site.license / "license.note")
    assert {**done, "saved": None} == looked
    assert done["license"]["customer"] == "Test customer"
    assert done["run"]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_files_that_passed_a_windows_machine_are_saved_as_they_were_signed(
    operate: Operate, site: Site, stick: Path, bom: bytes
) -> None:
    signed = {path.name: path.read_bytes() for path in stick.iterdir()}
    for path in stick.iterdir():
        path.write_bytes(bom + path.read_bytes().replace(b"\n", b"\r\n"))
    assert operate("license", "install", str(stick)).exit_code == 0
    assert {path.name: path.read_bytes() for path in site.license.iterdir()} == signed


@pytest.mark.parametrize("order", [("license.note", "issuer.note"), ("issuer.note", "license.note")])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_standard_input_may_hold_both(
    operate: Operate, site: Site, stick: Path, order: tuple[str, str], ends: bytes
) -> None:
    both = b"".join(b"\xef\xbb\xbf" + (stick / name).read_bytes() for name in order).replace(b"\n", ends)
    assert operate("license", "install", "-", stdin=both).exit_code == 0
    assert names(site) == ["issuer.note", "license.note"]


def test_a_renewal_needs_no_issuer_note_where_the_old_one_proves_it(
    operate: Operate, site: Site, stick: Path, tmp_path: Path
) -> None:
    assert operate("license", "install", str(stick)).exit_code == 0
    renewed = site.issue(into=tmp_path / "renewed")
    result = operate("license", "install", str(tmp_path / "renewed" / "license.note"))
    assert result.exit_code == 0, result.output
    assert renewed.id in result.stdout


def test_without_any_issuer_note_the_missing_file_is_named(operate: Operate, stick: Path) -> None:
    result = operate("license", "install", str(stick / "license.note"))
    assert result.exit_code == 78
    assert "issuer.note" in result.stderr


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda data: data.replace(b"Test customer", b"Best customer"), "does not fit the text"),
        (lambda data: data[: len(data) // 2], "license.note"),
        (lambda data: b"\x00" * 100, "license.note"),
        (lambda data: b"", "license.note"),
    ],
)
def test_a_spoiled_licence_changes_nothing(
    operate: Operate, site: Site, stick: Path, spoil: Callable[[bytes], bytes], sentence: str
) -> None:
    site.issue()
    before = {path.name: path.read_bytes() for path in site.license.iterdir()}
    note = stick / "license.note"
    note.write_bytes(spoil(note.read_bytes()))
    result = operate("license", "install", str(stick))
    assert result.exit_code == 78, result.output
    assert sentence in result.stderr
    assert "hint: " in result.stderr
    assert {path.name: path.read_bytes() for path in site.license.iterdir()} == before


def test_a_licence_of_another_machine_is_refused_with_the_way_out(
    operate: Operate, new_site: Callable[..., Site], tmp_path: Path
) -> None:
    other = new_site("other")
    load_identity(other.state)
    new_site("third").issue(into=tmp_path / "theirs")
    result = operate("license", "install", str(tmp_path / "theirs"), at=other)
    assert result.exit_code == 78
    assert "bound to another machine" in result.stderr
    assert "make a request on this machine" in result.stderr
    assert names(other) == []


def test_where_nobody_ever_asked_for_a_licence_that_is_said(
    operate: Operate, new_site: Callable[..., Site], stick: Path
) -> None:
    result = operate("license", "install", str(stick), at=new_site("empty"))
    assert result.exit_code == 78
    assert "has no key yet" in result.stderr
    assert "Mounts:State" in result.stderr


def test_a_bearer_licence_needs_no_request(
    operate: Operate, new_site: Callable[..., Site], site: Site, tmp_path: Path
) -> None:
    site.issue(into=tmp_path / "bearer", binding="any")
    empty = new_site("empty")
    assert operate("license", "install", str(tmp_path / "bearer"), at=empty).exit_code == 0
    assert (empty.state / "instance.key").exists()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in empty.license.iterdir()}
    assert modes == {0o600}, "whoever reads it has the licence"


def test_a_request_is_told_apart_from_a_licence(operate: Operate, tmp_path: Path) -> None:
    note = tmp_path / "request.note"
    assert operate("license", "request", "-o", str(note)).exit_code == 0
    result = operate("license", "install", str(note))
    assert result.exit_code == 78
    assert "is a licence request, which goes to the vendor" in result.stderr


def test_an_older_licence_does_not_replace_a_newer_one(operate: Operate, site: Site, stick: Path) -> None:
    newer = site.issue()
    result = operate("license", "install", str(stick))
    assert result.exit_code == 78
    assert f"serial {newer.serial} is in place" in result.stderr


def test_an_expired_licence_is_not_installed(operate: Operate, site: Site, tmp_path: Path) -> None:
    end = int(time.time()) + 1
    site.issue(into=tmp_path / "old", changes=dict.fromkeys(("expires", "terminates", "report_by"), end))
    time.sleep(max(0.0, end - time.time()))
    result = operate("license", "install", str(tmp_path / "old"))
    assert result.exit_code == 78
    assert "the licence expired at" in result.stderr
    assert names(site) == []


def ahead(days: int) -> dict[str, Any]:
    first = int(time.time()) + days * DAY
    return {
        "not_before": first,
        "expires": first + 300 * DAY,
        "terminates": first + 330 * DAY,
        "report_by": first + 90 * DAY,
    }


def test_a_renewal_before_its_first_day_leaves_the_present_one_beside_it(
    operate: Operate, site: Site, said: Callable[[Result], dict[str, Any]], tmp_path: Path
) -> None:
    present = site.issue()
    renewed = site.issue(into=tmp_path / "renewed", changes=ahead(20))
    result = operate("license", "install", str(tmp_path / "renewed"))
    assert result.exit_code == 0, result.output
    assert "Valid from" in result.stdout
    assert f"license-{present.serial}.note" in names(site)
    shown = said(operate("license", "show", "--json"))
    assert shown["license"]["id"] == present.id
    assert [one["id"] for one in shown["next"]] == [renewed.id]
    following = site.issue(into=tmp_path / "following")
    assert operate("license", "install", str(tmp_path / "following")).exit_code == 0
    assert said(operate("license", "show", "--json"))["license"]["id"] == following.id
    assert names(site) == ["issuer.note", "license.note"]


def test_a_dry_run_verifies_and_writes_nothing(operate: Operate, site: Site, stick: Path) -> None:
    result = operate("license", "install", "--dry-run", str(stick))
    assert result.exit_code == 0
    assert "Test customer" in result.stdout
    assert names(site) == []


def test_a_missing_licence_directory_is_to_be_made_and_nothing_above_it_is_named(
    operate: Operate, site: Site, stick: Path
) -> None:
    site.license.rmdir()
    result = operate("license", "install", str(stick))
    assert result.exit_code == 1
    assert str(site.license) in result.stderr
    assert (
        f"make it: sudo install -d -m 0750 -o {os.geteuid()} -g {os.getegid()} {site.license}"
        in result.stderr
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_files_installed_by_root_belong_to_whoever_owns_the_directory(
    operate: Operate, site: Site, stick: Path
) -> None:
    for owner in (12_345, 0):
        os.chown(site.license, owner, 12_345)
        assert operate("license", "install", str(stick)).exit_code == 0
        belongs = {(path.stat().st_uid, path.stat().st_gid) for path in site.license.iterdir()}
        assert belongs == {(owner, 12_345)}
