"""The vendor's service over HTTP."""

from tests.unit.license.conftest import serve

__all__ = ["serve"]
