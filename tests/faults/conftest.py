"""The machines and vendors of the usage tests, here with disks that fail."""

from tests.usage.conftest import machine, vendor

__all__ = ["machine", "vendor"]
