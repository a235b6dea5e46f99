"""Exports that are small to send and large to read: vendor and auditor refuse them before they unpack."""

import hashlib
import json
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from license.authority.authority import Authority
from license.crypto.ed25519 import SigningKey
from license.evidence.bundle.archive import NOTE
from license.trust.signed_note import read_unverified, sign_note
from tests.support.evidence import closed, members, packed, three_days, vendor
from tests.support.ledger import Machine, Vendor
from tests.support.zips import Packed, archive_of

__all__ = ["closed", "packed", "three_days", "vendor"]

MEMORY = 600 * 2**20  # bytes of address space: the programs alone take some 200 MiB of it
ZEROS = Packed.of("", bytes(64 * 2**20))


def signed(genuine: Path, extra: Sequence[Packed], key: SigningKey) -> bytes:
    """A genuine export with more members, its note signed again by the installation that made it."""
    files = members(genuine)
    first, _, body = read_unverified(files.pop(NOTE)).partition("\n")
    claims = json.loads(body)
    for file in extra:
        files.pop(file.name, None)
        named = file.name.removeprefix("notes/").removesuffix(".note")
        sha256 = named if len(named) == 64 else hashlib.sha256(zlib.decompress(file.data, -15)).hexdigest()
        claims["members"][file.name] = {"bytes": file.size, "sha256": sha256}
    note = sign_note(f"{first}\n{json.dumps(claims)}\n", key)
    return archive_of([Packed.of(NOTE, note), *(Packed.of(*item) for item in files.items()), *extra])


def zeros(name: str) -> Packed:
    return Packed(name=name, data=ZEROS.data, size=ZEROS.size, crc=ZEROS.crc)


def notes(count: int) -> list[Packed]:
    return [zeros(f"notes/{number:064x}.note") for number in range(count)]


def many_heads(line: bytes) -> list[Packed]:
    """A log's heads, as many as one file may hold, and noise that makes the archive long enough for them."""
    noise = Packed.of("noise.txt", b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(8_000)))
    return [noise, Packed.of("logs/1/heads.txt", line * (20 * 2**20 // len(line)))]


def verify(path: Path, roots: Path) -> "subprocess.CompletedProcess[str]":
    return run("license.evidence.tool.command", str(path), "--roots", str(roots))


def run(module: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program with an address space that no honest export needs."""
    code = f"import sys; from {module} import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )


@pytest.mark.parametrize("count", [40, 390])
def test_notes_of_zeros_are_refused_by_the_auditor_unread(
    packed: Callable[..., Path], closed: Machine, vendor: Vendor, tmp_path: Path, count: int
) -> None:
    path = tmp_path / "swelling.zip"
    path.write_bytes(signed(packed(), notes(count), closed.identity))
    assert path.stat().st_size < 3 * 2**20
    done = verify(path, vendor.directory)
    assert done.returncode == 65, done.stderr
    assert "would unpack to" in done.stderr
    assert "Traceback" not in done.stderr


def test_notes_of_zeros_are_refused_by_the_vendor_unread(
    packed: Callable[..., Path], closed: Machine, tmp_path: Path
) -> None:
    path = tmp_path / "swelling.zip"
    path.write_bytes(signed(packed(), notes(390), closed.identity))
    home = str(tmp_path / "home")
    Authority.create(tmp_path / "home").close()
    done = run("license.authority.cli.main", "ingest", str(path), "--dry-run", "--home", home)
    assert done.returncode == 65, done.stderr
    assert "would unpack to" in done.stderr


def test_a_note_that_is_longer_than_any_note_is_not_read_even_within_the_bounds(
    packed: Callable[..., Path], closed: Machine, vendor: Vendor, tmp_path: Path
) -> None:
    path = tmp_path / "note.zip"
    long = b"x" * 300_000
    name = f"notes/{hashlib.sha256(long).hexdigest()}.note"
    path.write_bytes(signed(packed(), [Packed.of(name, long)], closed.identity))
    done = verify(path, vendor.directory)
    assert done.returncode == 2, done.stderr
    assert "is not the file that the bundle's note names" in done.stdout


@pytest.mark.parametrize("line", [b"\n", b"offline-appliance/ |  | \n"], ids=["empty", "false"])
def test_heads_without_end_take_no_memory_of_the_auditor(
    packed: Callable[..., Path], closed: Machine, vendor: Vendor, tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "heads.zip"
    path.write_bytes(signed(packed(), many_heads(line), closed.identity))
    done = verify(path, vendor.directory)
    assert done.returncode == 2, done.stderr
    assert "MemoryError" not in done.stderr


@pytest.mark.parametrize("count", [1_000, 30_000, 300_000])
def test_a_list_of_files_without_end_is_refused(vendor: Vendor, tmp_path: Path, count: int) -> None:
    path = tmp_path / "list.zip"
    file = Packed.of("x", b"")
    path.write_bytes(
        archive_of(Packed(name=f"{n:x}", data=file.data, size=0, crc=file.crc) for n in range(count))
    )
    done = verify(path, vendor.directory)
    assert done.returncode == 65, done.stderr
    assert "files" in done.stderr
