import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from license.crypto import age
from license.crypto.ed25519 import SigningKey
from license.errors import (
    DelegationExpired,
    EpochTooLow,
    Forged,
    LicenseError,
    Malformed,
    NoModelKey,
    PackageDamaged,
    UnknownIssuer,
    UnknownSigner,
    Unreadable,
    Unwritable,
    WrongType,
)
from license.models.archive import Archive, Unpacker, header
from license.models.manifest import MAX_FILES, Manifest, PackedFile, open_manifest, sign_manifest
from license.models.package import PackageFiles, open_package, pack, read_manifest

NOW = 1_780_000_000
LINE = age.new_identity()
CONTENT = {"config.json": b"{}", "model.json": b"x" * 512, "model.onnx": os.urandom(100_001), "notes": b""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


Pack = Callable[..., tuple[Manifest, PackageFiles]]


@pytest.fixture
def packed(shared: Any, folder: Path, tmp_path: Path) -> Pack:
    """Pack the model folder; anything may be said otherwise."""

    def make(**changes: Any) -> tuple[Manifest, PackageFiles]:
        keyring = shared.authority.keyring
        values: dict[str, Any] = {
            "recipient": age.recipient_of(LINE),
            "signer": keyring.issuer,
            "issuer_note": keyring.issuer_note,
            "line": "ner-en/3",
            "release": "1.0.2",
            "name": "ner-en",
            "task": "ner",
            "now": shared.clock(),
        }
        values |= changes
        return pack(values.pop("folder", folder), values.pop("out", tmp_path), **values)

    return make


def test_a_folder_packed_is_a_folder_opened(packed: Pack, shared: Any) -> None:
    manifest, files = packed()
    again = read_manifest(files.package, roots=shared.roots)
    assert again == manifest
    assert dict(open_package(files.package, again, LINE)) == CONTENT
    assert [file.name for file in again.files] == sorted(CONTENT)
    assert again.sha256 == hashlib.sha256(files.package.read_bytes()).hexdigest()


def test_a_package_is_three_files_named_by_line_and_release(packed: Pack, tmp_path: Path) -> None:
    _, files = packed()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ner-en-3-1.0.2.age",
        "ner-en-3-1.0.2.issuer.note",
        "ner-en-3-1.0.2.model.note",
    ]
    for path in (files.package, files.manifest, files.issuer, tmp_path / "ner-en-3-1.0.2"):
        assert PackageFiles.beside(path) == files


def test_nothing_of_the_model_stands_in_the_package(packed: Pack) -> None:
    _, files = packed()
    whole = files.package.read_bytes()
    assert CONTENT["model.onnx"][:32] not in whole
    assert b"model.onnx" not in whole


def test_tar_and_age_open_it_too(packed: Pack, tmp_path: Path) -> None:
    _, files = packed()
    plain = io.BytesIO()
    with files.package.open("rb") as file:
        age.decrypt(file, plain, identity=LINE)
    plain.seek(0)
    with tarfile.open(fileobj=plain, mode="r:") as archive:
        assert {one.name: archive.extractfile(one).read() for one in archive} == CONTENT  # type: ignore[union-attr]
        assert {(one.mode, one.uid, one.mtime, one.type) for one in archive} == {(0o644, 0, 0, b"0")}


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed (Debian: apt-get install age)")
def test_the_age_program_opens_a_package_with_the_identity_of_its_line(packed: Pack, tmp_path: Path) -> None:
    _, files = packed()
    (tmp_path / "identity").write_text(LINE + "\n")
    plain = subprocess.run(
        ["age", "--decrypt", "--identity", tmp_path / "identity", files.package],
        capture_output=True,
        check=True,
    ).stdout
    names = subprocess.run(["tar", "--list"], input=plain, capture_output=True, check=True).stdout
    assert names.decode().split() == sorted(CONTENT)


def test_a_new_release_opens_with_the_same_identity(packed: Pack, shared: Any) -> None:
    for release in ("1.0.2", "1.0.3"):
        manifest, files = packed(release=release)
        assert dict(open_package(files.package, manifest, LINE)) == CONTENT


