"""Machines that keep a usage log, and the vendor of their licences."""

from tests.support.ledger import machine, opened, vendor

__all__ = ["machine", "opened", "vendor"]
