import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from license.crypto.ed25519 import SigningKey
from license.errors import (
    NOT_FOUND_SENTENCE,
    Forged,
    LicenseNotFound,
    Malformed,
    SerialTooLow,
    UnknownIssuer,
    UnknownSigner,
    Unreadable,
    Unwritable,
    WrongMachine,
)
from license.licenses.directory import load_directory, save_license
from license.licenses.verify import open_license


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "license"
    path.mkdir()
    return path


def put(place: Path, vendor: Any, name: str = "license.note", **terms: Any) -> int:
    issued = vendor.issue(**terms)
    (place / name).write_bytes(issued.note)
    (place / "issuer.note").write_bytes(issued.issuer_note)
    return int(issued.license.serial)


def test_the_licence_in_the_directory_is_found(place: Path, vendor: Any) -> None:
    serial = put(place, vendor)
    found = load_directory(place, roots=vendor.roots, product="ner", instance_vkey=vendor.vkey)
    assert found.license.serial == serial


def test_the_highest_valid_serial_wins_whatever_the_names(place: Path, vendor: Any) -> None:
    put(place, vendor, "z.note")
    second = put(place, vendor, "m.note")
    third = put(place, vendor, "a.note")
    assert load_directory(place, roots=vendor.roots).license.serial == third
    (place / "a.note").write_bytes((place / "a.note").read_bytes().replace(b"Acme", b"Akme"))
    assert load_directory(place, roots=vendor.roots).license.serial == second


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe", b"hello\n", b"x" * 300_000])
def test_a_bad_new_file_never_takes_down_a_good_old_one(place: Path, vendor: Any, garbage: bytes) -> None:
    serial = put(place, vendor)
    (place / "new.note").write_bytes(garbage)
    (place / "directory.note").mkdir()
    os.mkfifo(place / "fifo.note")
    heard: dict[str, str] = {}
    found = load_directory(
        place, roots=vendor.roots, on_refusal=lambda path, error: heard.update({path.name: error.code})
    )
    assert found.license.serial == serial
    assert heard == {"new.note": "Malformed", "directory.note": "Unreadable", "fifo.note": "Unreadable"}


def test_a_missing_or_empty_directory_gives_the_documented_sentence(place: Path, vendor: Any) -> None:
    for path in (place, place / "missing"):
        with pytest.raises(LicenseNotFound) as caught:
            load_directory(path, roots=vendor.roots)
        assert caught.value.message == NOT_FOUND_SENTENCE
        assert caught.value.hint


def test_a_file_in_the_place_of_the_directory_is_explained(place: Path, vendor: Any) -> None:
    put(place, vendor)
    with pytest.raises(LicenseNotFound) as caught:
        load_directory(place / "license.note", roots=vendor.roots)
    assert "names the directory" in caught.value.hint


def test_a_renamed_licence_is_not_used_but_recognised(place: Path, vendor: Any) -> None:
    put(place, vendor, "license.note.txt")
    with pytest.raises(LicenseNotFound) as caught:
        load_directory(place, roots=vendor.roots)
    assert caught.value.hint.endswith(f"mv {place / 'license.note.txt'} {place / 'license.note'}")


def test_a_licence_without_its_issuer_note_says_what_to_carry(place: Path, vendor: Any) -> None:
    put(place, vendor)
    (place / "issuer.note").unlink()
    with pytest.raises(LicenseNotFound, match="no issuer note") as caught:
        load_directory(place, roots=vendor.roots)
    assert "issuer.note" in caught.value.hint


def test_of_several_refusals_the_one_that_came_furthest_is_told(
    place: Path, vendor: Any, new_vendor: Callable[..., Any]
) -> None:
    put(place, new_vendor(), "stranger.note")  # its issuer note is overwritten below
    with pytest.raises(UnknownSigner):
        load_directory(place, roots=vendor.roots)
    put(place, vendor, "license.note")
    other = SigningKey.generate("other").verifying.vkey
    with pytest.raises(WrongMachine):
        load_directory(place, roots=vendor.roots, instance_vkey=other)
    with pytest.raises(SerialTooLow):
        load_directory(place, roots=vendor.roots, min_serial=99)
    (place / "license.note").write_bytes((place / "license.note").read_bytes().replace(b"Acme", b"Akme"))
    with pytest.raises(Forged):
        load_directory(place, roots=vendor.roots)
    (place / "license.note").unlink()
    with pytest.raises(UnknownIssuer):
        load_directory(place, roots=vendor.roots)


