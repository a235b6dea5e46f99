import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.authority.issuing.issue import IssuedLicense
from license.errors import LicenseError
from license.licenses.verify import AuthenticLicense, open_license

Issued = tuple[IssuedLicense, Any]
REPLACEMENTS = (b"", b"\n", b"0", b"\xff")


def attempt(note: bytes, issuer_note: bytes, vendor: Any) -> AuthenticLicense | None:
    try:
        return open_license(note, issuer_note, roots=vendor.roots, product="ner", instance_vkey=vendor.vkey)
    except LicenseError as error:
        assert error.message
        assert error.hint
        return None


def variants(data: bytes) -> list[bytes]:
    """Every byte replaced in turn by several others, and two bits of it flipped."""
    changed = []
    for at in range(len(data)):
        flips = [bytes([data[at] ^ bit]) for bit in (0x01, 0x20)]
        changed += [
            data[:at] + new + data[at + 1 :] for new in (*REPLACEMENTS, *flips) if new != data[at : at + 1]
        ]
    return changed


def test_every_changed_byte_of_the_licence_is_refused(issued: Issued) -> None:
    made, vendor = issued
    for changed in variants(made.note):
        assert attempt(changed, made.issuer_note, vendor) is None, changed


def test_every_changed_byte_of_the_issuer_note_is_refused(issued: Issued) -> None:
    made, vendor = issued
    for changed in variants(made.issuer_note):
        assert attempt(made.note, changed, vendor) is None, changed


def test_every_truncation_is_refused(issued: Issued) -> None:
    made, vendor = issued
    for size in range(len(made.note)):
        assert attempt(made.note[:size], made.issuer_note, vendor) is None
    for size in range(len(made.issuer_note)):
        assert attempt(made.note, made.issuer_note[:size], vendor) is None


def test_every_insertion_but_carriage_returns_is_refused(issued: Issued) -> None:
    made, vendor = issued
    for at in range(len(made.note) + 1):
        for extra in (b" ", b"\n"):
            assert attempt(made.note[:at] + extra + made.note[at:], made.issuer_note, vendor) is None, (
                at,
                extra,
            )
        opened = attempt(made.note[:at] + b"\r" + made.note[at:], made.issuer_note, vendor)
        assert opened is not None or 0x80 <= made.note[at] < 0xC0  # not inside a character of several bytes
        if opened is not None:
            assert opened.note == made.note


@given(st.data())
def test_no_mutation_is_accepted_and_none_gives_anything_but_a_refusal(
    issued: Issued, data: st.DataObject
) -> None:
    made, vendor = issued
    notes = [made.note, made.issuer_note]
    for _ in range(data.draw(st.integers(1, 4))):
        which = data.draw(st.integers(0, 1))
        note = notes[which]
        start = data.draw(st.integers(0, len(note)))
        end = data.draw(st.integers(start, min(len(note), start + 40)))
        notes[which] = note[:start] + data.draw(st.binary(max_size=40)) + note[end:]
    opened = attempt(notes[0], notes[1], vendor)
    if opened is not None:
        assert (opened.note, opened.issuer_note) == (made.note, made.issuer_note)


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_garbage_gives_a_refusal(issued: Issued, note: bytes, issuer_note: bytes) -> None:
    made, vendor = issued
    assert attempt(note, made.issuer_note, vendor) is None
    assert attempt(made.note, issuer_note, vendor) is None


def test_files_that_went_through_windows_are_the_same_licence(issued: Issued) -> None:
    made, vendor = issued
    plain = attempt(made.note, made.issuer_note, vendor)
    windows = [b"\xef\xbb\xbf" + note.replace(b"\n", b"\r\n") for note in (made.note, made.issuer_note)]
    assert attempt(windows[0], windows[1], vendor) == plain
    assert plain is not None
    assert plain.license == made.license


def test_refusals_say_which_file_they_are_about(issued: Issued) -> None:
    made, vendor = issued
    with pytest.raises(LicenseError, match=r"^licence: "):
        open_license(b"", made.issuer_note, roots=vendor.roots)
    with pytest.raises(LicenseError, match=r"^issuer note: "):
        open_license(made.note, made.issuer_note.replace(b"issuer", b"isuser"), roots=vendor.roots)


def test_what_is_opened_names_what_proves_it(issued: Issued) -> None:
    made, vendor = issued
    opened = open_license(made.note, made.issuer_note, roots=vendor.roots)
    assert opened.root == vendor.roots.keys[0]
    assert opened.delegation.key == vendor.authority.keyring.issuer.verifying
    assert len(opened.sha256) == 64


def test_optimised_python_refuses_as_well(issued: Issued, tmp_path: Any) -> None:
    made, vendor = issued
    (tmp_path / "license.note").write_bytes(made.note.replace(b"Acme", b"Akme"))
    (tmp_path / "issuer.note").write_bytes(made.issuer_note)
    program = (
        "import sys\nfrom pathlib import Path\nfrom license.licenses.directory import load_directory\n"
        "from license.trust.roots import load_roots\nfrom license.errors import Forged\n"
        "try:\n    load_directory(Path(sys.argv[1]), roots=load_roots(Path(sys.argv[2])))\n"
        "except Forged:\n    sys.exit(0 if sys.flags.optimize == 2 else 3)\nsys.exit(4)\n"
    )
    command = [sys.executable, "-OO", "-c", program, str(tmp_path), str(vendor.authority.roots_dir)]
    assert subprocess.run(command, check=False).returncode == 0


def test_verifying_loads_no_database_no_web_server_and_no_model_runtime() -> None:
    program = (
        "import sys, license.authority.cli.inspect, license.text, license.client.licenses\n"
        "import license.licenses.directory\n"
        "heavy = {'sqlmodel', 'sqlalchemy', 'pydantic', 'starlette', 'uvicorn', 'onnxruntime', 'appliance'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
