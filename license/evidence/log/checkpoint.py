"""Checkpoints: the signed head of a usage log, in the form of C2SP tlog-checkpoint.

    offline-appliance/customner/0f3a9c2b7d11/1
    20852
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — offline-appliance/customner/0f3a9c2b7d11/1 8PSBxA…=

A checkpoint is a signed note whose text is these three lines: origin, number of entries, root hash. Which
keys may sign it is decided by the reader, who hands them in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.encoding.strict import decode_base64, encode_base64
from license.errors import Malformed
from license.evidence.log.merkle import HASH_BYTES
from license.trust.signed_note import open_note, read_unverified, sign_note

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log.

    Attributes:
        origin: Name of the log.
        size: Number of entries it covers.
        root: Merkle root over them, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        """Return the text to be signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"

    @classmethod
    def from_text(cls, text: str) -> "Checkpoint":
        """Read the signed text; extension lines, which the format allows, are ignored.

        Raises:
            Malformed: Not the text of a checkpoint, naming the line at fault.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise Malformed("a checkpoint has three lines: origin, size, root hash")
        origin, size, root = lines[:3]
        if _SIZE.fullmatch(size) is None:
            raise Malformed(f"the size of a checkpoint is a plain number, not {size[:40]!r}")
        try:
            hashed = decode_base64(root)
        except Malformed as error:
            raise Malformed("the root hash of a checkpoint is not canonical base64") from error
        if len(hashed) != HASH_BYTES:
            raise Malformed("the root hash of a checkpoint has 32 bytes")
        return cls(origin=origin, size=int(size), root=hashed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint that was opened: what it says, and which of the known keys signed it."""

    checkpoint: Checkpoint
    signers: tuple[VerifyingKey, ...]


def sign_checkpoint(checkpoint: Checkpoint, *keys: SigningKey) -> bytes:
    """Return the signed note of a checkpoint."""
    return sign_note(checkpoint.to_text(), *keys)


def open_checkpoint(note: bytes, known: Iterable[VerifyingKey]) -> SignedCheckpoint:
    """Verify a checkpoint's signatures by known keys and return what it says.

    Raises:
        Malformed: Not a checkpoint.
        Forged: A signature by a known key does not fit.
        UnknownSigner: No known key signed it.
    """
    opened = open_note(note, known)
    return SignedCheckpoint(checkpoint=Checkpoint.from_text(opened.text), signers=opened.signers)


def read_checkpoint(note: bytes) -> Checkpoint:
    """Return what a checkpoint *claims*, without any trust: to name it, or to know which size to compare.

    Raises:
        Malformed: Not a checkpoint.
    """
    return Checkpoint.from_text(read_unverified(note))
