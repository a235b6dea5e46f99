"""Model packages: a model folder as one encrypted file, opened in memory and nowhere else.

    NAME.age          the folder as a tar (`license.models.archive`), encrypted to the identity of its model
                      line
    NAME.model.note   the signed manifest (`license.models.manifest`): line, release, sums
    NAME.issuer.note  the delegation that proves the manifest

Packing and opening stream: beside the model itself they need a few megabytes. Which identity opens a package
is for `license.models.keys`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from license.crypto import age
from license.crypto.ed25519 import SigningKey
from license.errors import (
    LicenseError,
    Malformed,
    NoModelKey,
    PackageDamaged,
    Unreadable,
    Unwritable,
)
from license.files import (
    HashingWriter,
    open_regular,
    read_limited,
    require_replaceable,
    require_room,
    sync_directory,
    write_atomic,
)
from license.models.archive import Archive, Unpacker, regular_files
from license.models.manifest import MAX_FILES, Manifest, PackedFile, open_manifest, sign_manifest
from license.models.package_files import PackageFiles
from license.trust.roots import TrustRoots
from license.trust.signed_note import MAX_NOTE_BYTES

__all__ = ["Manifest", "PackageFiles", "open_manifest", "open_package", "pack", "read_manifest"]

_CHUNK_BYTES: Final = 1 << 20
_UNKNOWN: Final = "0" * 64


def pack(  # noqa: PLR0913 (one keyword for each thing a manifest says)
    model_dir: Path,
    out: Path,
    *,
    recipient: str,
    signer: SigningKey,
    issuer_note: bytes,
    line: str,
    release: str,
    name: str,
    task: str,
    now: int,
    language: str = "",
) -> tuple[Manifest, PackageFiles]:
    """Encrypt a model folder into the directory `out` and return its manifest and where the files are.

    The manifest is written last: where it is, the package is whole.

    Args:
        model_dir: The folder; plain files only, all of which are packed.
        out: An existing directory.
        recipient: Public half of the line's age identity, `age1…`.
        signer: The issuer's key.
        issuer_note: Its delegation.
        line: Model line, such as `ner-en/3`.
        release: Release of the line, such as `1.0.2`.
        name: Name of the model, for people.
        task: What it does, such as `ner`.
        now: Unix second of the signature.
        language: BCP 47 tag of the language it is for, or the empty string.

    Raises:
        Malformed: the folder or a value is not such as may be packed.
        Unreadable: the folder cannot be read.
        Unwritable: `out` cannot be written, or holds that release already: releases are never overwritten.
        NoRoom: the package would not fit there.
    """
    paths = regular_files(model_dir)
    if len(paths) > MAX_FILES:
        raise Malformed(
            f"{model_dir} holds more than {MAX_FILES} files", hint="move what is not the model away"
        )
    empty = tuple(PackedFile(name=path.name, bytes=0, sha256=_UNKNOWN) for path in paths)
    draft = Manifest(  # refuses wrong values before gigabytes are read
        line=line,
        release=release,
        name=name,
        task=task,
        issued=now,
        sha256=_UNKNOWN,
        bytes=1,
        files=empty,
        language=language,
    )
    files = PackageFiles.beside(out / draft.stem)
    if files.manifest.exists() or files.package.exists():
        raise Unwritable(
            f"release {release} of {line} is already packed as {files.package}",
            hint="a release never changes once it exists: choose the next --release, or remove the old files",
        )
    require_room(out, sum(path.stat().st_size for path in paths), f"the package {files.package.name}")
    archive = Archive(paths)
    try:
        with _new_file(files.package) as file:
            sink = HashingWriter(file)
            age.encrypt(archive, sink, to=recipient)
        manifest = replace(draft, sha256=sink.sha256, bytes=sink.size, files=tuple(archive.files))
        write_atomic(files.issuer, issuer_note, mode=0o644)
        write_atomic(files.manifest, sign_manifest(manifest, signer), mode=0o644)
    except OSError as error:
        raise Unwritable(f"cannot write the package to {out}: {error.strerror}") from error
    return manifest, files


def read_manifest(path: Path, *, roots: TrustRoots, issuer_note: bytes | None = None) -> Manifest:
    """Return the manifest of the package at `path`, proved by the issuer note beside it or by the one given.

    Args:
        path: Any of the package's files, or their common beginning.
        roots: Keys that may delegate.
        issuer_note: Content of another issuer note, such as the licence directory's, tried when the one
            beside the package is missing or does not prove the manifest.

    Raises:
        LicenseError: no manifest, or neither note proves it: the reason of the last one tried.
    """
    files = PackageFiles.beside(path)
    if not files.manifest.exists():
        raise Unreadable(
            f"there is no manifest {files.manifest}",
            hint="carry the .age, .model.note and .issuer.note of a package together",
        )
    note = read_limited(files.manifest, MAX_NOTE_BYTES)
    try:
        return open_manifest(note, read_limited(files.issuer, MAX_NOTE_BYTES), roots)
    except LicenseError:
        if issuer_note is None:
            raise
    return open_manifest(note, issuer_note, roots)


def open_package(path: Path, manifest: Manifest, identity: str) -> Mapping[str, bytes]:
    """Return the content of every file in a package, by name; nothing is written anywhere.

    The package is read twice: first its sum must be the manifest's, then it is decrypted, and each file's sum
    must be the manifest's too. Memory: the files themselves, once, and a few megabytes.

    Args:
        path: The package.
        manifest: What `open_manifest` returned.
        identity: What `license.models.keys.identity_for` returned.

    Raises:
        Unreadable: it cannot be read.
        PackageDamaged: it is not the package the manifest names.
        NoModelKey: the identity does not open it.
        Malformed: `identity` is none.
    """
    unpacker = Unpacker(manifest.files)
    with open_regular(path) as file:
        _check_sum(file, path, manifest)
        file.seek(0)
        try:
            age.decrypt(file, unpacker, identity=identity)
        except NoModelKey as error:
            raise NoModelKey(
                f"the key in the licence for model line {manifest.line} does not open {path.name}",
                hint="the line's key was replaced after the licence was issued: install a new licence",
            ) from error
        except Malformed as error:
            if "identity" in error.message:
                raise
            raise PackageDamaged(f"{path}: {error.message}") from error
    return unpacker.close()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is whole and on the disk."""
    temporary = path.with_name(f".{path.name}.part")
    with contextlib.ExitStack() as undo:
        file = undo.enter_context(temporary.open("wb"))
        undo.callback(temporary.unlink, missing_ok=True)
        yield file
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
        require_replaceable(path)
        temporary.replace(path)
    sync_directory(path.parent)


def _check_sum(file: BinaryIO, path: Path, manifest: Manifest) -> None:
    size = os.fstat(file.fileno()).st_size
    if size != manifest.bytes:
        raise PackageDamaged(f"{path} has {size} bytes, and its manifest names {manifest.bytes}")
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    if digest.hexdigest() != manifest.sha256:
        raise PackageDamaged(f"{path} has another SHA-256 than its manifest names")