def test_a_damaged_licence_is_named(place: Path, vendor: Any) -> None:
    put(place, vendor)
    (place / "license.note").write_bytes((place / "license.note").read_bytes()[:-30])
    with pytest.raises(Malformed, match=r"license\.note"):
        load_directory(place, roots=vendor.roots)


def test_too_many_notes_are_refused_before_they_are_read(place: Path, vendor: Any) -> None:
    for n in range(65):
        (place / f"{n}.note").touch()
    with pytest.raises(Malformed, match="more than 64"):
        load_directory(place, roots=vendor.roots)


def test_saved_files_are_private_and_come_back(place: Path, vendor: Any) -> None:
    opened = vendor.opened()
    note, issuer = save_license(place, opened)
    assert (note.name, issuer.name) == ("license.note", "issuer.note")
    assert {path.stat().st_mode & 0o777 for path in (note, issuer)} == {0o600}
    assert load_directory(place, roots=vendor.roots) == opened
    assert sorted(path.name for path in place.iterdir()) == ["issuer.note", "license.note"]


def test_at_every_step_of_saving_the_directory_holds_a_good_pair(
    tmp_path: Path, vendor: Any, new_vendor: Callable[..., Any]
) -> None:
    # Interrupt the saving after each of its writes by making the next target a directory it cannot replace.
    old = vendor.opened()
    another = new_vendor()
    new = another.opened()
    for blocked in ("issuer.note", "license.note"):
        place = tmp_path / f"blocked-{blocked}"
        place.mkdir()
        save_license(place, old)
        if blocked == "license.note":
            (place / "kept.note").write_bytes((place / "license.note").read_bytes())
            (place / "license.note").unlink()
        else:
            (place / "kept-issuer.note").write_bytes((place / "issuer.note").read_bytes())
            (place / "issuer.note").unlink()
        (place / blocked / "inside").mkdir(parents=True)
        with pytest.raises(Unwritable):
            save_license(place, new)
        assert load_directory(place, roots=vendor.roots) == old
    save_license(tmp_path, old)
    save_license(tmp_path, new)
    assert load_directory(tmp_path, roots=another.roots) == new


@pytest.fixture
def open_place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_what_may_not_be_read_or_written_says_owner_mode_and_command(
    open_place: Path, vendor: Any, mode: int
) -> None:
    place = open_place / "license"
    place.mkdir(mode=mode)
    put(place, vendor)
    for file in place.iterdir():
        file.chmod(0o600)
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from license.licenses.directory import load_directory, save_license\nfrom license.errors import *\n"
        "from license.crypto.ed25519 import SigningKey\nfrom license.trust.roots import TrustRoots\n"
        "roots = TrustRoots(keys=(SigningKey.generate('r').verifying,), sources=(Path('x'),))\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n    load_directory(Path(sys.argv[1]), roots=roots)\n"
        "except Unreadable as error:\n    print(error.message, '|', error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(place)], check=True, capture_output=True, text=True
    )
    assert "belongs to 0:0 with mode 0" in done.stdout
    assert "this process is 65534:65534: sudo chown 65534:65534 /" in done.stdout


def test_a_missing_directory_cannot_be_written(tmp_path: Path, vendor: Any) -> None:
    issued = vendor.issue()
    opened = open_license(issued.note, issued.issuer_note, roots=vendor.roots)
    with pytest.raises(Unwritable, match="cannot write the licence") as caught:
        save_license(tmp_path / "missing", opened)
    assert caught.value.hint.startswith("make it: sudo install -d ")


def test_unreadable_files_beside_a_good_licence_do_no_harm(place: Path, vendor: Any) -> None:
    serial = put(place, vendor)
    (place / "dangling.note").symlink_to(place / "nowhere")
    assert load_directory(place, roots=vendor.roots).license.serial == serial
    (place / "license.note").unlink()
    with pytest.raises(Unreadable):
        load_directory(place, roots=vendor.roots)
