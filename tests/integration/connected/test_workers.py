"""Several workers that run connected: each has a lease of its own, and what all of them used is reported."""

import pytest

from license.authority.book.metering import MeterRepository
from tests.e2e.fleet.test_workers import answered_by, until
from tests.integration.connected.conftest import ConnectedSite
from tests.integration.connected.test_life import counted, recorded


@pytest.mark.e2e
def test_each_worker_has_a_lease_and_every_unit_is_reported_once(connected: ConnectedSite) -> None:
    service = connected.start("Workers=2", "Engine:Sessions=1", "Engine:BatchTokens=128")
    found = answered_by(service)
    until(lambda: len(found.update(answered_by(service)) or found) == 2)
    meters = MeterRepository(connected.vendor.store.engine)
    assert {one.instance for one in meters.instances(connected.resource)} == set(found)
    assert service.stop() == 0
    assert counted(connected) == recorded(connected) == found.total()
