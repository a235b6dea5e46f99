"""The signed heads of one log, and whether the keys and the tree agree with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError, UnknownSigner
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from license.evidence.log.source import KeptHead, LogSource
from license.trust.signed_note import read_signers


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A head that was found, not yet verified.

    Attributes:
        where: `""` for one of the log's own, otherwise where it was found.
        note: Its bytes.
        claim: What it claims.
        at: When it was signed, in Unix seconds, if whoever kept it says so.
    """

    where: str
    note: bytes
    claim: Checkpoint
    at: int | None = None

    def may_follow(self, day_keys: Sequence[VerifyingKey], instance: VerifyingKey | None, end: int) -> bool:
        """Whether a head that others kept may have been signed after an export ended.

        Args:
            day_keys: The keys of the days in the export, in order.
            instance: Key of the installation.
            end: Time of the export's last entry, in Unix seconds.

        Returns:
            False where it was signed before that time, by the key of a day that had ended, or by nobody who
            signs heads of this log.
        """
        if not self.where or (self.at is not None and self.at < end):
            return False
        known = [*day_keys, *([] if instance is None else [instance])]
        try:
            signers = self.open(known)
        except UnknownSigner:  # the keys of later days are not known yet: they bear the name of the log
            return any(name == self.claim.origin for name, _ in read_signers(self.note))
        except LicenseError:
            return False
        ended = day_keys[:-1]
        return not any(signer in ended for signer in signers)

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
        own = [KeptHead("", note) for note in source.checkpoints()]
        for where, note, at in [*own, *source.published()]:
            try:
                claim = read_checkpoint(note)
            except LicenseError as error:
                unreadable.append(f"a checkpoint{f' in {where}' if where else ''} is damaged: {error}")
                continue
            by_size.setdefault(claim.size, []).append(Head(where=where, note=note, claim=claim, at=at))
        return cls(by_size=by_size, unreadable=unreadable)

    def sizes(self) -> list[int]:
        """Return the sizes there are heads of, in order."""
        return sorted(self.by_size)

    def beyond(self, size: int, origin: str) -> list[Head]:
        """Return the heads of this log that cover more than `size` entries."""
        late = [head for at, heads in sorted(self.by_size.items()) if at > size for head in heads]
        return [head for head in late if head.claim.origin == origin]
