import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import LedgerLocked, UsageStoreUnavailable
from appliance.host.filesystem import check_output
from appliance.ledger.ledger import MAX_QUANTITY, Ledger, Receipt, UsageRecord
from license.errors import EpochTooLow, SerialTooLow
from license.evidence.log.entry import Tally, parse
from license.evidence.verify.verify import verify
from tests.support.ledger import DAY, NOON, Machine

METER = "Ner.TextRecords"


def use(number: int = 0, *, quantity: int = 1, meter: str = METER, grace: bool = False) -> UsageRecord:
    return UsageRecord(meter=meter, quantity=quantity, billed=quantity, request_id=f"r{number}", grace=grace)


def record(ledger: Ledger, *uses: UsageRecord) -> Receipt:
    return asyncio.run(ledger.commit(uses))


def test_a_receipt_names_the_entry_that_was_written(machine: Machine, opened: Ledger) -> None:
    receipt = record(opened, use(1, quantity=3), use(2))
    assert receipt.header == f"{opened.origin}/{receipt.first}"
    assert receipt.count == 2
    entry = parse(machine.texts()[receipt.first])
    assert (entry.kind, entry.text("id"), entry.number("q"), entry.text("l")) == (
        "use",
        "r1",
        3,
        machine.licensed.license.id,
    )


def test_the_log_begins_with_opening_boot_and_licence_and_ends_with_a_stop(machine: Machine) -> None:
    machine.open().close()
    machine.open().close()
    assert machine.kinds() == ["open", "boot", "lic", "tick", "boot", "tick"]
    assert verify(machine.output, machine.vendor.roots).exit_code == 0


def test_256_waiters_are_each_recorded_once_and_in_few_commits(machine: Machine, opened: Ledger) -> None:
    async def many() -> list[Receipt]:
        return await asyncio.gather(*(opened.commit([use(i, quantity=i)]) for i in range(256)))

    before = opened.size
    receipts = asyncio.run(many())
    assert sorted(r.first for r in receipts) == list(range(before, before + 256))
    entries = [parse(text) for text in machine.texts()[before:]]
    by_id = {entry.text("id"): entry for entry in entries}
    assert all(by_id[f"r{i}"].n == receipt.first for i, receipt in enumerate(receipts))
    assert opened.used(METER, 0, NOON + DAY) == sum(range(256))


def test_several_event_loops_may_commit_at_once(machine: Machine, opened: Ledger) -> None:
    def work(worker: int) -> None:
        for i in range(20):
            record(opened, use(worker * 100 + i))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert machine.kinds().count("use") == 80


def test_a_caller_that_leaves_disturbs_nobody(machine: Machine, opened: Ledger) -> None:
    async def leave() -> Receipt:
        left = [asyncio.create_task(opened.commit([use(i)])) for i in range(10)]
        await asyncio.sleep(0)
        for task in left:
            task.cancel()
        return await opened.commit([use(99)])

    receipt = asyncio.run(leave())
    assert parse(machine.texts()[receipt.first]).text("id") == "r99"
    assert opened.healthy


def test_a_caller_whose_time_is_up_keeps_its_receipt_and_is_stopped_at_its_next_wait(
    machine: Machine, opened: Ledger
) -> None:
    receipts = []

    async def hurry() -> None:
        async with asyncio.timeout(0):
            receipts.append(await opened.commit([use(7)]))
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(hurry())
    assert [parse(machine.texts()[receipt.first]).text("id") for receipt in receipts] == ["r7"]


def test_a_loop_that_is_gone_disturbs_nobody(opened: Ledger) -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(opened.commit([use(1)]))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    assert record(opened, use(2)).count == 1


def test_a_closed_ledger_refuses(machine: Machine) -> None:
    ledger = machine.open()
    ledger.close()
    ledger.close()
    with pytest.raises(UsageStoreUnavailable, match="closed"):
        record(ledger, use())
    with pytest.raises(UsageStoreUnavailable, match="closed"):
        ledger.change_license(machine.renew(serial=2))


def test_nothing_is_a_use_that_cannot_be_said(opened: Ledger) -> None:
    with pytest.raises(ValueError, match="no usage record"):
        record(opened)
    for bad in ({"meter": 'a"b'}, {"request_id": ""}, {"quantity": -1}, {"billed": MAX_QUANTITY + 1}):
        values: dict[str, object] = {"meter": METER, "quantity": 1, "billed": 1, "request_id": "r", **bad}
        with pytest.raises(ValueError, match=r"letters|lies between"):
            UsageRecord(**values)  # type: ignore[arg-type]


