"""Heads of logs that the vendor vouches for: in receipts, and in the licences that carry them on."""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import decode_base64
from license.errors import LicenseError, UnknownSigner
from license.evidence.bundle.receipt import RECEIPT_KIND, open_receipt
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.cosignature import check_cosignature
from license.evidence.log.entry import parse
from license.evidence.log.source import LogSource
from license.licenses.license import LICENSE_KIND
from license.licenses.terms import LogHead
from license.licenses.verify import open_license
from license.trust.delegation import DELEGATION_KIND, open_delegation
from license.trust.roots import TrustRoots
from license.trust.signed_note import read_unverified
from license.trust.statement import kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A head that the vendor cosigned.

    Attributes:
        where: Which note says so, for people.
        head: The head.
        receipt: Whether a receipt says so: its entries may have been pruned since.
        fault: Why its cosignature does not hold; empty if it does, or if the witness's key is not known here.
    """

    where: str
    head: Checkpoint
    receipt: bool
    fault: str


def witnessed_heads(notes: Iterable[bytes], roots: TrustRoots) -> list[Witnessed]:
    """Return the heads in those notes that verify; what does not verify vouches for nothing."""
    by_kind: dict[str | None, list[bytes]] = {}
    for note in notes:
        by_kind.setdefault(_kind(note), []).append(note)
    delegations = by_kind.get(DELEGATION_KIND, [])
    witnesses = _witnesses(delegations, roots)
    heads: list[Witnessed] = []
    for note in by_kind.get(RECEIPT_KIND, []):
        try:
            receipt = open_receipt(note, delegations, roots=roots)
        except LicenseError:
            continue
        heads += [_witnessed("a receipt", log, witnesses, receipt=True) for log in receipt.logs]
    for note in by_kind.get(LICENSE_KIND, []):
        logs, name = _licensed_heads(note, delegations, roots)
        heads += [_witnessed(name, log, witnesses, receipt=False) for log in logs]
    return heads


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
    fault = ""
    for witness in witnesses:
        try:
            check_cosignature(log.cosig, head, witness)
        except UnknownSigner:
            continue
        except LicenseError as error:
            fault = error.message
        break
    return Witnessed(where=where, head=head, receipt=receipt, fault=fault)


def _witnesses(delegations: Iterable[bytes], roots: TrustRoots) -> list[VerifyingKey]:
    keys = []
    for note in delegations:
        try:
            keys.append(open_delegation(note, roots=roots, role="witness")[0].key)
        except LicenseError:
            continue
    return keys


def _licensed_heads(
    note: bytes, delegations: Iterable[bytes], roots: TrustRoots
) -> tuple[Sequence[LogHead], str]:
    for issuer_note in delegations:
        try:
            licensed = open_license(note, issuer_note, roots=roots).license
        except LicenseError:
            continue
        return licensed.ledger.logs, f"the licence {licensed.id}"
    return (), ""


def _kind(note: bytes) -> str | None:
    try:
        return kind_of(read_unverified(note))
    except LicenseError:
        return None
