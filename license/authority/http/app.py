"""The authority over HTTP: hand in a request note, get a licence; see what models there are, get them.

    POST /v1/licenses                                 request note → {"license": …, "issuer": …}
    POST /v1/connected, /v1/usage                     leases and reports of connected appliances
    GET  /v1/status                                   is the key good? issues nothing
    GET  /v1/models                                   the packages the resource's lines have
    GET  /v1/models/{name}/{number}/{release}         a package's manifest and its issuer note
    GET  /v1/models/{name}/{number}/{release}/package the package itself; `Range` goes on where it stopped
    GET  /openapi.json                                all this, for programs; the only one without a key

Limits come before work: size, key, rate, then signature. TLS is left to a proxy.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from license.authority.authority import Authority
from license.authority.book.metering import MeterRepository
from license.authority.book.resource import Resource, check_offers_models, warnings_of
from license.authority.http.metering_routes import MeteringEndpoints
from license.authority.http.openapi import KEY_HEADER, document
from license.authority.issuing.lease import is_used_up
from license.encoding.strict import format_date, format_time
from license.errors import AuthorityError, LicenseError
from license.licenses.request import MAX_REQUEST_BYTES
from license.metering_protocol import MESSAGES
from license.models.catalogue import package_files, read_catalogue
from license.models.manifest import Manifest
from license.serving import packages
from license.serving.bodies import check_length, read_body
from license.serving.rate_limit import RateLimit
from license.serving.replies import on_crash, on_http, on_refusal

__all__ = ["KEY_HEADER", "Limits", "make_app"]

_log = logging.getLogger("license.authority.service")

MAX_KEY_CHARS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the service does for whom.

    Attributes:
        at_once: Licences worked on at once; the next caller is told to come back, not kept waiting.
        licenses: Licences one resource may ask for in a minute, and at once.
        reports: Leases and usage reports of one resource, in the same way.
        reads: Other calls of one resource, in the same way.
        failures: Calls with a key that is not known, of one client address.
    """

    at_once: int = 32
    licenses: int = 60
    reports: int = 600
    reads: int = 600
    failures: int = 60


