"""Ed25519 keys with a name, in the text forms of Go's `sumdb/note`. The only file that touches the primitive.

    verifying key   <name>+<8 hex digits>+<base64(0x01 || 32-byte public key)>
    signing key     PRIVATE+KEY+<name>+<8 hex digits>+<base64(0x01 || 32-byte seed)>

The hex digits are the key ID: SHA-256(name || 0x0A || 0x01 || public key)[:4] (C2SP signed-note). It is a
label for finding the key, short on purpose; trust comes from having the whole key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from license.encoding.strict import clean_text, decode_base64, encode_base64, shown
from license.errors import Forged, LicenseError, Malformed, Unreadable
from license.files import is_open_to_others, quoted, read_limited, write_atomic

_ALGORITHM: Final = b"\x01"
_PRIVATE: Final = "PRIVATE+KEY+"
_MAX_KEY_FILE_BYTES: Final = 4_096

# Points of small order, by y coordinate without the sign bit. Under such a "key" one signature fits many
# texts, so its holder could later deny every one of them.
_SMALL_ORDER: Final = frozenset(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


def check_name(name: str) -> None:
    """Refuse what C2SP signed-note forbids in a key name: emptiness, spaces, `+`, control characters.

    Raises:
        Malformed: with the rule that was broken.
    """
    if not name:
        raise Malformed("a key name is empty")
    if "+" in name or any(char.isspace() or char < " " for char in name):
        raise Malformed(f"a key name may hold neither spaces nor '+': {shown(name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """A public key and the name it signs under; equal when both are.

    Attributes:
        name: Key name as it stands in signature lines.
        public: The 32 bytes of RFC 8032.

    Raises:
        Malformed: the name or the point is not usable.
    """

    name: str
    public: bytes
    key_id: bytes = field(init=False, repr=False, compare=False)
    """The first four bytes of the key hash."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != 32:
            raise Malformed("a public key must be 32 bytes long")
        if self.public[:31] + bytes([self.public[31] & 0x7F]) in _SMALL_ORDER:
            raise Malformed("a public key of small order is refused: one signature would fit many texts")
        try:
            hashed = self.name.encode("utf-8") + b"\n" + _ALGORITHM + self.public
        except UnicodeEncodeError as error:
            raise Malformed("a key name holds half of a surrogate pair") from error
        object.__setattr__(self, "key_id", hashlib.sha256(hashed).digest()[:4])

    @property
    def vkey(self) -> str:
        """The text form, for `.vkey` files and claims."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_ALGORITHM + self.public)}"

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the key's SHA-256: an installation's name in paths and origins."""
        return hashlib.sha256(self.public).hexdigest()[:12]

    @classmethod
    def from_vkey(cls, text: str) -> VerifyingKey:
        """Read the text form; exactly one spelling is accepted.

        Raises:
            Malformed: not a verifying key, another algorithm, or a key ID that does not fit.
        """
        if text.startswith(_PRIVATE):
            raise Malformed(
                "this is a private key where a public one belongs", hint="keep it secret, give the .vkey"
            )
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise Malformed("a verifying key must look like name+12345678+base64")
        key = cls(name=parts[0], public=_unpack(parts[2]))
        if key.vkey != text:
            raise Malformed(f"the key ID of {key.name} does not fit its key")
        return key

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if `signature` is this key's over `message`.

        Raises:
            Forged: it is not.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise Forged(f"the signature of {self.name} does not fit the text") from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SigningKey:
    """A private key and its public half. Never shows its secret in `repr` or in an error."""

    verifying: VerifyingKey
    _private: Ed25519PrivateKey = field(repr=False)

    @property
    def name(self) -> str:
        """The name it signs under."""
        return self.verifying.name

    @property
    def key_id(self) -> bytes:
        """The key ID of its public half."""
        return self.verifying.key_id

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """Make a new key; raises `Malformed` if the name may not stand in a note."""
        return cls._from_private(name, Ed25519PrivateKey.generate())

    @classmethod
    def from_text(cls, text: str) -> SigningKey:
        """Read the `PRIVATE+KEY+…` form; exactly one spelling is accepted.

        Raises:
            Malformed: not such a key; the message quotes nothing of it.
        """
        parts = text.removeprefix(_PRIVATE).split("+", 2)
        if not text.startswith(_PRIVATE) or len(parts) != 3:
            raise Malformed("a signing key must look like PRIVATE+KEY+name+12345678+base64")
        key = cls._from_private(parts[0], Ed25519PrivateKey.from_private_bytes(_unpack(parts[2])))
        if key.to_text() != text:
            raise Malformed(f"the key ID of {key.name} does not fit its key")
        return key

    def to_text(self) -> str:
        """Return the `PRIVATE+KEY+…` form. Whoever reads it can sign."""
        secret = encode_base64(_ALGORITHM + self._private.private_bytes_raw())
        return f"{_PRIVATE}{self.name}+{self.key_id.hex()}+{secret}"

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of RFC 8032 over `message`."""
        return self._private.sign(message)

    @classmethod
    def _from_private(cls, name: str, private: Ed25519PrivateKey) -> SigningKey:
        public = private.public_key().public_bytes_raw()
        return cls(verifying=VerifyingKey(name=name, public=public), _private=private)


def save_signing_key(path: Path, key: SigningKey) -> None:
    """Write the key to `path`, mode 0600, atomically; raises `OSError` where `write_atomic` does."""
    write_atomic(path, key.to_text().encode() + b"\n")


def load_signing_key(path: Path) -> SigningKey:
    """Read a key that `save_signing_key` wrote.

    A file that other users can read, or its group can change, is refused. Its group may read it, since that
    is how the access list of a systemd credential shows in the mode.

    Raises:
        Unreadable: missing, not permitted, or open to other users.
        Malformed: not a signing key.
    """
    data = read_limited(path, _MAX_KEY_FILE_BYTES)
    if is_open_to_others(path):
        mode = path.stat().st_mode & 0o777
        raise Unreadable(
            f"the private key {path} is open to other users (mode {mode:04o})",
            hint=f"chmod 600 {quoted(path)}",
        )
    try:
        return SigningKey.from_text(clean_text(data).removesuffix("\n"))
    except LicenseError as error:
        raise Malformed(f"{path} is not a signing key: {error.message}") from error


def load_verifying_key(path: Path) -> VerifyingKey:
    """Read a `.vkey` file: one verifying key on one line.

    Raises:
        Unreadable: missing or not permitted.
        Malformed: not a verifying key.
    """
    try:
        return VerifyingKey.from_vkey(clean_text(read_limited(path, _MAX_KEY_FILE_BYTES)).removesuffix("\n"))
    except Malformed as error:
        raise Malformed(f"{path} is not a verifying key: {error.message}", hint=error.hint) from error


def _unpack(text: str) -> bytes:
    data = decode_base64(text)
    if data[:1] != _ALGORITHM:
        raise Malformed("the key is not an Ed25519 key")
    if len(data) != 33:
        raise Malformed("an Ed25519 key must be 32 bytes long")
    return data[1:]
