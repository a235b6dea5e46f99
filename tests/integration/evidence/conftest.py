"""Usage logs of several days, and exports of them."""

from tests.support.customer import customer
from tests.support.evidence import closed, machine, packed, three_days, vendor

__all__ = ["closed", "customer", "machine", "packed", "three_days", "vendor"]
