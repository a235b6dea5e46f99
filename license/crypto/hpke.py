"""Secrets wrapped for one machine: HPKE (RFC 9180) in base mode. The only file that touches X25519.

Suite: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002; no additional data. A
wrapped secret is `enc` (32 bytes) followed by the ciphertext. `info` says what the secret is for, so that
what was wrapped for one licence and one model line cannot be moved into another. HPKE does not say who
wrapped: that is the signature's part, on the licence that carries the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from license.errors import Malformed, WrongMachine

KEY_BYTES: Final = 32

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, eq=False)
class HpkeKey:
    """A machine's X25519 private key. Never shows its secret in `repr` or in an error."""

    _private: X25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> HpkeKey:
        """Make a new key."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, data: bytes) -> HpkeKey:
        """Read the 32 bytes that `to_bytes` gave; raises `Malformed` for any other number of them."""
        if len(data) != KEY_BYTES:
            raise Malformed(f"an X25519 private key must be {KEY_BYTES} bytes long")
        return cls(X25519PrivateKey.from_private_bytes(data))

    def to_bytes(self) -> bytes:
        """Return the 32 bytes of the private key. Whoever reads them can unwrap."""
        return self._private.private_bytes_raw()

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public half, as `hpke` in a licence request."""
        return self._private.public_key().public_bytes_raw()

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
        """Return the secret in `wrapped`.

        Raises:
            WrongMachine: it was wrapped for another key or another `info`, or changed; one cannot tell which.
        """
        try:
            return _SUITE.decrypt(wrapped, self._private, info)
        except (InvalidTag, ValueError) as error:
            raise WrongMachine("the key was wrapped for another machine") from error


def wrap(secret: bytes, *, to: bytes, info: bytes) -> bytes:
    """Return `secret` wrapped for the public key `to`.

    Args:
        secret: Any bytes.
        to: The machine's 32-byte X25519 public key.
        info: What the secret is for; unwrapping needs the same.

    Raises:
        Malformed: `to` is not a usable public key.
    """
    if len(to) != KEY_BYTES:
        raise Malformed(f"an X25519 public key must be {KEY_BYTES} bytes long")
    try:
        return _SUITE.encrypt(secret, X25519PublicKey.from_public_bytes(to), info)
    except ValueError as error:  # a point of small order, whose shared secret everybody knows
        raise Malformed("the X25519 public key is of small order, so nothing would be secret") from error
