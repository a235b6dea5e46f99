"""An entry under a signed head is edited, or removed, and the service is started again on what is left."""

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from license.evidence.log.merkle import Frontier, fold, leaf_hash
from tests.support.customer import Customer
from tests.support.evidence import codes, record
from tests.support.ledger import DAY, Machine

Act = Callable[[Machine], None]


def edit_text(machine: Machine) -> None:
    machine.sql('UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":0,"b":0\')')


def edit_text_and_leaves(machine: Machine) -> None:
    edit_text(machine)
    for n, text in enumerate(machine.texts()):
        machine.sql("UPDATE entry SET leaf = ? WHERE n = ?", leaf_hash(text.encode()), n)


def edit_the_whole_tree(machine: Machine) -> None:
    edit_text_and_leaves(machine)
    leaves = [leaf_hash(text.encode()) for text in machine.texts()]
    frontier = Frontier()
    frontier.extend(leaves, [])
    for tile in range(len(leaves) // 256):
        machine.sql(
            "UPDATE tile SET root = ? WHERE idx = ?", fold(leaves[tile * 256 : tile * 256 + 256]), tile
        )
    machine.sql("UPDATE tree SET frontier = ?", frontier.to_bytes())


def make_hashes_texts(machine: Machine) -> None:
    machine.sql("UPDATE entry SET leaf = 'x' WHERE n = 100")
    machine.sql("UPDATE tile SET root = 'x'")


def remove_an_entry(machine: Machine) -> None:
    machine.sql("DELETE FROM entry WHERE n = 100")


def cut_off(machine: Machine) -> None:
    """Back to entry 100, as a snapshot would have it, and no copy of a later head in the directory."""
    leaves = [leaf_hash(text.encode()) for text in machine.texts()[:100]]
    frontier = Frontier()
    frontier.extend(leaves, [])
    machine.sql("DELETE FROM entry WHERE n >= 100")
    machine.sql("DELETE FROM tile")
    machine.sql("DELETE FROM checkpoint WHERE size > 100")
    machine.sql("UPDATE tree SET size = 100, frontier = ?", frontier.to_bytes())


def forget_the_last_words(machine: Machine) -> None:
    cut_off(machine)
    machine.open().close()
    (machine.directory / "damaged-1.checkpoint").unlink()


ACTS: dict[Act, str] = {
    edit_text: "changed",
    edit_text_and_leaves: "tree",
    edit_the_whole_tree: "tree",
    make_hashes_texts: "changed",
    remove_an_entry: "missing",
    cut_off: "rollback",
    forget_the_last_words: "rollback",
}


@pytest.mark.parametrize("full", [False, True], ids=["summary", "full"])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: str(act.__name__))
def test_change_and_loss_inside_what_was_signed_are_named_in_every_export(
    customer: Customer, act: Act, full: bool
) -> None:
    machine = customer.machine
    ledger = machine.open()
    record(ledger, *range(300))
    ledger.close()
    act(machine)
    ledger = machine.open()
    record(ledger, 300)
    ledger.close()
    machine.pass_time(DAY)
    done = customer.ingest(customer.export(full=full))
    first = {finding.code for finding in done.report.findings if finding.log.endswith("/1")}
    assert ACTS[act] in first, done.report.findings
    assert done.report.exit_code == 2
    assert not [head for head in done.accepted if head.origin.endswith("/1")]
    assert "recovered" in codes(done.report)


def test_an_entry_edited_while_the_service_runs_is_named_in_a_summary(customer: Customer) -> None:
    ledger = customer.machine.open()
    record(ledger, *range(300))
    ledger.checkpoint()
    edit_text(customer.machine)
    done = customer.ingest()
    ledger.close()
    assert "changed" in codes(done.report, 2)
    assert done.accepted == ()


def test_a_tail_that_no_head_covers_can_be_made_anew(customer: Customer) -> None:
    """The limit of it: nothing was signed there, and nobody outside has heard of it yet."""
    ledger = customer.machine.open()
    record(ledger, *range(20))
    shutil.copytree(customer.machine.home, customer.place / "pulled")  # as the plug leaves it
    ledger.close()
    pulled = replace(customer.machine, home=customer.place / "pulled")
    pulled.licensed = customer.machine.licensed
    edit_the_whole_tree(pulled)
    ledger = pulled.open()
    assert ledger.origin.endswith("/1")
    ledger.close()
    done = customer.ingest(customer.export(machine=pulled, full=True))
    assert codes(done.report) == set()
