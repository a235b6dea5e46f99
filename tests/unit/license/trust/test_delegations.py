"""However many notes come along, few signatures are verified, and each delegation once."""

from pathlib import Path
from typing import ClassVar

import pytest

from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.errors import Malformed
from license.evidence.bundle.receipt import Receipt, open_receipt, sign_receipt
from license.evidence.verify.witness import witnessed_heads
from license.licenses.terms import LogHead
from license.trust.delegation import Delegation
from license.trust.delegations import MAX_DELEGATIONS, DelegationSet
from license.trust.roots import TrustRoots
from license.trust.signed_note import open_note, sign_note
from license.trust.statement import render_statement

NOW = 1_790_000_000
ROOT, ISSUER = SigningKey.generate("vendor/root"), SigningKey.generate("vendor/issuer")
STRANGER = SigningKey.generate("vendor/root")


class Counted(VerifyingKey):
    """A root's key that counts what it verifies."""

    made: ClassVar[list[bytes]] = []

    def verify(self, message: bytes, signature: bytes) -> None:
        self.made.append(message)
        super().verify(message, signature)


@pytest.fixture
def roots() -> TrustRoots:
    Counted.made.clear()
    return TrustRoots(
        keys=(Counted(name=ROOT.name, public=ROOT.verifying.public),), sources=(Path("root.vkey"),)
    )


def delegation(
    key: SigningKey = ISSUER, *, role: str = "issuer", epoch: int = 1, by: SigningKey = ROOT
) -> bytes:
    said = Delegation(role=role, vkey=key.verifying.vkey, not_before=0, not_after=NOW, epoch=epoch)
    return sign_note(render_statement("delegation", said.to_claims()), by)


def receipt(number: int) -> bytes:
    head = LogHead(
        origin="offline-appliance/customner/ec63c3690139/1", size=1, root=bytes(32), cosig="— w AAAAAA=="
    )
    said = Receipt(
        bundle=f"{number:064x}", subscription="s", issued=NOW, verdict="clean", logs=(head,), totals={}
    )
    return sign_receipt(said, ISSUER)


def padded(note: bytes, number: int) -> bytes:
    """The same note with another signature that nobody knows: other bytes, and as good."""
    text, _, lines = note.rpartition(b"\n\n")
    other = sign_note("x\n", SigningKey.generate(f"pad-{number}")).rpartition(b"\n\n")[2]
    return text + b"\n\n" + lines + other


def test_each_delegation_is_verified_once_whatever_it_is_tried_on(roots: TrustRoots) -> None:
    notes = [delegation(epoch=n + 1) for n in range(20)] + [receipt(n) for n in range(300)]
    assert len(witnessed_heads(notes, roots)) == 1
    assert len(Counted.made) <= 2 * 20  # for issuers, and for witnesses


def test_more_delegations_than_anybody_needs_are_refused_before_one_is_verified(roots: TrustRoots) -> None:
    genuine = delegation()
    notes = [padded(genuine, n) for n in range(MAX_DELEGATIONS + 1)]
    for refused in (lambda: DelegationSet(notes, roots=roots), lambda: witnessed_heads(notes, roots)):
        with pytest.raises(Malformed, match="at most 64"):
            refused()
    assert Counted.made == []


def test_copies_of_a_delegation_are_one(roots: TrustRoots) -> None:
    copies = DelegationSet([padded(delegation(), n) for n in range(10)], roots=roots)
    assert len(list(copies.of(receipt(1), "issuer"))) == len(copies.keys("issuer")) == 1
    assert copies.keys("witness") == []


def test_forged_delegations_do_not_hide_the_genuine_one(roots: TrustRoots) -> None:
    forged = delegation(by=STRANGER), delegation().replace(b'"epoch": 1', b'"epoch": 9')
    found = DelegationSet([b"x", *forged, delegation()], roots=roots)
    assert [said.epoch for said, _ in found.of(receipt(1), "issuer")] == [1]
    assert open_receipt(receipt(1), found).bundle == f"{1:064x}"


def test_a_signature_that_stands_there_a_hundred_times_is_verified_once(roots: TrustRoots) -> None:
    text, _, line = delegation().rpartition(b"\n\n")
    open_note(text + b"\n\n" + 100 * line, roots)
    assert len(Counted.made) == 1
