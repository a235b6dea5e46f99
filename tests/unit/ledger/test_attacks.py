"""What somebody with the database in hand can try, and what the verifier, or the next start, says to it."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.ledger.ledger import Ledger, UsageRecord
from license.crypto.ed25519 import SigningKey
from license.errors import SerialTooLow
from license.evidence.log.entry import parse
from license.evidence.log.merkle import Frontier, leaf_hash
from license.evidence.verify.result import Finding, Report
from license.evidence.verify.verify import verify
from license.trust.roots import TrustRoots
from license.trust.signed_note import sign_note
from tests.support.ledger import DAY, Machine, Vendor

METER = "Ner.TextRecords"


def record(ledger: Ledger, *numbers: int) -> None:
    async def each() -> None:
        for number in numbers:
            await ledger.commit([UsageRecord(meter=METER, quantity=2, billed=2, request_id=f"r{number}")])

    asyncio.run(each())


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Machine:
    """A ledger of three days, in order, stopped; not to be touched."""
    machine = Machine(tmp_path_factory.mktemp("three-days"), vendor)
    for day in range(3):
        ledger = machine.open()
        record(ledger, *range(10 * day, 10 * day + 10))
        ledger.close()
        machine.pass_time(DAY)
    assert check(machine).exit_code == 0
    return machine


@pytest.fixture
def closed(tmp_path: Path, three_days: Machine) -> Machine:
    """A copy of the three days, to be tampered with."""
    shutil.copytree(three_days.home, tmp_path / "machine")
    return replace(three_days, home=tmp_path / "machine")


def check(machine: Machine) -> Report:
    return verify(machine.output, machine.vendor.roots)


def broken(machine: Machine) -> list[Finding]:
    report = check(machine)
    assert report.exit_code == 2
    return [finding for finding in report.findings if finding.severity == 2]


def rebuild(machine: Machine) -> None:
    """Hash everything anew, as an attacker would who has read this software."""
    frontier = Frontier()
    machine.sql("DELETE FROM tile")
    for n, text in enumerate(machine.texts()):
        leaf = leaf_hash(text.encode())
        machine.sql("UPDATE entry SET leaf = ? WHERE n = ?", leaf, n)
        frontier.append(leaf)
    machine.sql("UPDATE tree SET size = ?, frontier = ?", frontier.size, frontier.to_bytes())


def first_use(machine: Machine) -> int:
    return machine.kinds().index("use")


def test_an_edited_entry_is_named(closed: Machine) -> None:
    n = first_use(closed) + 4
    closed.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":1') WHERE n = ?", n)
    found = broken(closed)
    assert ("changed", n) in [(finding.code, finding.index) for finding in found]
    assert {finding.code for finding in found} == {"changed", "day-sums"}


def test_an_edited_entry_with_recomputed_hashes_contradicts_the_checkpoint(closed: Machine) -> None:
    n = first_use(closed) + 4
    closed.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":1') WHERE n = ?", n)
    rebuild(closed)
    found = {finding.code: finding for finding in broken(closed)}
    assert found["tree"].index is not None
    assert found["tree"].index <= n


def test_a_removed_entry_is_named(closed: Machine) -> None:
    n = first_use(closed) + 2
    closed.sql("DELETE FROM entry WHERE n = ?", n)
    assert ("missing", n) in [(finding.code, finding.index) for finding in broken(closed)]


def test_a_removed_entry_with_everything_renumbered_contradicts_the_checkpoint(closed: Machine) -> None:
    n = first_use(closed) + 2
    closed.sql("DELETE FROM entry WHERE n = ?", n)
    closed.sql(
        "UPDATE entry SET n = n - 1, text = replace(text, '\"n\":' || n || ',', '\"n\":' || (n - 1) || ',') "
        "WHERE n > ?",
        n,
    )
    rebuild(closed)
    assert "tree" in {finding.code for finding in broken(closed)}


def test_two_entries_that_changed_places_are_named(closed: Machine) -> None:
    n = first_use(closed)
    closed.sql("UPDATE entry SET n = -1 WHERE n = ?", n)
    closed.sql("UPDATE entry SET n = ? WHERE n = ?", n, n + 1)
    closed.sql("UPDATE entry SET n = ? WHERE n = -1", n + 1)
    assert {("index", n), ("index", n + 1)} <= {(f.code, f.index) for f in broken(closed)}


def test_an_inserted_entry_is_found(closed: Machine) -> None:
    last = len(closed.texts())
    text = closed.texts()[last - 1].replace(f'"n":{last - 1}', f'"n":{last}')
    closed.sql("INSERT INTO entry (n, text, leaf) VALUES (?, ?, ?)", last, text, leaf_hash(text.encode()))
    assert {"no-boot"} == {finding.code for finding in broken(closed)}


def test_a_tail_cut_below_a_checkpoint_is_found(closed: Machine) -> None:
    size = len(closed.texts())
    closed.sql("DELETE FROM entry WHERE n >= ?", size - 3)
    rebuild(closed)
    assert ("rollback", size - 3) in [(finding.code, finding.index) for finding in broken(closed)]


def test_a_tail_cut_with_its_checkpoints_still_contradicts_the_published_head(closed: Machine) -> None:
    size = len(closed.texts())
    closed.sql("DELETE FROM entry WHERE n >= ?", size - 3)
    closed.sql("DELETE FROM checkpoint WHERE size > ?", size - 3)
    rebuild(closed)
    assert "rollback" in {finding.code for finding in broken(closed)}
    kinds = _reopened(closed)
    assert kinds[:2] == ["recover", "boot"]


def test_two_whole_days_cannot_be_cut_out(closed: Machine) -> None:
    turns = [n for n, kind in enumerate(closed.kinds()) if kind == "key"]
    gone = turns[1] - turns[0]
    closed.sql("DELETE FROM entry WHERE n > ? AND n <= ?", turns[0], turns[1])
    closed.sql(
        "UPDATE entry SET n = n - ?, text = replace(text, '\"n\":' || n || ',', '\"n\":' || (n - ?) || ',') "
        "WHERE n > ?",
        gone,
        gone,
        turns[1],
    )
    rebuild(closed)
    assert {"tree", "day"} & {finding.code for finding in broken(closed)}


def test_a_swapped_day_key_is_found(closed: Machine) -> None:
    n = closed.kinds().index("key")
    text = closed.texts()[n]
    own = SigningKey.generate(parse(closed.texts()[0]).text("o"))
    forged = text.replace(parse(text).text("vk"), own.verifying.vkey)
    closed.sql("UPDATE entry SET text = ? WHERE n = ?", forged, n)
    rebuild(closed)
    assert {"day-unsigned", "tree"} & {finding.code for finding in broken(closed)}


def test_a_checkpoint_by_a_foreign_key_is_found(closed: Machine) -> None:
    note = str(closed.sql("SELECT note FROM checkpoint ORDER BY id DESC LIMIT 1")[0][0])
    head, _, _ = note.partition("\n\n")
    foreign = SigningKey.generate(head.split("\n")[0])
    closed.sql(
        "UPDATE checkpoint SET note = ? WHERE id = (SELECT max(id) FROM checkpoint)",
        sign_note(head + "\n", foreign).decode(),
    )
    assert "checkpoint" in {finding.code for finding in broken(closed)}


def test_columns_that_are_no_longer_generated_are_found(closed: Machine) -> None:
    closed.sql("CREATE TABLE other AS SELECT * FROM entry")
    closed.sql("DROP TABLE entry")
    closed.sql("ALTER TABLE other RENAME TO entry")
    closed.sql("UPDATE entry SET quantity = 1 WHERE kind = 'use'")
    assert {"columns"} == {finding.code for finding in broken(closed)}
    assert _reopened(closed)[0] == "recover"


def test_another_root_is_named(closed: Machine) -> None:
    other = SigningKey.generate("other.example/root").verifying
    report = verify(closed.output, TrustRoots(keys=(other,), sources=(closed.home,)))
    assert report.exit_code == 2
    assert {finding.code for finding in report.findings} == {"root", "license"}


def test_a_removed_licence_note_is_found(closed: Machine) -> None:
    closed.sql("DELETE FROM note")
    assert {"license"} == {finding.code for finding in broken(closed)}


def test_a_log_that_is_gone_is_missed(closed: Machine) -> None:
    for path in closed.directory.glob("ledger-1.db*"):
        path.unlink()
    kinds = _reopened(closed)
    assert kinds[0] == "recover"
    assert "missing-log" in {finding.code for finding in broken(closed)}


def test_a_backup_put_back_is_noticed_at_the_next_start(closed: Machine) -> None:
    shutil.copytree(closed.output, closed.home / "backup")
    ledger = closed.open()
    record(ledger, 99)
    ledger.close()
    shutil.rmtree(closed.output)
    shutil.copytree(closed.home / "backup", closed.output)
    assert _reopened(closed)[0] == "recover"
    assert "rollback" in {finding.code for finding in broken(closed)}, "the head that was signed is kept"
    assert "recovered" in {finding.code for finding in check(closed).findings}


def test_a_directory_without_a_log_is_no_evidence(machine: Machine) -> None:
    assert [finding.code for finding in broken(machine)] == ["no-log"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda m: m.database.write_bytes(b"not a database " * 300), "corrupt"),
        (lambda m: m.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":3')"), "tree"),
        (lambda m: m.sql("UPDATE tree SET frontier = zeroblob(length(frontier))"), "tree"),
        (lambda m: m.sql("DELETE FROM checkpoint"), "checkpoint"),
        (lambda m: [path.unlink() for path in m.state.glob("day-*.key")], "daykey"),
        (lambda m: m.sql("CREATE TRIGGER t AFTER INSERT ON entry BEGIN SELECT 1; END"), "schema"),
    ],
)
def test_a_damaged_log_is_set_aside_and_succeeded(
    closed: Machine, damage: Callable[[Machine], object], reason: str
) -> None:
    head = (closed.directory / "checkpoint").read_text().split("\n")
    damage(closed)
    ledger = closed.open()
    record(ledger, 99)
    ledger.close()
    assert (closed.directory / "damaged-1.db").exists()
    closed_texts = _texts(closed, "ledger-2.db")
    first = parse(closed_texts[0])
    assert first.kind == "recover"
    assert (first.text("w"), first.text("po"), str(first.number("pn"))) == (reason, head[0], head[1])
    assert first.text("pr") == head[2]
    assert first.text("o").endswith("/2")


def test_the_successor_refuses_what_the_damaged_log_had_outgrown(closed: Machine) -> None:
    ledger = closed.open(closed.renew(serial=5, epoch=2))
    ledger.close()
    closed.sql("DELETE FROM checkpoint")
    closed.pass_time(-DAY)
    with pytest.raises(SerialTooLow):
        closed.open()
    ledger = closed.open(closed.renew(serial=5, epoch=2))
    ledger.close()
    entries = [parse(text) for text in _texts(closed, "ledger-2.db")]
    assert entries[0].at == closed.wall + DAY


def test_the_successor_goes_on_counting_for_the_plan(closed: Machine) -> None:
    closed.sql("DELETE FROM checkpoint")
    ledger = closed.open()
    record(ledger, 99)
    assert ledger.used(METER, 0, closed.wall + DAY) == 62
    ledger.close()


def _reopened(machine: Machine) -> list[str]:
    """Start the service once more; return the kinds of the log it then writes."""
    machine.open().close()
    newest = sorted(path.name for path in machine.directory.glob("ledger-*.db"))[-1]
    return [parse(text).kind for text in _texts(machine, newest)]


def _texts(machine: Machine, name: str) -> list[str]:
    connection = sqlite3.connect(machine.directory / name)
    try:
        return [text for (text,) in connection.execute("SELECT text FROM entry ORDER BY n")]
    finally:
        connection.close()
