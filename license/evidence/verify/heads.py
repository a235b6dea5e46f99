"""The signed heads of one log, and whether the keys and the tree agree with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from license.evidence.log.source import LogSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A head that was found, not yet verified.

    Attributes:
        where: `""` for one of the log's own, otherwise where it was found.
        note: Its bytes.
        claim: What it claims.
    """

    where: str
    note: bytes
    claim: Checkpoint

    def open(self, known: Iterable[VerifyingKey]) -> tuple[VerifyingKey, ...]:
        """Return which of the known keys signed it; raises `LicenseError` if none did, or one badly."""
        return open_checkpoint(self.note, known).signers


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Every head of a log, by the number of entries it covers.

    Attributes:
        by_size: The heads.
        unreadable: What could not be read, and why.
    """

    by_size: dict[int, list[Head]]
    unreadable: Sequence[str]

    @classmethod
    def collect(cls, source: LogSource) -> "Heads":
        """Read the heads kept with a log, and those found elsewhere."""
        by_size: dict[int, list[Head]] = {}
        unreadable = []
        notes = [("", note) for note in source.checkpoints()] + list(source.published())
        for where, note in notes:
            try:
                claim = read_checkpoint(note)
            except LicenseError as error:
                unreadable.append(f"a checkpoint{f' in {where}' if where else ''} is damaged: {error}")
                continue
            by_size.setdefault(claim.size, []).append(Head(where=where, note=note, claim=claim))
        return cls(by_size=by_size, unreadable=unreadable)

    def sizes(self) -> list[int]:
        """Return the sizes there are heads of, in order."""
        return sorted(self.by_size)

    def beyond(self, size: int, origin: str) -> list[Head]:
        """Return the heads of this log that cover more than `size` entries."""
        late = [head for at, heads in sorted(self.by_size.items()) if at > size for head in heads]
        return [head for head in late if head.claim.origin == origin]