def test_two_ledgers_on_one_directory_are_refused(machine: Machine, opened: Ledger) -> None:
    with pytest.raises(LedgerLocked):
        machine.open()
    assert record(opened, use()).count == 1


@pytest.mark.parametrize("column", ["kind", "month", "meter", "quantity", "billed"])
def test_a_generated_column_cannot_be_updated(machine: Machine, opened: Ledger, column: str) -> None:
    record(opened, use())
    with pytest.raises(sqlite3.OperationalError, match="cannot UPDATE generated column"):
        machine.sql(f"UPDATE entry SET {column} = 7")  # noqa: S608


@settings(max_examples=12)
@given(
    groups=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["A.Meter", "B.Meter"]), st.integers(0, 10**9)), min_size=1, max_size=5
        ),
        max_size=12,
    )
)
def test_sums_of_columns_entries_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory, vendor: object, groups: list[list[tuple[str, int]]]
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"), vendor)  # type: ignore[arg-type]
    ledger = machine.open()

    async def many() -> None:
        await asyncio.gather(*(ledger.commit([use(0, meter=m, quantity=q) for m, q in g]) for g in groups))

    asyncio.run(many())
    in_memory = {meter: ledger.used(meter, 0, NOON + DAY) for meter in ("A.Meter", "B.Meter")}
    ledger.close()
    parsed: dict[str, Tally] = {}
    for entry in map(parse, machine.texts()):
        if entry.kind == "use":
            tally = Tally(1, entry.number("q"), entry.number("b"))
            parsed[entry.text("m")] = parsed.get(entry.text("m"), Tally(0, 0, 0)).plus(tally)
    columns = machine.sql(
        "SELECT meter, count(*), sum(quantity), sum(billed) FROM entry WHERE kind='use' GROUP BY meter"
    )
    assert {str(row[0]): Tally(*row[1:]) for row in columns} == parsed  # type: ignore[arg-type]
    assert in_memory == {m: parsed[m].billed if m in parsed else 0 for m in in_memory}
    report = verify(machine.output, machine.vendor.roots)
    assert {meter: tally for (_, meter), tally in report.totals.items()} == parsed
    assert report.exit_code == 0


def test_days_turn_while_running_and_old_keys_are_erased(machine: Machine) -> None:
    ledger = machine.open()
    keys = []
    for day in range(3):
        record(ledger, use(day, quantity=day + 1))
        keys.append({path.name for path in machine.state.glob("day-*.key")})
        machine.pass_time(DAY)
    record(ledger, use(9))
    ledger.close()
    assert all(len(found) == 1 for found in keys)
    assert len(set().union(*keys)) == 3
    turns = [entry for entry in map(parse, machine.texts()) if entry.kind == "key"]
    assert [dict(turn.sums()) for turn in turns] == [{METER: Tally(1, q, q)} for q in (1, 2, 3)]
    report = verify(machine.output, machine.vendor.roots)
    assert {f.code for f in report.findings} == {"silent"}  # the test slept a day without a tick


def test_a_month_is_closed_with_its_sums_also_when_the_service_was_off(machine: Machine) -> None:
    ledger = machine.open()
    record(ledger, use(1, quantity=5))
    ledger.close()
    machine.pass_time(75 * DAY)
    machine.boot = "second"
    renewed = machine.renew(serial=2, issued=machine.wall - DAY)
    ledger = machine.open(renewed)
    record(ledger, use(2))
    ledger.close()
    close = next(entry for entry in map(parse, machine.texts()) if entry.kind == "close")
    assert (close.text("mo"), close.number("lo"), close.number("hi")) == ("2026-09", 0, close.n - 1)
    assert dict(close.sums()) == {METER: Tally(1, 5, 5)}
    assert ledger.used(METER, 0, machine.wall + DAY) == 6


def test_checkpoints_go_to_the_file_the_state_directory_and_the_log_output(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="appliance.usage"):
        machine.open().close()
    note = (machine.directory / "checkpoint").read_bytes()
    assert note == (machine.state / "head").read_bytes()
    line = caplog.messages[-1].partition("Z: ")[2]
    assert line.replace(" | ", "\n").replace("\n \n", "\n\n").encode() + b"\n" == note
    assert (machine.directory / "checkpoint").stat().st_mode & 0o777 == 0o600


