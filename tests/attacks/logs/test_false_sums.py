"""A day is signed with less than its entries say, and the entries are put back: a summary hides them.

The machine's owner keeps the key of the day, which the service erases, and signs anew what it signed at
midnight. A changed program could do the same.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from license.crypto.ed25519 import SigningKey, load_signing_key
from license.errors import AuthorityError, UnknownIssuer
from license.evidence.bundle.openings import Openings, Stretch, sign_openings
from license.evidence.log.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from license.evidence.log.entry import Tally
from license.evidence.log.merkle import Frontier, fold, leaf_hash
from license.trust.signed_note import read_signers, read_unverified
from license.trust.statement import parse_statement
from tests.support.customer import Customer
from tests.support.evidence import METER, codes, record, run_days
from tests.support.ledger import DAY, Machine

USES = 300
TRUE, FALSE = f"[{USES},{2 * USES},{2 * USES}]", f"[{USES},{USES},{USES}]"


def sign_anew(machine: Machine, keys: list[SigningKey]) -> None:
    """Hash and sign the whole log as its texts are now, each head by the keys that had signed it."""
    leaves = [leaf_hash(text.encode()) for text in machine.texts()]
    known = {(key.name, key.verifying.key_id): key for key in keys}
    for n, leaf in enumerate(leaves):
        machine.sql("UPDATE entry SET leaf = ? WHERE n = ?", leaf, n)
    for tile in range(len(leaves) // 256):
        machine.sql(
            "UPDATE tile SET root = ? WHERE idx = ?", fold(leaves[tile * 256 : tile * 256 + 256]), tile
        )
    signed = b""
    for number, note in machine.sql("SELECT id, note FROM checkpoint ORDER BY id"):
        old = str(note).encode()
        head = read_checkpoint(old)
        frontier = Frontier()
        frontier.extend(leaves[: head.size], [])
        signers = [
            known[signer] for signer in sorted(read_signers(old), key=lambda item: item[0] != head.origin)
        ]
        signed = sign_checkpoint(
            Checkpoint(origin=head.origin, size=head.size, root=frontier.root()), *signers
        )
        machine.sql("UPDATE checkpoint SET note = ? WHERE id = ?", signed.decode(), number)
    frontier = Frontier()
    frontier.extend(leaves, [])
    machine.sql("UPDATE tree SET frontier = ?", frontier.to_bytes())
    (machine.directory / "checkpoint").write_bytes(signed)


def day_keys(machine: Machine) -> list[SigningKey]:
    return [load_signing_key(path) for path in machine.state.glob("day-*.key")]


@pytest.fixture
def cheat(customer: Customer) -> Customer:
    """A day of 300 uses that is signed as if each had been half, and another day that is true."""
    machine = customer.machine
    ledger = machine.open()
    record(ledger, *range(USES))
    keys = day_keys(machine)
    ledger.close()
    machine.pass_time(DAY)
    ledger = machine.open()
    record(ledger, USES)
    ledger.close()
    machine.sql("UPDATE entry SET text = replace(text, ?, ?) WHERE kind = 'key'", TRUE, FALSE)
    sign_anew(machine, [*keys, *day_keys(machine), machine.identity])
    return customer


def asked(done: bytes) -> Openings:
    return Openings.from_claims(parse_statement(read_unverified(done), "openings"))


def test_a_summary_of_false_sums_looks_clean_and_gets_no_receipt(cheat: Customer) -> None:
    done = cheat.ask()
    assert done.report.exit_code == 0, done.report.findings
    assert done.report.logs[0].days["2026-09-21", METER] == Tally(USES, USES, USES)
    assert (done.accepted, done.receipt, cheat.sizes()) == ((), b"", [])
    assert done.openings


def test_the_entries_that_were_put_back_contradict_the_sums(cheat: Customer) -> None:
    done = cheat.ingest()
    assert codes(done.report, 2) >= {"day-sums"}
    assert done.report.totals["2026-09", METER].quantity == 2 * USES + 2
    assert (done.accepted, done.receipt, done.openings, cheat.sizes()) == ((), b"", b"", [])


def test_entries_that_are_not_put_back_are_not_what_was_hashed(cheat: Customer) -> None:
    done = cheat.ask()
    cheat.machine.sql('UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":1,"b":1\') WHERE n < 300')
    answered = cheat.ask(cheat.answer(done))
    assert codes(answered.report, 2) >= {"changed"}
    assert answered.accepted == ()


def test_who_sends_the_summary_again_gets_no_other_draw(customer: Customer) -> None:
    """Nor with another one, longer or shorter: what was asked for stays asked for."""
    run_days(customer.machine, 2)
    shorter = customer.export()
    run_days(customer.machine, 4, first=2)
    first = asked(customer.ask(stretches=1).openings).logs[0].stretches
    assert len(first) == 1
    for _ in range(3):
        again = customer.ask(stretches=1)
        assert asked(again.openings).logs[0].stretches == first
        assert codes(again.report) == {"unopened"}
    run_days(customer.machine, 1, first=6)
    longer = asked(customer.ask(stretches=1).openings).logs[0].stretches
    assert {stretch.first for stretch in longer} > {stretch.first for stretch in first}
    cut = customer.ask(shorter, stretches=1)
    assert cut.accepted == ()
    # Only what was asked for settles it, in one file or in a full export.
    assert customer.ask(customer.export(full=True)).accepted


def test_what_was_not_asked_for_is_no_answer(customer: Customer) -> None:
    run_days(customer.machine, 6)
    done = customer.ask(stretches=2)
    note = asked(done.openings)
    wanted = set(note.logs[0].stretches)
    # Another authority's question about the same log, which the customer would rather answer.
    keys = [n for n, kind in enumerate(customer.machine.kinds()) if kind == "key"]
    firsts = [0, *(n + 1 for n in keys)]
    stretches = {Stretch(first=first, stop=stop) for first, stop in zip(firsts, keys, strict=False)}
    others = tuple(sorted(stretches - wanted))[:2]
    other = replace(note, logs=(replace(note.logs[0], stretches=others),))
    forged = replace(done, openings=sign_openings(other, customer.authority.keyring.issuer))
    answered = customer.ask(customer.answer(forged))
    assert "unopened" in codes(answered.report)
    assert answered.accepted == ()
    assert set(asked(answered.openings).logs[0].stretches) == wanted


def test_a_strangers_question_is_not_answered(customer: Customer) -> None:
    run_days(customer.machine, 1)
    done = customer.ask()
    stranger = SigningKey.generate(customer.authority.keyring.issuer.name)
    with pytest.raises(UnknownIssuer):
        customer.answer(replace(done, openings=sign_openings(asked(done.openings), stranger)))


@pytest.mark.parametrize("full", [False, True])
def test_a_shorter_history_in_the_place_of_a_summary_does_not_make_it_forgotten(
    customer: Customer, tmp_path: Path, full: bool
) -> None:
    """The machine is put back behind a summary that was asked about, and uses less from there on."""
    machine = customer.machine
    run_days(machine, 1)
    for directory in (machine.output, machine.state):
        shutil.copytree(directory, tmp_path / "before" / directory.name)
    run_days(machine, 4, first=1)
    assert customer.ask().openings
    for directory in (machine.output, machine.state):
        shutil.rmtree(directory)
        shutil.copytree(tmp_path / "before" / directory.name, directory)
    run_days(machine, 1, first=5)
    shorter = customer.ingest(customer.export(full=full))
    assert "unopened" in codes(shorter.report)
    run_days(machine, 6, first=6)
    longer = customer.ingest(customer.export(full=full))
    # The day that the summary was signed in has another key in this history, or the head does not fit.
    assert codes(longer.report, 2) & {"checkpoint", "fork"}
    assert longer.accepted == ()


def test_machines_whose_summaries_were_never_opened_are_told(customer: Customer, tmp_path: Path) -> None:
    """Under a bearer licence each new installation has a draw of its own; the others stay in the book."""
    bearer = customer.license(binding="any")
    for attempt in ("first", "second"):
        machine = Machine(tmp_path / attempt, customer.machine.vendor)
        machine.licensed = bearer
        run_days(machine, 2)
        done = customer.ask(customer.export(machine=machine))
        assert done.openings
    customer.machine.pass_time(101 * DAY)  # the vendor's clock
    last = customer.ask(customer.answer(done, machine=machine))
    assert "not-reported" in codes(last.report)
    assert last.accepted


def test_a_log_that_was_asked_about_is_no_other_resources(customer: Customer) -> None:
    """A draw that came out badly is not made again under the next licence's name."""
    run_days(customer.machine, 2)
    assert customer.ask().openings
    customer.resource = customer.authority.create_resource(
        "acme-2", customer="Acme Ltd", meters={METER: 50}, period=("2026-01-01", "2028-01-01")
    ).resource
    for _ in range(3):  # the newest licence names the resource
        customer.machine.licensed = customer.license()
    run_days(customer.machine, 1, first=2)
    with pytest.raises(AuthorityError) as refused:
        customer.ask()
    assert refused.value.code == "OtherResource"
