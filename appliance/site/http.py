"""The desk over HTTP: what a connected appliance asks an endpoint, and what its operator looks at.

    POST /v1/connected   request note   → {"license": …, "issuer": …}: a lease
    POST /v1/licenses    refused (`LeasesOnly`): licences to take away are the vendor's
    POST /v1/usage       usage report   → {"status", "message", "log", "next"}
    POST /v1/slices      standing note  → {"status", "message", "slice", "head", "retry"}
    GET  /v1/status      is the key good? with ?log= how far that log is counted
    GET  /v1/site        who is there, what is left, what was lost
    GET  /v1/models      the model packages; …/{line}/{release} its notes, …/package itself
    POST /v1/write-off   {"instance": …}: charge what a replica holds, and mark it lost
    POST /v1/checkpoint  sign the desk's log as it stands, so that an export has all of it
    GET  /ready          200 while it serves; needs no key
    GET  /               the same as /v1/site, as a page; the key is the password of HTTP Basic

Limits come before work: size, then key, then signature; calls without the key are limited by address. TLS is
left to a proxy.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from appliance.errors import UsageStoreUnavailable
from appliance.site.desk import Desk
from appliance.site.page import policy, render_page
from appliance.site.status import site_status
from license.client.licenses import KEY_HEADER
from license.encoding.strict import format_date, parse_json
from license.errors import AuthorityError, LicenseError, Malformed
from license.licenses.request import MAX_REQUEST_BYTES
from license.metering_protocol import LEASE_PATH, MAX_REPORT_BYTES, MESSAGES, STATUS_PATH, USAGE_PATH
from license.models.catalogue import package_files, read_catalogue
from license.models.manifest import Manifest
from license.serving import packages
from license.serving.bodies import check_length, read_body
from license.serving.rate_limit import RateLimit
from license.serving.replies import on_crash, on_http, on_refusal, reply
from license.slices.protocol import MAX_STANDING_BYTES, SLICE_PATH
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.site")

SITE_PATH: Final = "/v1/site"
WRITE_OFF_PATH: Final = "/v1/write-off"
CHECKPOINT_PATH: Final = "/v1/checkpoint"
FAILURES_A_MINUTE: Final = 60
_MAX_ASK_BYTES: Final = 1_024

Endpoint = Callable[[Request], Awaitable[Response]]


class _Service:
    """The endpoints."""

    def __init__(self, desk: Desk, api_key: str, roots: TrustRoots) -> None:
        self._desk = desk
        self._key = api_key.encode("ascii", "replace")
        self._roots = roots
        self._failures = RateLimit(burst=FAILURES_A_MINUTE, per_minute=FAILURES_A_MINUTE)

    async def lease(self, request: Request) -> Response:
        """Grant a lease for the request note in the body."""
        check_length(request, MAX_REQUEST_BYTES)
        self._admit(request)
        body = await read_body(request, MAX_REQUEST_BYTES)
        note, issuer_note = await run_in_threadpool(self._desk.lease, body)
        return JSONResponse({"license": note.decode(), "issuer": issuer_note.decode()})

    async def license(self, request: Request) -> Response:
        """Refuse a licence to take away: a desk lends parts of its own."""
        self._admit(request)
        raise AuthorityError(
            "this is the desk of a site: it gives leases to replicas that run connected, and no licences",
            status="Mismatch",
            code="LeasesOnly",
            hint="start the replica without DownloadLicense; for model packages add --models-only to "
            "`appliance license download`",
        )

    async def usage(self, request: Request) -> Response:
        """Count a report, unless it was counted before."""
        check_length(request, MAX_REPORT_BYTES)
        self._admit(request)
        body = await read_body(request, MAX_REPORT_BYTES)
        key = request.headers.get("Idempotency-Key", "")
        answer = await run_in_threadpool(self._desk.usage, body, key)
        return JSONResponse(answer.to_claims())

    async def slices(self, request: Request) -> Response:
        """Take a replica's standing, and answer with its slice."""
        check_length(request, MAX_STANDING_BYTES)
        self._admit(request)
        body = await read_body(request, MAX_STANDING_BYTES)
        answer = await run_in_threadpool(self._desk.slices, body)
        return JSONResponse(answer.to_claims(MESSAGES[answer.status]))

    async def status(self, request: Request) -> Response:
        """Say whether the key is good, and how far the log that `log` names is counted."""
        self._admit(request)
        log = request.query_params.get("log", "")[:200]
        return JSONResponse(await run_in_threadpool(self._status, log))

    def _status(self, log: str) -> dict[str, Any]:
        license = self._desk.licenses.current.license
        status = "OutOfQuota" if self._desk.is_used_up() else "Valid"
        counted = dict(zip(("next", "head"), self._desk.position(log), strict=True)) if log else {}
        return {
            "status": status,
            "message": MESSAGES[status],
            "resource": license.subscription,
            "product": license.product,
            "approved": True,
            "period": [format_date(day) for day in license.plan.period],
            "models": [model.train for model in license.models],
            **counted,
        }

    async def site(self, request: Request) -> Response:
        """Tell of the whole site."""
        self._admit(request)
        return JSONResponse(await run_in_threadpool(site_status, self._desk))

    async def write_off(self, request: Request) -> Response:
        """Charge what a replica holds, and mark it lost."""
        check_length(request, _MAX_ASK_BYTES)
        self._admit(request)
        of = _replica_in(await read_body(request, _MAX_ASK_BYTES))
        done = await run_in_threadpool(self._desk.write_off, of)
        return JSONResponse({"instance": of, "writtenOff": done})

    async def checkpoint(self, request: Request) -> Response:
        """Sign the desk's log as it stands."""
        self._admit(request)
        await run_in_threadpool(self._desk.ledger.checkpoint)
        return JSONResponse({"entries": self._desk.ledger.signed})

    async def ready(self, _request: Request) -> Response:
        """Say that the desk serves, to whoever runs it."""
        return JSONResponse({"status": "ready"})

    async def page(self, request: Request) -> Response:
        """Show the whole site to a person."""
        try:
            self._admit(request)
        except AuthorityError as error:
            if error.status != "Invalid":
                raise
            return Response(
                "The password is the key of the site.\n", 401, {"WWW-Authenticate": 'Basic realm="site"'}
            )
        status = await run_in_threadpool(site_status, self._desk)
        headers = {"Content-Security-Policy": policy()}
        return HTMLResponse(render_page(status), headers={**headers, "Cache-Control": "no-store"})

    async def models(self, request: Request) -> Response:
        """List the packages of the lines that the site has."""
        self._admit(request)
        offered = await run_in_threadpool(self._offered)
        return JSONResponse(packages.listing(offered))

    async def manifest(self, request: Request) -> Response:
        """Hand out a package's manifest and the issuer note that proves it."""
        files = package_files(self._desk.home.packages, await self._find(request))
        return JSONResponse(await packages.notes(files))

    async def package(self, request: Request) -> Response:
        """Hand out a package, or the part of it that `Range` names."""
        manifest = await self._find(request)
        return FileResponse(
            package_files(self._desk.home.packages, manifest).package,
            media_type="application/octet-stream",
            headers={"ETag": f'"{manifest.sha256}"', "Cache-Control": "private, no-transform"},
        )

    def _offered(self) -> list[Manifest]:
        lines = {model.train for model in self._desk.licenses.current.license.models}
        directory = self._desk.home.packages
        found = read_catalogue(directory, roots=self._roots) if directory.is_dir() else []
        return [manifest for manifest in found if manifest.line in lines]

    async def _find(self, request: Request) -> Manifest:
        self._admit(request)
        line = f"{request.path_params['name']}/{request.path_params['number']}"
        wanted = (line, request.path_params["release"])
        for manifest in await run_in_threadpool(self._offered):
            if (manifest.line, manifest.release) == wanted:
                return manifest
        raise AuthorityError(
            "the site has no such package",
            code="NoSuchPackage",
            hint=f"GET /v1/models lists its packages; they lie in {self._desk.home.packages}",
        )

    def _admit(self, request: Request) -> None:
        """Refuse whoever has not the key of the site; who has it is not held up by others' failures."""
        if any(hmac.compare_digest(key, self._key) for key in _keys(request)):
            return
        wait_s = self._failures.take(request.client.host if request.client else "")
        if wait_s:
            raise AuthorityError(
                "too many calls with a key that is not known",
                status="BillingEndpointBusy",
                code="Busy",
                hint=f"ask again in {wait_s} s",
                retry_after_s=wait_s,
            )
        raise AuthorityError(
            "Access denied due to invalid subscription key.",
            status="Invalid",
            code="Invalid",
            hint=f"use the key of the site, which lies in the desk's api.key (ApiKey, header {KEY_HEADER})",
        )