def test_a_minute_with_usage_is_signed_and_an_idle_hour_gives_a_sign_of_life(machine: Machine) -> None:
    clock = machine.clock()
    ledger = machine.open(clock=clock)
    record(ledger, use(1))
    signed = machine.sql("SELECT count(*) FROM checkpoint WHERE why='minute'")
    machine.pass_time(61)
    _wait_until(lambda: machine.sql("SELECT count(*) FROM checkpoint WHERE why='minute'") != signed)
    machine.pass_time(3600)
    _wait_until(lambda: '"w":"idle"' in machine.texts()[-1])
    ledger.close()


def test_a_checkpoint_can_be_asked_for_and_signs_only_what_is_not_signed(machine: Machine) -> None:
    ledger = machine.open()
    record(ledger, use(1))
    assert ledger.signed == ledger.size - 1
    ledger.checkpoint()
    notes = machine.sql("SELECT note FROM checkpoint")
    ledger.checkpoint()
    assert machine.sql("SELECT note FROM checkpoint") == notes
    assert ledger.signed == ledger.size
    report = verify(machine.output, machine.vendor.roots)
    assert report.logs[0].signed == ledger.size
    ledger.close()
    with pytest.raises(UsageStoreUnavailable):
        ledger.checkpoint()


def test_a_renewed_licence_is_recorded_and_older_ones_are_refused(machine: Machine) -> None:
    ledger = machine.open()
    ledger.change_license(machine.licensed)
    assert machine.kinds().count("lic") == 1
    ledger.change_license(machine.renew(serial=3, epoch=2))
    assert (ledger.highest_serial, ledger.highest_epoch) == (3, 2)
    receipt = record(ledger, use())
    assert parse(machine.texts()[receipt.first]).text("l") == machine.renew(serial=3).license.id
    with pytest.raises(SerialTooLow):
        ledger.change_license(machine.renew(serial=2, epoch=2))
    with pytest.raises(EpochTooLow):
        ledger.change_license(machine.renew(serial=4, epoch=1))
    assert ledger.healthy
    ledger.close()
    with pytest.raises(SerialTooLow):
        machine.open()
    assert verify(machine.output, machine.vendor.roots).exit_code == 0


def test_grace_is_marked(machine: Machine, opened: Ledger) -> None:
    receipt = record(opened, use(1, grace=True))
    assert parse(machine.texts()[receipt.first]).number("g") == 1


def test_a_clock_set_back_is_recorded_and_time_does_not_run_back(machine: Machine) -> None:
    ledger = machine.open()
    machine.wall -= 7200
    machine.uptime += 10
    first = record(ledger, use(1)).first
    ledger.close()
    entries = [parse(text) for text in machine.texts()]
    assert entries[first].at == NOON + 10
    assert [entry.text("w") for entry in entries if entry.kind == "clock"] == ["back"]
    report = verify(machine.output, machine.vendor.roots)
    assert [(f.code, f.index) for f in report.findings] == [("clock-back", first - 1)]
    assert report.exit_code == 1


def test_a_new_licence_puts_right_a_clock_that_ran_ahead(machine: Machine) -> None:
    machine.wall += 300 * DAY
    ledger = machine.open(machine.renew(issued=machine.wall - DAY))
    machine.wall -= 300 * DAY
    record(ledger, use(1))
    ledger.change_license(machine.renew(serial=2, issued=NOON - 10))
    receipt = record(ledger, use(2))
    ledger.close()
    assert parse(machine.texts()[receipt.first]).at == NOON
    report = verify(machine.output, machine.vendor.roots)
    assert {f.code for f in report.findings} == {"clock-back", "clock-lowered"}
    assert report.exit_code == 1


def test_a_new_licence_puts_right_a_clock_that_ran_ahead_at_the_next_start_too(machine: Machine) -> None:
    machine.wall += 300 * DAY
    machine.open(machine.renew(issued=machine.wall - DAY)).close()
    machine.wall -= 300 * DAY
    machine.boot = "second"
    ledger = machine.open(machine.renew(serial=2, issued=NOON - 10))
    receipt = record(ledger, use(2))
    ledger.close()
    assert parse(machine.texts()[receipt.first]).at == NOON
    report = verify(machine.output, machine.vendor.roots)
    assert {f.code for f in report.findings} == {"clock-back", "clock-lowered"}
    assert report.exit_code == 1


def test_the_output_is_checked_before_anything_is_written(machine: Machine) -> None:
    check_output(machine.output)
    machine.output.rmdir()
    machine.output.write_text("a file")
    with pytest.raises(Exception, match=r"is not a directory: owner .* mode 0"):
        machine.open()


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.01)
