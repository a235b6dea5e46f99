"""Services with the authoring API."""

from tests.e2e.authoring.conftest import documents, start, vendor

__all__ = ["documents", "start", "vendor"]
