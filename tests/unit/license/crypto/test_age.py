import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pyrage import passphrase

from license.crypto import age
from license.errors import ExcessiveWork, Malformed, NoModelKey, WrongPassphrase

ALICE = age.new_identity()
BOB = age.new_identity()


def encrypted(data: bytes, identity: str = ALICE) -> bytes:
    sink = io.BytesIO()
    age.encrypt(io.BytesIO(data), sink, to=age.recipient_of(identity))
    return sink.getvalue()


def decrypted(data: bytes, identity: str = ALICE) -> bytes:
    sink = io.BytesIO()
    age.decrypt(io.BytesIO(data), sink, identity=identity)
    return sink.getvalue()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_what_was_encrypted_comes_back(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert decrypted(encrypted(data)) == data


def test_another_identity_opens_nothing() -> None:
    with pytest.raises(NoModelKey, match="another key"):
        decrypted(encrypted(b"secret"), BOB)


@pytest.mark.parametrize("cut", [0, 1, 40, 100, 170, 220])
def test_a_file_cut_short_is_refused(cut: int) -> None:
    whole = encrypted(b"secret" * 20)
    assert len(whole) > 220
    with pytest.raises((Malformed, NoModelKey)):
        decrypted(whole[:cut])


def test_a_file_cut_at_a_chunk_is_refused() -> None:
    whole = encrypted(bytes(3 * 65_536))
    with pytest.raises(Malformed, match="cut short"):
        decrypted(whole[: -65_536 - 16])


@pytest.mark.parametrize(
    "text",
    ["", "x", "age1qqqq", ALICE[:-1] + ("Q" if ALICE[-1] == "Z" else "Z"), ALICE.lower()[:-2]],
    ids=["empty", "x", "public", "last", "short"],
)
def test_what_is_no_identity_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        age.recipient_of(text)
    assert not text or text not in caught.value.message


def test_what_is_no_recipient_is_refused() -> None:
    with pytest.raises(Malformed, match="recipient"):
        age.encrypt(io.BytesIO(b""), io.BytesIO(), to="age1x")


def test_a_source_that_fails_is_told_from_a_damaged_one() -> None:
    class Broken:
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        age.decrypt(Broken(), io.BytesIO(), identity=ALICE)
    with pytest.raises(OSError, match="Input/output error"):
        age.encrypt(Broken(), io.BytesIO(), to=age.recipient_of(ALICE))


@pytest.mark.slow
def test_a_passphrase_locks_and_unlocks() -> None:
    locked = age.lock(b"secret", "correct horse")
    assert age.is_locked(locked)
    assert locked.isascii()
    assert age.unlock(locked, "correct horse") == b"secret"
    with pytest.raises(WrongPassphrase, match="does not open"):
        age.unlock(locked, "battery staple")
    with pytest.raises(WrongPassphrase):
        age.unlock(locked[:-60], "correct horse")
    with pytest.raises(Malformed, match="not encrypted"):
        age.unlock(b"PRIVATE+KEY+x", "correct horse")


def test_more_work_than_a_machine_does_is_told_from_a_wrong_passphrase() -> None:
    locked = passphrase.encrypt(b"secret", "correct horse")
    demanding = re.sub(rb"(-> scrypt \S+) \d+", rb"\1 30", locked)
    assert demanding != locked
    with pytest.raises(ExcessiveWork, match="more work than this machine"):
        age.unlock(demanding, "correct horse")


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed (Debian: apt-get install age)")
def test_the_age_program_reads_what_we_write_and_we_what_it_writes(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{ALICE}\n")
    (tmp_path / "ours.age").write_bytes(encrypted(b"to and fro"))
    read = subprocess.run(
        ["age", "-d", "-i", tmp_path / "key", tmp_path / "ours.age"], capture_output=True, check=True
    )
    assert read.stdout == b"to and fro"
    written = subprocess.run(
        ["age", "-r", age.recipient_of(ALICE)], input=b"fro and to", capture_output=True, check=True
    )
    assert decrypted(written.stdout) == b"fro and to"


def test_one_file_touches_pyrage() -> None:
    package = Path(age.__file__).parents[2]
    users = [
        path.relative_to(package).as_posix()
        for folder in ("license", "appliance")
        for path in (package / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) pyrage\b", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert users == ["license/crypto/age.py"]
