"""Receipts: what the vendor accepted of an export, so that neither side can deny it later.

    offline-appliance/receipt/v1
    { "bundle": "<sha256>", "subscription": "…", "issued": "…Z", "verdict": "clean",
      "logs": [{"origin": "…", "size": 812345, "root": "b64", "cosig": "— …"}],
      "totals": [{"month": "2026-11", "meter": "…", "entries": 3, "quantity": 9, "billed": 9}] }

A note signed by the issuer, so that the licence's `issuer.note` proves it; each head in it carries the
witness's cosignature. `docs/formats.md`, part Evidence.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from license.crypto.ed25519 import SigningKey
from license.encoding.fields import IDENTIFIER, SHA256, Fields, check_choice, check_range, check_text
from license.encoding.strict import MAX_INT, format_time, parse_date
from license.errors import UnknownIssuer
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.entry import Tally
from license.licenses.terms import LogHead
from license.trust.delegation import Delegation
from license.trust.delegations import DelegationSet
from license.trust.signed_note import open_note, sign_note
from license.trust.statement import parse_statement, render_statement

RECEIPT_KIND: Final = "receipt"
VERDICTS: Final = ("clean", "findings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was accepted.

    Attributes:
        bundle: SHA-256 of the export, in hex.
        subscription: Of the resource that pays.
        issued: Unix second.
        verdict: `clean`, or `findings` where something was left to be explained.
        logs: The heads that were cosigned.
        totals: All usage accepted so far in these logs, by month and meter.
    """

    bundle: str
    subscription: str
    issued: int
    verdict: str
    logs: tuple[LogHead, ...]
    totals: Mapping[tuple[str, str], Tally]

    def __post_init__(self) -> None:
        check_text("bundle", self.bundle, pattern=SHA256)
        check_text("subscription", self.subscription, pattern=IDENTIFIER)
        check_choice("verdict", self.verdict, VERDICTS)
        for (month, meter), tally in self.totals.items():
            parse_date(f"{month}-01")
            check_text("totals.meter", meter)
            for number in tally:
                check_range("totals", number, 0, MAX_INT)

    def heads(self) -> list[Checkpoint]:
        """Return the heads it accepts."""
        return [Checkpoint(origin=log.origin, size=log.size, root=log.root) for log in self.logs]

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "Receipt":
        """Read the claims of a receipt; raises `Malformed` naming the first field that is wrong."""
        top = Fields(claims)
        totals = {}
        for item in top.objects("totals"):
            numbers = Tally(item.number("entries"), item.number("quantity"), item.number("billed"))
            totals[item.text("month"), item.text("meter")] = numbers
        return cls(
            bundle=top.text("bundle"),
            subscription=top.text("subscription"),
            issued=top.time("issued"),
            verdict=top.text("verdict"),
            logs=tuple(LogHead.from_fields(item) for item in top.objects("logs")),
            totals=totals,
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "bundle": self.bundle,
            "subscription": self.subscription,
            "issued": format_time(self.issued),
            "verdict": self.verdict,
            "logs": [log.to_claims() for log in self.logs],
            "totals": [
                {"month": month, "meter": meter, **tally._asdict()}
                for (month, meter), tally in sorted(self.totals.items())
            ],
        }


RECEIPT_FIELDS: Final = frozenset(Receipt.__slots__)
"""Names that `crit` may list."""


def sign_receipt(receipt: Receipt, issuer: SigningKey) -> bytes:
    """Return the note of a receipt."""
    return sign_note(render_statement(RECEIPT_KIND, receipt.to_claims()), issuer)


def open_receipt(note: bytes, delegations: DelegationSet) -> Receipt:
    """Return a receipt that an issuer signed whom a root entitles.

    Args:
        note: The receipt.
        delegations: One of them names its signer.

    Raises:
        LicenseError: Of the class that names what is wrong.
    """
    claims, delegated = open_issued(note, RECEIPT_KIND, RECEIPT_FIELDS, delegations)
    receipt = Receipt.from_claims(claims)
    delegated.check_time(receipt.issued, "the receipt was issued")
    return receipt


def open_issued(
    note: bytes, kind: str, understood: Collection[str], delegations: DelegationSet
) -> tuple[dict[str, Any], Delegation]:
    """Return the claims of a statement that an issuer signed, and what entitles that issuer.

    Raises:
        LicenseError: Of the class that names what is wrong.
    """
    for delegated, _ in delegations.of(note, "issuer"):
        opened = open_note(note, [delegated.key])
        return parse_statement(opened.text, kind, understood=understood), delegated
    raise UnknownIssuer(f"no issuer note that came with the {kind} is of its signer and by a trusted root")
