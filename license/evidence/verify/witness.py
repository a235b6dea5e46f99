"""Heads of logs that the vendor vouches for: in receipts, and in the licences that carry them on."""

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import DAY, decode_base64
from license.errors import LicenseError, UnknownSigner
from license.evidence.bundle.receipt import RECEIPT_KIND, open_receipt
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.cosignature import check_cosignature
from license.evidence.log.entry import parse
from license.evidence.log.source import LogSource
from license.licenses.license import LICENSE_KIND, License
from license.licenses.terms import LogHead
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import DELEGATION_KIND
from license.trust.delegations import DelegationSet
from license.trust.roots import TrustRoots
from license.trust.signed_note import read_unverified
from license.trust.statement import kind_of

CLOCKS_DIFFER_SECONDS: Final = DAY
"""By how much a witness's clock and effective time may differ, so that which was first cannot be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A head that the vendor cosigned.

    Attributes:
        where: Which note says so, for people.
        head: The head.
        receipt: Whether a receipt says so: its entries may have been pruned since.
        fault: Why its cosignature does not hold; empty if it does, or if the witness's key is not known here.
        proven: Whether a witness whom a root entitles cosigned it, or a log that is signed itself names it.
        expected: Whether an export must show enough of the log for it to be compared.
        at: When the witness cosigned it, in Unix seconds by its clock, if the note may be newer than the log
            as it is shown; None where the log itself brings the note.
    """

    where: str
    head: Checkpoint
    receipt: bool
    fault: str
    proven: bool = True
    expected: bool = True
    at: int | None = None

    def may_follow(self, end: int) -> bool:
        """Whether it may have been cosigned after an export ended, at this Unix second of effective time."""
        return self.at is not None and self.at + CLOCKS_DIFFER_SECONDS >= end


def proven_heads(licensed: AuthenticLicense) -> tuple[LogHead, ...]:
    """Return the heads in a licence that a witness cosigned whom a root entitles.

    The issuer's signature alone proves none: whoever has only that key cannot make a log look rolled back.
    """
    policy = licensed.license.ledger
    witnesses = DelegationSet(policy.witnesses, roots=licensed.roots).keys("witness")
    found = (_witnessed("", log, witnesses, receipt=False) for log in policy.logs)
    return tuple(log for log, head in zip(policy.logs, found, strict=True) if head.proven and not head.fault)


def with_proven_heads(licensed: AuthenticLicense) -> License:
    """Return what a licence says, less the heads that no witness proves."""
    policy = replace(licensed.license.ledger, logs=proven_heads(licensed))
    return replace(licensed.license, ledger=policy)


def witnessed_heads(
    notes: Iterable[bytes], roots: TrustRoots, *, added: Collection[bytes] = ()
) -> list[Witnessed]:
    """Return the heads in those notes that verify; what does not verify vouches for nothing.

    Args:
        notes: Licences, issuer notes and receipts.
        roots: Keys that may vouch for them.
        added: Those of the notes that others kept, and that may be newer than the log as it is shown.

    Raises:
        Malformed: There are more delegations than anybody needs.
    """
    by_kind: dict[str | None, list[bytes]] = {}
    for note in sorted(notes, key=lambda note: note in added):  # what the log brings itself says more
        by_kind.setdefault(_kind(note), []).append(note)
    licenses: list[tuple[License, bool]] = []
    delegations = DelegationSet(by_kind.get(DELEGATION_KIND, []), roots=roots)
    for note in by_kind.get(LICENSE_KIND, []):
        licenses += [(license, note in added) for license in _open(note, delegations, roots)]
    carried = [note for license, _ in licenses for note in license.ledger.witnesses]
    witnesses = DelegationSet([*by_kind.get(DELEGATION_KIND, []), *carried], roots=roots).keys("witness")
    heads: dict[tuple[LogHead, bool], Witnessed] = {}  # a head that stands in many notes is checked once
    for note in by_kind.get(RECEIPT_KIND, []):
        with contextlib.suppress(LicenseError):
            for log in open_receipt(note, delegations).logs:
                if (log, True) not in heads:
                    head = _witnessed("a receipt", log, witnesses, receipt=True)
                    heads[log, True] = head if note in added else replace(head, at=None)
    for license, later in licenses:
        for log in license.ledger.logs:
            if (log, False) not in heads:
                head = _witnessed(f"the licence {license.id}", log, witnesses, receipt=False)
                heads[log, False] = head if later else replace(head, at=None)
    return list(heads.values())


def named_heads(sources: Iterable[LogSource]) -> list[Witnessed]:
    """Return the heads that logs name of the ones they took over from: signed when those were set aside."""
    heads = []
    for source in sources:
        with contextlib.suppress(LicenseError, sqlite3.Error, OSError):
            for _, text, _ in source.rows():
                first = parse(text)
                if first.kind == "recover" and first.number("pn"):
                    root = decode_base64(first.text("pr"))
                    head = Checkpoint(origin=first.text("po"), size=first.number("pn"), root=root)
                    where = f"the log {first.text('o')}"
                    heads.append(Witnessed(where=where, head=head, receipt=False, fault=""))
                break
    return heads


def _witnessed(where: str, log: LogHead, witnesses: Sequence[VerifyingKey], *, receipt: bool) -> Witnessed:
    head = Checkpoint(origin=log.origin, size=log.size, root=log.root)
    fault, proven, at = "", False, None
    for witness in witnesses:
        try:
            at = check_cosignature(log.cosig, head, witness)
            proven = True
        except UnknownSigner:
            continue
        except LicenseError as error:
            fault = error.message
        break
    return Witnessed(where=where, head=head, receipt=receipt, fault=fault, proven=proven, at=at)


def _open(note: bytes, delegations: DelegationSet, roots: TrustRoots) -> Iterator[License]:
    """The licence in a note; nothing if no delegation proves it."""
    for _, issuer_note in delegations.of(note, "issuer"):
        with contextlib.suppress(LicenseError):
            yield open_license(note, issuer_note, roots=roots).license
            return


def _kind(note: bytes) -> str | None:
    try:
        return kind_of(read_unverified(note))
    except LicenseError:
        return None