def test_a_release_is_never_overwritten(packed: Pack) -> None:
    _, files = packed()
    before = files.package.read_bytes()
    with pytest.raises(Unwritable, match="already packed") as caught:
        packed()
    assert "--release" in caught.value.hint
    assert files.package.read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"line": "ner-en"},
        {"line": "../up/1"},
        {"release": "a b"},
        {"name": "evil\u202e"},
        {"task": ""},
        {"recipient": "age1x"},
        {"recipient": ""},
    ],
)
def test_a_wrong_value_leaves_nothing_behind(packed: Pack, tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        packed(**changes)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_but_plain_files_is_refused(packed: Pack, tmp_path: Path) -> None:
    kinds: dict[str, Callable[[Path], None]] = {
        "directory": lambda path: path.mkdir(),
        "link": lambda path: path.symlink_to("/etc/passwd"),
        "fifo": os.mkfifo,
    }
    for name, make in kinds.items():
        folder = tmp_path / f"with-{name}"
        folder.mkdir()
        make(folder / "odd")
        with pytest.raises(Malformed, match="not a plain file"):
            packed(folder=folder)
    with pytest.raises(Unreadable, match="model folder"):
        packed(folder=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Malformed, match="is empty"):
        packed(folder=tmp_path / "empty")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/.swp").touch()
    with pytest.raises(Malformed, match=r"files\.name"):
        packed(folder=tmp_path / "hidden")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(MAX_FILES + 1):
        (many / f"f{number}").touch()
    with pytest.raises(Malformed, match="more than 64 files"):
        packed(folder=many)


def test_a_directory_that_cannot_be_written_is_a_refusal(packed: Pack, tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="cannot write the package"):
        packed(out=tmp_path / "nowhere")


def test_another_identity_opens_nothing_and_says_what_to_do(packed: Pack) -> None:
    manifest, files = packed()
    with pytest.raises(NoModelKey, match=r"ner-en/3 does not open ner-en-3-1\.0\.2\.age") as caught:
        open_package(files.package, manifest, age.new_identity())
    assert "new licence" in caught.value.hint
    with pytest.raises(Malformed, match="identity"):
        open_package(files.package, manifest, "AGE-SECRET-KEY-1X")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "bytes, and its manifest names"),
        (lambda data: data + b"\0", "bytes, and its manifest names"),
        (lambda data: data[:5_000] + bytes([data[5_000] ^ 1]) + data[5_001:], "another SHA-256"),
        (lambda data: b"", "has 0 bytes"),
    ],
)
def test_a_changed_package_is_refused_before_it_is_opened(
    packed: Pack, change: Callable[[bytes], bytes], words: str
) -> None:
    manifest, files = packed()
    files.package.write_bytes(change(files.package.read_bytes()))
    with pytest.raises(PackageDamaged, match=words):
        open_package(files.package, manifest, LINE)


def test_a_package_that_is_no_file_is_a_refusal(packed: Pack, tmp_path: Path) -> None:
    manifest, _ = packed()
    for path in (tmp_path / "nothing.age", tmp_path):
        with pytest.raises(Unreadable):
            open_package(path, manifest, LINE)
    os.mkfifo(tmp_path / "fifo.age")
    with pytest.raises(Unreadable, match="not a regular file"):
        open_package(tmp_path / "fifo.age", manifest, LINE)


def repack(manifest: Manifest, path: Path, archive: bytes) -> Manifest:
    """Encrypt any bytes in the place of the archive, and sign for them: what a careless vendor might do."""
    with path.open("wb") as file:
        age.encrypt(io.BytesIO(archive), file, to=age.recipient_of(LINE))
    data = path.read_bytes()
    return replace(manifest, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def tar_of(*entries: tuple[str, bytes, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for name, kind, data in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.linkname = kind, len(data), "/etc/passwd" if kind == b"2" else ""
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


FILE = PackedFile(name="model.onnx", bytes=3, sha256=hashlib.sha256(b"abc").hexdigest())
GOOD = header("model.onnx", 3) + b"abc" + bytes(509) + bytes(1024)


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (tar_of(("../model.onnx", b"0", b"abc")), "entry of model.onnx"),
        (tar_of(("/model.onnx", b"0", b"abc")), "entry of model.onnx"),
        (tar_of(("model.onnx", b"2", b"")), "entry of model.onnx"),
        (tar_of(("model.onnx", b"1", b"")), "entry of model.onnx"),
        (tar_of(("model.onnx", b"3", b"")), "entry of model.onnx"),
        (tar_of(("model.onnx", b"5", b"")), "entry of model.onnx"),
        (tar_of(("model.onnx", b"0", b"abcd")), "entry of model.onnx"),
        (GOOD.replace(b"abc", b"abd"), "model.onnx in the package is not the file"),
        (GOOD.replace(b"abc\0", b"abc\1"), "padding"),
        (GOOD[:-1], "ends before"),
        (GOOD[:514], "ends before"),
        (b"", "ends before"),
        (GOOD + bytes(512), "holds more"),
        (GOOD[:-1024] + GOOD, "the end"),
    ],
)
def test_an_archive_has_one_spelling(packed: Pack, archive: bytes, words: str) -> None:
    manifest, files = packed()
    wrong = repack(replace(manifest, files=(FILE,)), files.package, archive)
    with pytest.raises(PackageDamaged, match=words):
        open_package(files.package, wrong, LINE)


def test_an_archive_may_come_in_pieces_of_any_size() -> None:
    for size in (1, 7, 511, 512, 513, 5_000):
        unpacker = Unpacker((FILE,))
        for start in range(0, len(GOOD), size):
            unpacker.write(GOOD[start : start + size])
        assert unpacker.close() == {"model.onnx": b"abc"}


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,98}", fullmatch=True),
        st.binary(max_size=2_000),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 3_000),
    st.integers(1, 3_000),
)
def test_any_files_survive_the_archive_in_any_pieces(
    content: dict[str, bytes], reading: int, writing: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / name for name in sorted(content)]
        for path in paths:
            path.write_bytes(content[path.name])
        archive, whole = Archive(paths), b""
        while piece := archive.read(reading):
            assert len(piece) <= reading
            whole += piece
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert [member.name for member in tar] == sorted(content), "any other tar reads it"
    unpacker = Unpacker(archive.files)
    for start in range(0, len(whole), writing):
        unpacker.write(whole[start : start + writing])
    assert unpacker.close() == content