def make_app(desk: Desk, *, api_key: str, roots: TrustRoots) -> Starlette:
    """Return the web service of an open desk."""
    service = _Service(desk, api_key, roots)
    release = "/v1/models/{name}/{number}/{release}"
    return Starlette(
        routes=[
            Route("/", service.page, methods=["GET"]),
            Route("/ready", service.ready, methods=["GET"]),
            Route("/v1/licenses", service.license, methods=["POST"]),
            Route(LEASE_PATH, service.lease, methods=["POST"]),
            Route(USAGE_PATH, service.usage, methods=["POST"]),
            Route(SLICE_PATH, service.slices, methods=["POST"]),
            Route(STATUS_PATH, service.status, methods=["GET"]),
            Route(SITE_PATH, service.site, methods=["GET"]),
            Route(WRITE_OFF_PATH, service.write_off, methods=["POST"]),
            Route(CHECKPOINT_PATH, service.checkpoint, methods=["POST"]),
            Route("/v1/models", service.models, methods=["GET"]),
            Route(release, service.manifest, methods=["GET"]),
            Route(f"{release}/package", service.package, methods=["GET"]),
        ],
        exception_handlers={
            LicenseError: on_refusal,
            UsageStoreUnavailable: _on_unavailable,
            HTTPException: _on_http,
            Exception: on_crash,
        },
    )


