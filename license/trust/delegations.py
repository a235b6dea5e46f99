"""The delegations that came along with other notes: few, and each verified once, whatever they are tried on.

An archive may hold hundreds of notes. Each of them against each delegation would be tens of thousands of
signatures to verify, for a stranger's file; here it is one for each delegation, and then one for each note
whose signature lines name a key that is delegated to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError, Malformed
from license.trust.delegation import DELEGATION_KIND, Delegation, open_delegation
from license.trust.roots import TrustRoots
from license.trust.signed_note import read_signers, read_unverified
from license.trust.statement import kind_of

MAX_DELEGATIONS = 64
"""A vendor makes two in two years."""


class DelegationSet:
    """The delegations among some notes that a root stands behind.

    Args:
        notes: Notes of any kind; what is no delegation, or nobody's, is passed over.
        roots: Keys that may delegate.

    Raises:
        Malformed: There are more of them than anybody needs; none was verified.
    """

    def __init__(self, notes: Iterable[bytes], *, roots: TrustRoots) -> None:
        delegations = [note for note in dict.fromkeys(notes) if _is_delegation(note)]
        if len(delegations) > MAX_DELEGATIONS:
            raise Malformed(
                f"{len(delegations)} delegations came along, and at most {MAX_DELEGATIONS} are looked at",
                hint="keep those that the vendor sent, and remove the others",
            )
        self._notes: dict[Delegation, bytes] = {}
        for note in delegations:
            try:
                delegated, _ = open_delegation(note, roots=roots)
            except LicenseError:
                continue
            self._notes.setdefault(delegated, note)

    def keys(self, role: str) -> list[VerifyingKey]:
        """Return the keys that are delegated to for a role."""
        return [delegated.key for delegated in self._notes if delegated.role == role]

    def of(self, note: bytes, role: str) -> Iterator[tuple[Delegation, bytes]]:
        """Return the delegations of the keys that a note says it is signed by, with the notes of them.

        Whether such a key did sign it is for the caller to verify.

        Raises:
            Malformed: It is no note.
        """
        signers = read_signers(note)
        for delegated, delegation in self._notes.items():
            if delegated.role == role and (delegated.key.name, delegated.key.key_id) in signers:
                yield delegated, delegation


def _is_delegation(note: bytes) -> bool:
    try:
        return kind_of(read_unverified(note)) == DELEGATION_KIND
    except LicenseError:
        return False