def test_a_manifest_needs_its_issuer(packed: Pack, shared: Any, new_vendor: Callable[..., Any]) -> None:
    manifest, files = packed()
    note, issuer = files.manifest.read_bytes(), files.issuer.read_bytes()
    other = new_vendor()
    with pytest.raises(UnknownSigner, match="no root"):
        open_manifest(note, issuer, other.roots)
    with pytest.raises(UnknownIssuer, match="not signed by") as caught:
        open_manifest(
            sign_manifest(manifest, SigningKey.generate("license.example.com/issuer")), issuer, shared.roots
        )
    assert "together" in caught.value.hint
    with pytest.raises(Forged):
        open_manifest(note.replace(b'"1.0.2"', b'"1.0.9"'), issuer, shared.roots)
    with pytest.raises(WrongType):
        open_manifest(note, shared.authority.keyring.witness_note, shared.roots)
    with pytest.raises(EpochTooLow):
        open_manifest(note, issuer, shared.roots, min_epoch=2)
    late = replace(manifest, issued=shared.authority.keyring.delegation.not_after + 1)
    with pytest.raises(DelegationExpired, match="model manifest"):
        open_manifest(sign_manifest(late, shared.authority.keyring.issuer), issuer, shared.roots)


def test_a_licence_is_no_manifest_and_a_manifest_no_licence(packed: Pack, issued: Any, shared: Any) -> None:
    from license.licenses.verify import open_license

    licence, _ = issued
    with pytest.raises(WrongType):
        open_manifest(licence.note, licence.issuer_note, shared.roots)
    _, files = packed()
    with pytest.raises(WrongType):
        open_license(files.manifest.read_bytes(), licence.issuer_note, roots=shared.roots)


def test_the_issuer_note_of_the_licence_serves_where_none_lies_beside(packed: Pack, shared: Any) -> None:
    manifest, files = packed()
    files.issuer.unlink()
    with pytest.raises(Unreadable, match=r"issuer\.note"):
        read_manifest(files.package, roots=shared.roots)
    again = read_manifest(files.package, roots=shared.roots, issuer_note=shared.authority.keyring.issuer_note)
    assert again == manifest
    files.manifest.unlink()
    with pytest.raises(Unreadable, match="no manifest"):
        read_manifest(files.package, roots=shared.roots)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": ()},
        {"files": (FILE, FILE)},
        {"files": (FILE, replace(FILE, name="a"))},
        {"bytes": 0},
        {"sha256": "A" * 64},
        {"issued": -1},
        {"files": tuple(replace(FILE, name=f"f{n}", bytes=2**33 - 1) for n in range(2))},
    ],
)
def test_a_manifest_that_makes_no_sense_cannot_be_made(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"line": "a/1", "release": "1", "name": "a", "task": "ner", "issued": 0}
    values |= {"sha256": "0" * 64, "bytes": 1, "files": (FILE,)}
    Manifest(**values)
    with pytest.raises(LicenseError):
        Manifest(**values | changes)


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "", "x" * 100, "ä", "a\0b"])
def test_names_in_a_package_are_plain(name: str) -> None:
    with pytest.raises(Malformed):
        replace(FILE, name=name)
