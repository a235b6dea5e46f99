"""The two endpoints of connected appliances; the rest of the service is `license.authority.http.app`.

    POST /v1/connected   request note  → {"license": …, "issuer": …}: a lease
    POST /v1/usage       usage report  → {"status", "message", "log", "next"}

Limits come before work here too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from license.authority.authority import Authority
from license.authority.book.metering import MeterRepository
from license.authority.book.resource import Resource
from license.authority.issuing.lease import is_used_up
from license.errors import Malformed
from license.licenses.request import MAX_REQUEST_BYTES
from license.metering_protocol import (
    LEASE_PATH,
    MAX_REPORT_BYTES,
    USAGE_PATH,
    Acknowledgement,
    SignedReport,
    open_report,
)
from license.serving.bodies import check_length, read_body

_log = logging.getLogger("license.authority.metering_service")

Authenticate = Callable[[Request], Awaitable[Resource]]
"""Returns the resource whose key a request has, or raises the refusal."""
KEY: Final = "Idempotency-Key"


class MeteringEndpoints:
    """Leases and usage reports.

    Args:
        authority: The vendor's keys and book.
        authenticate: Says whose request it is.
    """

    def __init__(self, authority: Authority, authenticate: Authenticate) -> None:
        self._authority = authority
        self._authenticate = authenticate
        self._meters = MeterRepository(authority.store.engine)

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        return [
            Route(LEASE_PATH, self.lease, methods=["POST"]),
            Route(USAGE_PATH, self.usage, methods=["POST"]),
        ]

    async def lease(self, request: Request) -> JSONResponse:
        """Check a key for a machine, and grant its lease."""
        check_length(request, MAX_REQUEST_BYTES)
        resource = await self._authenticate(request)
        body = await read_body(request, MAX_REQUEST_BYTES)
        granted = await run_in_threadpool(self._authority.grant_lease, resource, body)
        _log.info("lease %s granted to %s", granted.license.id, resource.name)
        return JSONResponse({"license": granted.note.decode(), "issuer": granted.issuer_note.decode()})

    async def usage(self, request: Request) -> JSONResponse:
        """Count a report, unless it was counted before, and say how far the log is counted."""
        check_length(request, MAX_REPORT_BYTES)
        resource = await self._authenticate(request)
        signed = open_report(await read_body(request, MAX_REPORT_BYTES))
        report = signed.report
        if request.headers.get(KEY, report.idempotency_key) != report.idempotency_key:
            raise Malformed(f"{KEY} is not the log and first entry of the report")
        answer = await run_in_threadpool(self._count, resource, signed)
        return JSONResponse(answer.to_claims())

    def _count(self, resource: Resource, signed: SignedReport) -> Acknowledgement:
        now = self._authority.clock()
        report = signed.report
        counted = self._meters.accept(resource.name, signed, now=now)
        status = "OutOfQuota" if is_used_up(self._authority.store, resource, now) else "Valid"
        return Acknowledgement(status=status, log=report.log, next=counted)
