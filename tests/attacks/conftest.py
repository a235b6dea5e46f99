"""A vendor, its customer and the customer's machine, on a clock that tests set."""

from tests.support.customer import customer
from tests.support.evidence import machine, vendor

__all__ = ["customer", "machine", "vendor"]
