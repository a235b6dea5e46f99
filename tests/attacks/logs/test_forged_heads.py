"""Somebody has the issuer's key, and no other: can they make a customer's log look rolled back?"""

from dataclasses import replace

import pytest

from appliance.ledger.read.fork_check import check_heads
from license.crypto.ed25519 import SigningKey, load_signing_key
from license.evidence.log.checkpoint import Checkpoint
from license.evidence.log.cosignature import cosign
from license.evidence.verify.verify import verify
from license.evidence.verify.witness import proven_heads, with_proven_heads
from license.licenses.terms import LedgerPolicy, LogHead
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import Delegation
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement
from tests.support.customer import Customer
from tests.support.evidence import codes, run_days
from tests.support.ledger import DAY


def stolen(customer: Customer, policy: LedgerPolicy) -> AuthenticLicense:
    """A licence made with the issuer's key, and what it says of the log."""
    before = customer.machine.licensed
    claims = replace(before.license, id="01J0000000000000000000STLN", serial=9, ledger=policy)
    note = sign_note(render_statement("license", claims.to_claims()), customer.authority.keyring.issuer)
    return open_license(note, before.issuer_note, roots=customer.authority.keyring.roots)


def forged(customer: Customer, witness: SigningKey) -> LogHead:
    head = Checkpoint(
        origin=f"offline-appliance/customner/{customer.machine.identity.verifying.fingerprint}/1",
        size=1_000_000,
        root=bytes(32),
    )
    line = cosign(head, witness, at=customer.machine.wall)
    return LogHead(origin=head.origin, size=head.size, root=head.root, cosig=line)


def policies(customer: Customer) -> dict[str, LedgerPolicy]:
    keyring, wall = customer.authority.keyring, customer.machine.wall
    mine = SigningKey.generate(keyring.witness.name)
    delegation = Delegation(
        role="witness", vkey=mine.verifying.vkey, not_before=wall - DAY, not_after=wall + DAY, epoch=1
    )
    own = sign_note(render_statement("delegation", delegation.to_claims()), keyring.issuer)
    real = keyring.witness_notes
    wrong = replace(forged(customer, keyring.witness), cosig=forged(customer, mine).cosig)
    return {
        "no witness": LedgerPolicy(logs=(forged(customer, mine),)),
        "a witness of my own": LedgerPolicy(logs=(forged(customer, mine),), witnesses=(own,)),
        "the real witness's note": LedgerPolicy(logs=(wrong,), witnesses=real),
        "the issuer as witness": LedgerPolicy(
            logs=(forged(customer, keyring.issuer),), witnesses=(keyring.issuer_note,)
        ),
    }


@pytest.mark.parametrize(
    "way", ["no witness", "a witness of my own", "the real witness's note", "the issuer as witness"]
)
def test_heads_that_no_entitled_witness_signed_prove_nothing(customer: Customer, way: str) -> None:
    machine = customer.machine
    run_days(machine, 1)
    licensed = stolen(customer, policies(customer)[way])
    assert proven_heads(licensed) == ()
    instance = machine.identity.verifying.fingerprint
    assert check_heads(machine.directory, with_proven_heads(licensed), instance=instance) == []
    ledger = machine.open()
    ledger.change_license(licensed)  # while it runs
    assert ledger.origin.endswith("/1")
    ledger.close()
    ledger = machine.open(licensed)  # and at a start
    assert ledger.origin.endswith("/1")
    ledger.close()
    report = verify(machine.output, customer.authority.keyring.roots)
    assert "unproven" in codes(report)
    assert "rollback" not in codes(report, 2)


def test_heads_by_an_earlier_witness_still_count(customer: Customer) -> None:
    run_days(customer.machine, 1)
    customer.ingest()
    authority = customer.authority
    authority.rotate("witness", load_signing_key(authority.home / "keys" / "root.key"))
    assert len(proven_heads(customer.license())) == 1