async def _on_http(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses; the vendor's endpoint describes itself, a desk does not."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    if code not in (404, 405):
        return await on_http(request, error)
    allowed = (getattr(error, "headers", None) or {}).get("Allow", "")
    name, message = "NotFound", "a desk has nothing at this address"
    hint = "its page is at /; replicas need no more than its address, http://desk:5080, as Billing"
    if code == 405:
        name, message, hint = "MethodNotAllowed", "this address takes another method", f"use {allowed}"
    answer = reply(code, name, message, hint, "Unknown")
    if allowed:
        answer.headers["Allow"] = allowed
    return answer


async def _on_unavailable(_request: Request, error: Exception) -> JSONResponse:
    _log.error("%s", error)
    return reply(
        503,
        UsageStoreUnavailable.code,
        "the desk cannot write its log",
        "look at the volume of the desk: its space, its owner, its state",
        "Unknown",
    )


def _replica_in(body: bytes) -> str:
    """Return the replica that a body names.

    Raises:
        Malformed: It names none, or is not JSON.
    """
    hint = 'send {"instance": "731e0fccb93e"} with the digits that `appliance site status` shows'
    try:
        of = parse_json(body.decode("utf-8", "replace")).get("instance")
    except Malformed as error:
        raise Malformed(error.message, hint=hint) from error
    if not isinstance(of, str):
        raise Malformed("instance must be the twelve digits of a replica", hint=hint)
    return of


def _keys(request: Request) -> list[bytes]:
    keys = [request.headers.get(KEY_HEADER, "")]
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            keys.append(base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2])
    return [key.encode("utf-8") for key in keys if key]
