"""What the operators' page asks below `/admin/api`. It works without a valid licence and without units.

The page and its paths may change with each version; programs use `/status`, `/metrics` and the commands.
Everything that touches a disk runs outside of the event loop, and of what takes long one runs at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from appliance.api.admin.exports import FILE, Exports
from appliance.api.admin.guard import API, operator_of
from appliance.api.admin.license_answer import MOST_BYTES, check_answer, install_answer
from appliance.api.admin.overview import models, overview
from appliance.api.admin.parts import AdminParts
from appliance.api.body import read_body, read_json_body
from appliance.api.errors import Problem, invalid_body, not_found
from appliance.api.parameters import query_value
from appliance.errors import ApplianceError
from appliance.ledger.read.reports import usage_by_day
from appliance.ledger.read.usage_rows import metered, report_rows
from appliance.licensing.clock_confirmation import accept_seen
from appliance.licensing.request import license_request
from appliance.models.folder_facts import read_card
from license.errors import LicenseError
from license.evidence.bundle.focus import focus_csv

_Result = TypeVar("_Result")
_Handler = Callable[[Request], Awaitable[Response]]
_NOT_KEPT: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_MOST_WORDS: Final = 4_096


class SeenClock(BaseModel):
    """What an operator saw and confirms: the wall clock, at an uptime of a boot."""

    model_config = ConfigDict(extra="forbid", strict=True)

    wall: int
    uptime: int
    boot: str


class AdminApi:
    """The endpoints of the operators' page; each has the label `admin` in the metrics.

    Args:
        parts: The service.
    """

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts
        self._exports = Exports(parts)
        self._slow = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        table: list[tuple[str, str, _Handler]] = [
            ("GET", "/overview", self.overview),
            ("GET", "/models", self.models),
            ("GET", "/models/card", self.card),
            ("GET", "/history", self.history),
            ("GET", "/log", self.log),
            ("GET", "/usage", self.usage),
            ("GET", "/usage.csv", self.usage_csv),
            ("POST", "/export", self.make_export),
            ("GET", "/export/{sha256}", self.take_export),
            ("GET", "/license/request", self.license_request),
            ("POST", "/license/check", self.check_license),
            ("POST", "/license/install", self.install_license),
            ("POST", "/clock/accept", self.accept_clock),
            ("POST", "/support", self.support),
        ]
        routes = [Route(API + path, _guarded(handler), methods=[method]) for method, path, handler in table]
        for route in routes:
            route.methods = {method for method in route.methods or () if method != "HEAD"}
        return routes  # a HEAD would note an export that never left

    async def overview(self, _: Request) -> Response:
        """State in words and numbers."""
        return _json(await asyncio.to_thread(overview, self._parts))

    async def models(self, _: Request) -> Response:
        """Models with size, day and score."""
        return _json({"models": await asyncio.to_thread(models, self._parts)})

    async def card(self, request: Request) -> Response:
        """The card of one model that is served."""
        wanted = (query_value(request, "project", ""), query_value(request, "deployment", ""))
        for one in self._parts.service.deployments:
            if (one.project, one.name) == wanted and one.path is not None:
                text = await asyncio.to_thread(read_card, one.path)
                if text:
                    return PlainTextResponse(text, headers=_NOT_KEPT)
        raise not_found("ModelCardNotFound", "There is no card beside this model.")

    async def history(self, _: Request) -> Response:
        """The last hour."""
        return _json({"points": self._parts.history.points()})

    async def log(self, _: Request) -> Response:
        """The last lines of the log."""
        return _json({"lines": self._parts.lines.lines()})

    async def usage(self, _: Request) -> Response:
        """Usage by month and meter, and in all."""
        rows = await self._one_at_a_time(lambda: report_rows(usage_by_day(self._parts.service.output_mount)))
        return _json(
            {
                "rows": [
                    {
                        "month": row.month,
                        "meter": row.meter,
                        "requests": row.tally.entries,
                        "quantity": row.tally.quantity,
                        "billed": row.tally.billed,
                    }
                    for row in rows
                ]
            }
        )

    async def usage_csv(self, _: Request) -> Response:
        """Usage by day in the columns of FOCUS."""
        output = self._parts.service.output_mount
        text = await self._one_at_a_time(lambda: focus_csv(metered(usage_by_day(output))))
        return _file(text.encode(), "usage.csv", "text/csv; charset=utf-8")

    async def make_export(self, _: Request) -> Response:
        """Make an export and show every file in it."""
        return _json(await self._one_at_a_time(self._exports.make))

    async def take_export(self, request: Request) -> Response:
        """Give out the export that was shown."""
        operator = operator_of(request.scope)
        data = await asyncio.to_thread(
            lambda: self._exports.take(request.path_params["sha256"], operator=operator)
        )
        return _file(data, FILE, "application/zip")

    async def license_request(self, _: Request) -> Response:
        """The signed note that asks the vendor for a licence."""
        parts = self._parts
        try:
            note = await asyncio.to_thread(license_request, parts.installation.settings, parts.identity)
        except LicenseError as error:
            raise Problem(409, error.code, error.message) from error
        return _file(note, "request.note", "text/plain; charset=utf-8")

    async def check_license(self, request: Request) -> Response:
        """What an uploaded answer would change."""
        upload = await read_body(request, MOST_BYTES)
        return _json(await self._one_at_a_time(lambda: check_answer(self._parts, upload)))

    async def install_license(self, request: Request) -> Response:
        """Install an uploaded answer."""
        upload = await read_body(request, MOST_BYTES)
        operator = operator_of(request.scope)
        return _json(
            await self._one_at_a_time(lambda: install_answer(self._parts, upload, operator=operator))
        )

    async def accept_clock(self, request: Request) -> Response:
        """Confirm the machine's clock, as the operator saw it."""
        body = await read_json_body(request, _MOST_WORDS)
        try:
            seen = SeenClock.model_validate_json(body)
        except ValidationError as error:
            raise invalid_body("Send wall, uptime and boot as the overview gave them.") from error
        operator = operator_of(request.scope)
        clock = self._parts.service.clock
        accepted = await asyncio.to_thread(
            lambda: accept_seen(seen.model_dump(), clock, by=f"operator {operator}")
        )
        if not accepted:
            raise Problem(
                409, "ClockRefusal", "There is nothing to confirm any more: look at the clock again."
            )
        await asyncio.to_thread(self._parts.service.maintenance.reload)
        return _json(await asyncio.to_thread(overview, self._parts))

    async def support(self, _: Request) -> Response:
        """The support archive."""
        try:
            data = await self._one_at_a_time(self._parts.support)
        except OSError as error:
            raise Problem(
                500, "InternalServerError", f"No archive could be made: {error.strerror}."
            ) from error
        return _file(data, "support.tar.gz", "application/gzip")

    async def _one_at_a_time(self, work: Callable[[], _Result]) -> _Result:
        """Run what takes long on a thread, after what was asked for before: answers to callers come first."""
        async with self._slow:
            return await asyncio.to_thread(work)


def _guarded(handler: _Handler) -> _Handler:
    """Give an endpoint its label, and refuse whoever passed no guard: the paths are closed by themselves."""

    async def admin(request: Request) -> Response:
        if not operator_of(request.scope):
            raise Problem(401, "401", "Only operators may ask here.")
        try:
            return await handler(request)
        except ApplianceError as error:
            if isinstance(error, Problem):
                raise
            message = f"{error.message} ({error.hint})" if error.hint else error.message
            raise Problem(409, error.code, message) from error

    return admin


def _json(body: dict[str, Any]) -> JSONResponse:
    return JSONResponse(body, headers=_NOT_KEPT)


def _file(data: bytes, name: str, media_type: str) -> Response:
    headers = {**_NOT_KEPT, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=media_type, headers=headers)
