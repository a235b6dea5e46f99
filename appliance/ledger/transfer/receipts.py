"""The vendor's receipts come back: verified, then kept beside the logs they are about."""

import contextlib
import hashlib
from pathlib import Path

from appliance.ledger.read.inclusion_proof import log_origin
from license.errors import LicenseError, Malformed
from license.evidence.bundle.receipt import RECEIPT_KIND, Receipt, open_receipt
from license.evidence.log.merkle import root_at
from license.evidence.log.source import RECEIPTS, find_databases, find_ledgers, open_database
from license.evidence.log.tiles import stored_subtree
from license.files import read_limited, write_atomic
from license.trust.delegation import DELEGATION_KIND
from license.trust.delegations import DelegationSet
from license.trust.roots import TrustRoots
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import kind_of


class OtherHistory(LicenseError):
    """The receipt is about another history of a log that is here."""

    code = "LedgerMismatch"
    default_hint = "this disk may have been restored from a backup, or there is a second copy of the machine"


def keep_receipt(output: Path, delivery: Path, roots: TrustRoots) -> tuple[Receipt, list[Path]]:
    """Verify a receipt and keep it, with what proves it, beside each log it is about.

    Args:
        output: The output mount.
        delivery: Directory with `receipt.note`, `issuer.note` and, best, `witness.note`.
        roots: Keys that may vouch for it.

    Returns:
        The receipt, and the ledger directories where it lies now.

    Raises:
        OtherHistory: A log here is not the one that was accepted.
        LicenseError: It is not an authentic receipt, or about no log here.
    """
    notes = [read_limited(path, MAX_NOTE_BYTES) for path in sorted(delivery.glob("*.note"))]
    kinds = {note: kind_of(read_unverified(note)) for note in notes}
    issuers = [note for note, kind in kinds.items() if kind == DELEGATION_KIND]
    received = [note for note, kind in kinds.items() if kind == RECEIPT_KIND]
    if len(received) != 1:
        raise Malformed(f"there must be one receipt in {delivery}, not {len(received)}")
    receipt = open_receipt(received[0], DelegationSet(issuers, roots=roots))
    ledgers = [ledger for ledger in find_ledgers(output) if _is_about(receipt, ledger)]
    if not ledgers:
        raise LicenseError(
            f"the receipt covers no log under {output}", hint="name the output mount that was exported"
        )
    for ledger in ledgers:
        directory = ledger / RECEIPTS
        directory.mkdir(mode=0o700, exist_ok=True)
        for note in (*issuers, received[0]):
            write_atomic(directory / f"{hashlib.sha256(note).hexdigest()[:32]}.note", note)
    return receipt, ledgers


def _is_about(receipt: Receipt, ledger: Path) -> bool:
    heads = {head.origin: head for head in receipt.heads()}
    about = False
    for path in find_databases(ledger):
        head = heads.get(log_origin(path))
        if head is None:
            continue
        with contextlib.closing(open_database(path)) as connection:
            try:
                root = root_at(head.size, stored_subtree(connection))
            except LookupError:
                root = b""
        if root != head.root:
            raise OtherHistory(f"the vendor accepted another history of {head.origin}")
        about = True
    return about
