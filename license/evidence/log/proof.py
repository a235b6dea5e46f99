"""Proofs about one log that anybody can check without the log, in the formats of C2SP.

    inclusion    C2SP tlog-proof v1: this entry stands at this index under this signed head
    consistency  C2SP tlog-witness: the log of this signed head begins with the N entries of an older one

Both carry a checkpoint, whose keys the reader brings. Text of both: `docs/formats.md`, part Evidence.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import clean_text, decode_base64, encode_base64
from license.errors import Forged, Malformed
from license.evidence.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from license.evidence.log.merkle import (
    HASH_BYTES,
    ProofError,
    check_consistency,
    check_inclusion,
    leaf_hash,
)

MAX_PROOF_BYTES: Final = 65_536
_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_MAX_HASHES: Final = 63  # C2SP tlog-witness; a tree of 2**63 leaves needs no more
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That an entry stands in a log, as C2SP tlog-proof v1.

    Attributes:
        index: Index of the entry.
        path: Hashes from the leaf's sibling up to the root's child.
        checkpoint: Note of the signed head.
        extra: Data that the format allows and nothing here relies on.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the text of the proof."""
        lines = [_FIRST_LINE]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines += [f"index {self.index}", *map(encode_base64, self.path), "", ""]
        return "\n".join(lines).encode("ascii") + self.checkpoint

    @classmethod
    def from_bytes(cls, data: bytes) -> "InclusionProof":
        """Read the text of a proof; raises `Malformed` if it is none."""
        lines, checkpoint = _split(data)
        if lines.pop(0) != _FIRST_LINE:
            raise Malformed(f"a proof begins with the line {_FIRST_LINE}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "))
        index = _number(lines.pop(0) if lines else "", "index")
        return cls(index=index, path=_hashes(lines), checkpoint=checkpoint, extra=extra)

    def open(self, text: str, known: Iterable[VerifyingKey]) -> SignedCheckpoint:
        """Return the signed head under which this entry stands.

        Args:
            text: Exact text of the entry.
            known: Keys that may sign heads of the log.

        Raises:
            Malformed, UnknownSigner: The checkpoint cannot be read, or no known key signed it.
            Forged: A signature does not fit, or the entry does not stand there.
        """
        signed = open_checkpoint(self.checkpoint, known)
        head = signed.checkpoint
        try:
            check_inclusion(leaf_hash(text.encode("utf-8")), self.index, head.size, self.path, head.root)
        except ProofError as error:
            raise Forged(f"the entry is not number {self.index} of {head.origin}: {error}") from error
        return signed


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That a log only grew since an older head, as the request body of C2SP tlog-witness.

    Attributes:
        old: Size of the older head; 0 where there is none.
        path: Hashes of RFC 6962 section 2.1.2.
        checkpoint: Note of the signed head.
    """

    old: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        """Return the text of the proof."""
        lines = [f"old {self.old}", *map(encode_base64, self.path), "", ""]
        return "\n".join(lines).encode("ascii") + self.checkpoint

    @classmethod
    def from_bytes(cls, data: bytes) -> "ConsistencyProof":
        """Read the text of a proof; raises `Malformed` if it is none."""
        lines, checkpoint = _split(data)
        return cls(old=_number(lines.pop(0), "old"), path=_hashes(lines), checkpoint=checkpoint)

    def open(self, old_root: bytes, known: Iterable[VerifyingKey]) -> SignedCheckpoint:
        """Return the signed head, once it is proved to extend the older head of this root.

        Raises:
            Malformed, UnknownSigner: The checkpoint cannot be read, or no known key signed it.
            Forged: A signature does not fit, or the log does not begin with the older one.
        """
        signed = open_checkpoint(self.checkpoint, known)
        self.check(old_root, signed.checkpoint)
        return signed

    def check(self, old_root: bytes, head: Checkpoint) -> None:
        """Check the proof against a head that was verified otherwise; raises `Forged` if it does not hold."""
        try:
            check_consistency(self.old, head.size, old_root, head.root, self.path)
        except ProofError as error:
            raise Forged(f"{head.origin} does not begin with the {self.old} entries: {error}") from error


def _split(data: bytes) -> tuple[list[str], bytes]:
    text = clean_text(data, max_bytes=MAX_PROOF_BYTES)
    head, blank, checkpoint = text.partition("\n\n")
    if not blank:
        raise Malformed("a proof has an empty line before its checkpoint")
    return head.split("\n"), checkpoint.encode("utf-8")


def _number(line: str, label: str) -> int:
    start, _, number = line.partition(" ")
    if start != label or _NUMBER.fullmatch(number) is None:
        raise Malformed(f"a proof has a line '{label} N' with a plain number")
    return int(number)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > _MAX_HASHES:
        raise Malformed(f"a proof has at most {_MAX_HASHES} hashes")
    hashes = tuple(map(decode_base64, lines))
    if any(len(value) != HASH_BYTES for value in hashes):
        raise Malformed("each hash of a proof has 32 bytes")
    return hashes