class _Service:
    """The endpoints and the permits they share."""

    def __init__(self, authority: Authority, limits: Limits) -> None:
        self._authority = authority
        self._permits = limits.at_once
        self._licenses = RateLimit(burst=limits.licenses, per_minute=limits.licenses)
        self._reads = RateLimit(burst=limits.reads, per_minute=limits.reads)
        reports = RateLimit(burst=limits.reports, per_minute=limits.reports)
        self.metering = MeteringEndpoints(authority, lambda request: self._authenticate(request, reports))
        self._failures = RateLimit(burst=limits.failures, per_minute=limits.failures)
        self._document = document()

    async def licenses(self, request: Request) -> JSONResponse:
        """Issue a licence for the request note in the body."""
        check_length(request, MAX_REQUEST_BYTES)
        if self._permits < 1:
            raise _busy("the authority is busy", 1)
        self._permits -= 1
        try:
            resource = await self._authenticate(request, self._licenses)
            body = await read_body(request, MAX_REQUEST_BYTES)
            issued = await run_in_threadpool(self._authority.issue, resource, body)
        finally:
            self._permits += 1
        license = issued.license
        _log.info(
            "issued serial %d to %s until %s", license.serial, resource.name, format_time(license.expires)
        )
        for sentence in warnings_of(resource):
            _log.warning("%s", sentence)
        return JSONResponse({"license": issued.note.decode(), "issuer": issued.issuer_note.decode()})

    async def status(self, request: Request) -> JSONResponse:
        """Say whether the key is good, and how far the log that `log` names is counted; issues nothing."""
        resource = await self._authenticate(request, self._reads)
        log = request.query_params.get("log", "")
        counted = {"next": await run_in_threadpool(self._counted, resource, log)} if log else {}
        used_up = await run_in_threadpool(
            is_used_up, self._authority.store, resource, self._authority.clock()
        )
        status = "OutOfQuota" if used_up else "Valid"
        return JSONResponse(
            {
                "status": status,
                "message": MESSAGES[status],
                "resource": resource.name,
                "product": resource.product,
                "approved": resource.approved,
                "period": [format_date(day) for day in resource.plan_at(self._authority.clock()).period],
                "models": list(resource.models),
                **counted,
            }
        )

    def _counted(self, resource: Resource, log: str) -> int:
        return MeterRepository(self._authority.store.engine).position(resource.name, log[:200])

    async def models(self, request: Request) -> JSONResponse:
        """List the packages of the lines the resource has, oldest first within a line."""
        resource = await self._authenticate(request, self._reads)
        offered = await run_in_threadpool(self._offered, resource)
        return JSONResponse(packages.listing(offered))

    async def manifest(self, request: Request) -> JSONResponse:
        """Hand out a package's manifest and the issuer note that proves it."""
        manifest = await self._find(request)
        files = package_files(self._authority.packages_dir, manifest)
        return JSONResponse(await packages.notes(files))

    async def package(self, request: Request) -> FileResponse:
        """Hand out a package, or the part of it that `Range` names."""
        manifest = await self._find(request)
        path = package_files(self._authority.packages_dir, manifest).package
        # The sum as entity tag: `If-Range` then joins no two packages, wherever their parts came from.
        return FileResponse(
            path,
            media_type="application/octet-stream",
            headers={"ETag": f'"{manifest.sha256}"', "Cache-Control": "private, no-transform"},
            filename=path.name,
        )

    async def openapi(self, _request: Request) -> JSONResponse:
        """Describe the service to programs."""
        return JSONResponse(self._document)

    def _offered(self, resource: Resource) -> list[Manifest]:
        check_offers_models(resource)
        catalogue = read_catalogue(self._authority.packages_dir, roots=self._authority.keyring.roots)
        return [manifest for manifest in catalogue if manifest.line in resource.models]

    async def _find(self, request: Request) -> Manifest:
        resource = await self._authenticate(request, self._reads)
        line = f"{request.path_params['name']}/{request.path_params['number']}"
        release = request.path_params["release"]
        for manifest in await run_in_threadpool(self._offered, resource):
            if (manifest.line, manifest.release) == (line, release):
                return manifest
        raise AuthorityError(
            "the resource has no such package",
            code="NoSuchPackage",
            hint="GET /v1/models lists its packages; the vendor grants further lines",
        )

    async def _authenticate(self, request: Request, limit: RateLimit) -> Resource:
        key = request.headers.get(KEY_HEADER, "")
        resource = None
        if 0 < len(key) <= MAX_KEY_CHARS:
            resource = await run_in_threadpool(self._authority.store.find_by_key, key)
        if resource is not None:
            wait_s = limit.take(resource.name)
            if wait_s:
                raise _busy(f"the resource {resource.name} asks too often", wait_s)
            return resource
        # Whoever holds a good key is not held up by others who fail from the same address.
        wait_s = self._failures.take(request.client.host if request.client else "")
        if wait_s:
            raise _busy("too many calls with a key that is not known", wait_s)
        raise AuthorityError(
            "Access denied due to invalid subscription key.",
            status="Invalid",
            code="Invalid",
            hint=f"use one of the resource's two keys (setting ApiKey, header {KEY_HEADER})",
        )


def make_app(authority: Authority, limits: Limits | None = None) -> Starlette:
    """Return the web service of an open authority."""
    service = _Service(authority, limits or Limits())
    release = "/v1/models/{name}/{number}/{release}"
    return Starlette(
        routes=[
            Route("/v1/licenses", service.licenses, methods=["POST"]),
            *service.metering.routes(),
            Route("/v1/status", service.status, methods=["GET"]),
            Route("/v1/models", service.models, methods=["GET"]),
            Route(release, service.manifest, methods=["GET"]),
            Route(f"{release}/package", service.package, methods=["GET"]),
            Route("/openapi.json", service.openapi, methods=["GET"]),
        ],
        exception_handlers={LicenseError: on_refusal, HTTPException: on_http, Exception: on_crash},
    )


def _busy(message: str, wait_s: int) -> AuthorityError:
    return AuthorityError(
        message,
        status="BillingEndpointBusy",
        code="Busy",
        hint=f"ask again in {wait_s} s" if wait_s > 1 else "ask again in a moment",
        retry_after_s=wait_s,
    )
