"""A vendor, its customer and machines on a clock that tests set, one of them connected."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from license.client.metering import MeteringClient
from tests.integration.connected import conftest as connected
from tests.integration.connected.conftest import endpoint, meter, new_vendor
from tests.support.customer import customer
from tests.support.evidence import machine, vendor

__all__ = ["customer", "endpoint", "machine", "meter", "new_vendor", "vendor"]


@pytest.fixture
def reporting(tmp_path: Path, meter: connected.Vendor, endpoint: str) -> Iterator[connected.Machine]:
    """A machine that runs connected, with the vendor's service on a real socket."""
    client = MeteringClient(billing=endpoint, api_key=meter.key, timeout_s=5)
    made = connected.Machine(tmp_path / "machine", meter.authority.roots_dir, client, meter.time)
    made.open()
    yield made
    made.close()
