import asyncio
from typing import Any

from appliance.ledger.floor.recorded import recorded_requests
from appliance.ledger.ledger import Ledger, UsageRecord

METER = "CognitiveServices.Ner.Container.TextRecords"


def record(ledger: Ledger, *ids: str) -> None:
    for name in ids:
        asyncio.run(ledger.commit([UsageRecord(meter=METER, quantity=1, billed=1, request_id=name)]))


def test_a_request_is_found_once_it_is_durable_and_only_from_where_it_is_looked_for(
    machine: Any, opened: Ledger
) -> None:
    directory = machine.database.parent
    record(opened, "one")
    mark = (opened.origin, opened.size)
    record(opened, "two", "three")
    asked = {"one", "two", "four"}
    assert recorded_requests(directory, asked, since=("", 0)) == {"one", "two"}
    assert recorded_requests(directory, asked, since=mark) == {"two"}
    assert recorded_requests(directory, [], since=mark) == set()


def test_a_log_set_aside_since_then_is_looked_through_too(machine: Any) -> None:
    ledger = machine.open()
    record(ledger, "one")
    mark = (ledger.origin, 0)
    ledger.close()
    for key in machine.state.glob("day-*.key"):
        key.unlink()
    successor = machine.open()
    record(successor, "two")
    assert successor.origin != mark[0]
    assert recorded_requests(machine.database.parent, {"one", "two"}, since=mark) == {"one", "two"}
    assert recorded_requests(machine.database.parent, {"one", "two"}, since=(successor.origin, 0)) == {"two"}
    successor.close()


def test_an_entry_that_was_changed_proves_nothing_wherever_it_lies(machine: Any) -> None:
    ledger = machine.open()
    record(ledger, *(f"request-{n}" for n in range(300)))
    ledger.close()
    for n in (10, 290):
        changed = "UPDATE entry SET text = replace(text, ?, ?) WHERE kind = 'use'"
        machine.sql(changed, f'"request-{n}"', '"another"')
        directory = machine.database.parent
        assert recorded_requests(directory, {"another"}, since=("", 0)) == set()
        machine.sql(changed, '"another"', f'"request-{n}"')
        assert recorded_requests(directory, {f"request-{n}"}, since=("", 0)) == {f"request-{n}"}
