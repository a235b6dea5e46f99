"""Delegations: a root key names the key that may do one job, for a time.

The issuer's delegation travels beside the licence as `issuer.note`, so that roots can stay off line and
issuers can change without touching any installed software. `epoch` grows with each new issuer: once an
appliance has seen one, the earlier ones are void.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from license.crypto.ed25519 import VerifyingKey
from license.encoding.fields import Fields, check_choice, check_range
from license.encoding.strict import MAX_INT, MAX_TIME, format_time
from license.errors import DelegationExpired, EpochTooLow, UnknownSigner, WrongType
from license.trust.roots import TrustRoots
from license.trust.signed_note import open_note
from license.trust.statement import parse_statement

DELEGATION_KIND: Final = "delegation"
ROLES: Final = ("issuer", "witness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """What a root says of another key.

    Attributes:
        role: `issuer` (signs licences) or `witness` (cosigns usage logs).
        vkey: Text form of the key.
        not_before: First Unix second at which the key may sign.
        not_after: Last one.
        epoch: Grows with each successor in the role.
    """

    role: str
    vkey: str
    not_before: int
    not_after: int
    epoch: int

    def __post_init__(self) -> None:
        check_choice("role", self.role, ROLES)
        VerifyingKey.from_vkey(self.vkey)
        check_range("not_before", self.not_before, 0, MAX_TIME)
        check_range("not_after", self.not_after, self.not_before, MAX_TIME)
        check_range("epoch", self.epoch, 1, MAX_INT)

    @property
    def key(self) -> VerifyingKey:
        """The key that is delegated to."""
        return VerifyingKey.from_vkey(self.vkey)

    def check_time(self, at: int, what: str) -> None:
        """Refuse what the key signed outside its time; raises `DelegationExpired`."""
        if not self.not_before <= at <= self.not_after:
            raise DelegationExpired(f"{what} when the issuer was not entitled")

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Delegation:
        """Read the claims of a delegation statement; raises `Malformed` naming the first wrong field."""
        top = Fields(claims)
        return cls(
            role=top.text("role"),
            vkey=top.text("vkey"),
            not_before=top.time("not_before"),
            not_after=top.time("not_after"),
            epoch=top.number("epoch"),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "role": self.role,
            "vkey": self.vkey,
            "not_before": format_time(self.not_before),
            "not_after": format_time(self.not_after),
            "epoch": self.epoch,
        }


DELEGATION_FIELDS: Final = frozenset(field.name for field in fields(Delegation))
"""Names that `crit` may list."""


def open_delegation(
    note: bytes, *, roots: TrustRoots, role: str | None = None, min_epoch: int = 0
) -> tuple[Delegation, VerifyingKey]:
    """Return what a root delegates in `note`, and which root (steps 2 to 4); for any role without one.

    Raises:
        LicenseError: of the class that names the step that failed.
    """
    try:
        opened = open_note(note, roots)
    except UnknownSigner as error:
        raise UnknownSigner(f"no root of this installation vouches for it; {error.message}") from error
    delegation = Delegation.from_claims(
        parse_statement(opened.text, DELEGATION_KIND, understood=DELEGATION_FIELDS)
    )
    if role is not None and delegation.role != role:
        raise WrongType(f"the delegation is for the role {delegation.role}, not {role}")
    if delegation.epoch < min_epoch:
        raise EpochTooLow(
            f"the issuer of epoch {delegation.epoch} was replaced: epoch {min_epoch} was already seen here"
        )
    return delegation, opened.signers[0]
