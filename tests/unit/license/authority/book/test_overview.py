"""The machines of a resource side by side."""

from typing import Any

from license.authority.book.metering import MeterRepository
from license.authority.book.overview import machines_seen
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import DAY
from license.metering_protocol import UsageRecord
from tests.unit.license.authority.book.test_metering import origin_of, report
from tests.unit.license.conftest import METER


def test_each_machine_stands_with_its_licence_and_the_first_day_of_its_usage(vendor: Any) -> None:
    store, early = vendor.authority.store, vendor.machine
    vendor.issue()
    vendor.clock.now += 2 * DAY
    licensed = SigningKey.generate("offline-appliance/instance")
    vendor.issue(vendor.request(machine=licensed))
    resource = store.get("acme-ner")
    leased = SigningKey.generate("offline-appliance/instance")
    for machine in (leased, early):
        vendor.authority.grant_lease(resource, vendor.request(machine=machine))
    used = UsageRecord(meter=METER, entries=5, quantity=5, billed=5, at=vendor.clock())
    found = report(origin_of(early), 0, 5, records=(used,))
    MeterRepository(store.engine).accept("acme-ner", found, now=vendor.clock())
    assert [str(machine) for machine in machines_seen(store, "acme-ner")] == [
        f"{early.verifying.fingerprint}: licence of 2026-06-01, usage from 2026-06-03, 2 days after",
        f"{licensed.verifying.fingerprint}: licence of 2026-06-03, no usage reported",
        f"{leased.verifying.fingerprint}: leases only, no usage reported",
    ]


def test_a_machine_under_a_bearer_licence_is_known_by_its_log(vendor: Any) -> None:
    store = vendor.authority.store
    vendor.issue(binding="any")
    vendor.clock.now += 3 * DAY
    running = SigningKey.generate("offline-appliance/instance")
    vendor.authority.grant_lease(store.get("acme-ner"), vendor.request(machine=running))
    MeterRepository(store.engine).accept("acme-ner", report(origin_of(running), 0, 5), now=vendor.clock())
    (seen,) = machines_seen(store, "acme-ner")
    assert seen.logs == 1
