"""The signed manifest of a model package: which release of which line it is, and the sums of what it holds.

A note of the kind `model`, signed by the vendor's issuer. A package is encrypted, but anybody who may open
one could also encrypt one: that it comes from the vendor is what the manifest proves. No
package is opened here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from license.crypto.ed25519 import SigningKey
from license.encoding.fields import (
    FILE,
    LANGUAGE,
    LINE,
    RELEASE,
    SHA256,
    TOKEN,
    Fields,
    check_range,
    check_text,
)
from license.encoding.strict import MAX_TIME, format_time
from license.errors import DelegationExpired, Malformed, UnknownIssuer, UnknownSigner
from license.trust.delegation import open_delegation
from license.trust.roots import TrustRoots
from license.trust.signed_note import open_note, sign_note
from license.trust.statement import parse_statement, render_statement

MANIFEST_KIND: Final = "model"
MAX_FILES: Final = 64
MAX_FILE_BYTES: Final = 8 * 2**30 - 1
"""The most a tar header can say in octal."""
MAX_PACKAGE_BYTES: Final = 16 * 2**30
MAX_CONTENT_BYTES: Final = 15 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFile:
    """One file in a package.

    Attributes:
        name: Its name; there are no directories.
        bytes: Its length.
        sha256: Hex SHA-256 of its content.
    """

    name: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        check_text("files.name", self.name, pattern=FILE)
        check_range("files.bytes", self.bytes, 0, MAX_FILE_BYTES)
        check_text("files.sha256", self.sha256, pattern=SHA256)

    @classmethod
    def from_fields(cls, item: Fields) -> PackedFile:
        """Read one entry of `files`."""
        return cls(name=item.text("name"), bytes=item.number("bytes"), sha256=item.text("sha256"))

    def to_claims(self) -> dict[str, Any]:
        """Return one entry of `files`."""
        return {"name": self.name, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a package is, as its vendor signed it.

    Attributes:
        line: Model line, such as `ner-en/3`: the licence has to open it.
        release: Release of the line, such as `1.0.2`.
        name: Name of the model, for people.
        task: What it does, such as `ner`.
        issued: Unix second of the signature.
        sha256: Hex SHA-256 of the package, encrypted as it travels.
        bytes: Length of the package.
        files: What it holds, in the order of the archive, which is that of their names.
        language: BCP 47 tag of the language it is for, or the empty string.
    """

    line: str
    release: str
    name: str
    task: str
    issued: int
    sha256: str
    bytes: int
    files: tuple[PackedFile, ...]
    language: str = ""

    def __post_init__(self) -> None:
        check_text("line", self.line, pattern=LINE)
        check_text("release", self.release, pattern=RELEASE)
        check_text("name", self.name)
        check_text("task", self.task, pattern=TOKEN)
        if self.language:
            check_text("language", self.language, pattern=LANGUAGE)
        check_range("issued", self.issued, 0, MAX_TIME)
        check_text("sha256", self.sha256, pattern=SHA256)
        check_range("bytes", self.bytes, 1, MAX_PACKAGE_BYTES)
        names = [file.name for file in self.files]
        check_range("the number of files", len(names), 1, MAX_FILES)
        if names != sorted(set(names)):
            raise Malformed("files must stand in the order of their names, each once")
        check_range("the length of all files", sum(file.bytes for file in self.files), 0, MAX_CONTENT_BYTES)

    @property
    def stem(self) -> str:
        """What the package's files are called before their endings, such as `ner-en-3-1.0.2`."""
        return f"{self.line.replace('/', '-')}-{self.release}"

    @property
    def id(self) -> str:
        """The package's id in the form of a GUID, as `package_id` makes it."""
        return package_id(self.sha256)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Manifest:
        """Read the claims of a model statement; raises `Malformed` naming the first field that is wrong."""
        top = Fields(claims)
        return cls(
            line=top.text("line"),
            release=top.text("release"),
            name=top.text("name"),
            task=top.text("task"),
            issued=top.time("issued"),
            sha256=top.text("sha256"),
            bytes=top.number("bytes"),
            files=tuple(map(PackedFile.from_fields, top.objects("files"))),
            language=top.text("language") if top.has("language") else "",
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "line": self.line,
            "release": self.release,
            "name": self.name,
            "task": self.task,
            **({"language": self.language} if self.language else {}),
            "issued": format_time(self.issued),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "files": [file.to_claims() for file in self.files],
        }


def package_id(sha256: str) -> str:
    """Return the id of the package with this hex SHA-256: a GUID of version 8 (RFC 9562), made from the sum.

    Whoever has the package can make it, so that nobody has to be believed for it.
    """
    number = int(sha256[:32], 16) & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return str(uuid.UUID(int=number))


MANIFEST_FIELDS: Final = frozenset(item.name for item in fields(Manifest))
"""Names that `crit` may list."""


def sign_manifest(manifest: Manifest, issuer: SigningKey) -> bytes:
    """Return the manifest note; raises `Malformed` if it would not fit into one."""
    return sign_note(render_statement(MANIFEST_KIND, manifest.to_claims()), issuer)


def open_manifest(note: bytes, issuer_note: bytes, roots: TrustRoots, *, min_epoch: int = 0) -> Manifest:
    """Return the manifest in a note that a root's issuer has signed.

    Args:
        note: Content of `NAME.model.note`.
        issuer_note: Content of the issuer note that proves it: `NAME.issuer.note` beside the package, or the
            one of the licence directory where the same issuer signed both.
        roots: Keys that may delegate.
        min_epoch: Lowest epoch of the issuer that is taken. Packages stay good when an issuer is replaced, so
            this is not the highest seen.

    Raises:
        LicenseError: of the class that names what is wrong; nothing else.
    """
    delegation, _root = open_delegation(issuer_note, roots=roots, role="issuer", min_epoch=min_epoch)
    try:
        opened = open_note(note, [delegation.key])
    except UnknownSigner as error:
        raise UnknownIssuer(
            f"the model manifest is not signed by {delegation.key.name}, whom the issuer note names; "
            f"{error.message}",
            hint="carry the .age, .model.note and .issuer.note of a package together",
        ) from error
    manifest = Manifest.from_claims(parse_statement(opened.text, MANIFEST_KIND, understood=MANIFEST_FIELDS))
    if not delegation.not_before <= manifest.issued <= delegation.not_after:
        raise DelegationExpired(
            f"the model manifest was signed at {format_time(manifest.issued)}, when its issuer was not "
            f"entitled ({format_time(delegation.not_before)} to {format_time(delegation.not_after)})",
            hint="ask the vendor for the package with a manifest signed by the present issuer",
        )
    return manifest
