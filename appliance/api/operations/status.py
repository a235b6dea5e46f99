"""What operators and probes ask: `/ready`, `/status`, and the usage records. None of it is ever charged.

Paths and shapes are those of the containers. An expired licence closes none of them: evidence is no hostage.
"""

import asyncio
import contextlib
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from appliance.api.errors import invalid_request, not_found
from appliance.config.products import Product
from appliance.errors import ApplianceError, UsageStoreUnavailable
from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.fork_check import ForkFinding
from appliance.ledger.read.inclusion_proof import NoProof, prove_entry
from appliance.ledger.read.reports import month_text, usage_by_day, usage_logs
from appliance.licensing.admission import AdmissionControl
from appliance.licensing.metering import Metering
from appliance.licensing.status import LicenseStatus
from appliance.pipeline.deployments import Deployments
from appliance.version import VERSION
from license.encoding.strict import format_date
from license.licenses.validity import State

_NUMBER: Final = re.compile(r"\d{1,4}")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_SERVING: Final = "License is valid, no action needed."


class Operated(Protocol):
    """The parts of a running service that these endpoints ask."""

    service: Product
    clock: EffectiveClock
    gate: AdmissionControl
    accountant: LicenseStatus
    ledger: Ledger
    output_mount: Path
    stopping: bool

    @property
    def metering(self) -> Metering | None:
        """What reports to an endpoint, in a connected run."""
        ...

    @property
    def deployments(self) -> Deployments:
        """The models that are served."""
        ...

    @property
    def mismatches(self) -> tuple[ForkFinding, ...]:
        """What differs from the heads in the licence in force."""
        ...


class OperationsApi:
    """Probes and usage records of one service.

    Args:
        appliance: The service that is asked about.
    """

    def __init__(self, appliance: Operated) -> None:
        self._appliance = appliance

    def routes(self) -> list[Route]:
        """Routes to mount at the root; usage paths answer with and without the closing slash."""
        return [
            Route("/ready", self.ready, methods=["GET"]),
            Route("/status", self.status, methods=["GET"]),
            Route("/records/usage-logs", self.usage, methods=["GET"]),
            Route("/records/usage-logs/", self.usage, methods=["GET"]),
            Route("/records/usage-logs/{month}/{year}", self.usage_of_month, methods=["GET"]),
            Route("/records/usage-logs/{month}/{year}/", self.usage_of_month, methods=["GET"]),
            Route("/records/proof/{n}", self.proof, methods=["GET"]),
            Route("/usage/daily", self.usage_by_day, methods=["GET"]),
        ]

    async def ready(self, _: Request) -> Response:
        """`GET /ready`: whether a query would be answered now."""
        reason = self.not_ready()
        body = {
            "service": self._appliance.service.name,
            "ready": "notReady" if reason else "ready",
            "message": reason or self._serving(),
        }
        return JSONResponse(body, status_code=503 if reason else 200)

    async def status(self, _: Request) -> Response:
        """`GET /status`: licence, plan, clock, models and ledger."""
        appliance = self._appliance
        standing = appliance.accountant.snapshot()
        body: dict[str, Any] = {
            "service": self._appliance.service.name,
            # Probes compare with `Valid`: a licence that only draws near its end is still valid.
            "apiStatus": State.VALID if standing.state is State.EXPIRING else standing.state,
            "apiStatusMessage": standing.notices[0].message if standing.notices else _SERVING,
            "version": VERSION,
            **appliance.accountant.report(standing),
            "models": [
                {
                    "projectName": deployment.project,
                    "deploymentName": deployment.name,
                    "name": deployment.model,
                    "release": deployment.release,
                }
                for deployment in appliance.deployments
            ],
            "ledger": {
                "origin": appliance.ledger.origin,
                "size": appliance.ledger.size,
                "signed": appliance.ledger.signed,
                "healthy": appliance.ledger.healthy,
                "mismatches": [
                    {"code": "LedgerMismatch", "origin": one.origin, "size": one.size, "message": one.message}
                    for one in appliance.mismatches
                ],
            },
        }
        if appliance.metering is not None:
            metering = body["metering"] = appliance.metering.report()
            # The word of the endpoint comes first: without it nothing is answered whatever the lease says.
            if metering["status"] != State.VALID or not standing.notices:
                body["apiStatus"], body["apiStatusMessage"] = metering["status"], metering["message"]
        return JSONResponse(body)

    def _serving(self) -> str:
        metering = self._appliance.metering
        return _SERVING if metering is None else str(metering.report()["message"])

    async def usage(self, _: Request) -> Response:
        """`GET /records/usage-logs/`: all usage under the output mount."""
        return JSONResponse(
            await asyncio.to_thread(usage_logs, self._output(), service=self._appliance.service.name)
        )

    async def usage_of_month(self, request: Request) -> Response:
        """`GET /records/usage-logs/{month}/{year}`: month first, leading zero optional, UTC."""
        month, year = _month(request.path_params["month"], request.path_params["year"])
        return JSONResponse(
            await asyncio.to_thread(
                usage_logs, self._output(), month=month, year=year, service=self._appliance.service.name
            )
        )

    async def proof(self, request: Request) -> Response:
        """`GET /records/proof/{n}?log=`: the C2SP tlog-proof of a usage record; `log` names an older log."""
        number = request.path_params["n"]
        if _INDEX.fullmatch(number) is None:
            raise invalid_request(
                "Invalid parameter in request",
                inner=("InvalidParameterValue", "Give the number at the end of a Usage-Record header."),
            )
        ledger = self._appliance.ledger
        origin = request.query_params.get("log", ledger.origin)
        try:
            with contextlib.suppress(UsageStoreUnavailable):  # an older head may do
                if origin == ledger.origin:
                    await asyncio.to_thread(ledger.checkpoint)
            proof = await asyncio.to_thread(prove_entry, self._output(), origin, int(number))
        except NoProof as error:
            raise not_found("UsageRecordNotFound", f"No proof of this usage record: {error}.") from error
        return PlainTextResponse(proof, headers={"Cache-Control": "no-store"})

    async def usage_by_day(self, request: Request) -> Response:
        """`GET /usage/daily?month=&year=`: what the home page draws; default is this month."""
        today = datetime.fromtimestamp(self._appliance.clock.now(), UTC)
        month, year = _month(
            request.query_params.get("month", str(today.month)),
            request.query_params.get("year", str(today.year)),
        )
        days = await asyncio.to_thread(
            _daily, self._output(), month_text(month, year), self._appliance.service
        )
        return JSONResponse({"days": days})

    def not_ready(self) -> str:
        """Why a query would not be answered now; empty if it would be."""
        appliance = self._appliance
        if appliance.stopping:
            return "The service is stopping."
        if not len(appliance.deployments):
            return "The model is still loading."
        if appliance.metering is not None:
            try:
                appliance.metering.check(appliance.clock.now())
            except ApplianceError as error:
                return f"{error.code}: {error.message}"
        if not appliance.gate.state().serves:
            return f"The licence does not allow an answer now: {appliance.gate.state()}."
        if not appliance.ledger.healthy:
            return "UsageStoreUnavailable: usage cannot be recorded, so nothing is answered."
        return ""

    def _output(self) -> Path:
        return self._appliance.output_mount


def _daily(output: Path, month: str, service: Product) -> list[dict[str, Any]]:
    """Units of each day of a month that had any, over every ledger of a service."""
    days: Counter[str] = Counter()
    for used in usage_by_day(output):
        if used.month == month and service.meter in used.sums:
            days[format_date(used.day)] += used.sums[service.meter].quantity
    return [{"date": day, "quantity": quantity} for day, quantity in sorted(days.items())]


def _month(month: str, year: str) -> tuple[int, int]:
    numbers = _NUMBER.fullmatch(month) and _NUMBER.fullmatch(year)
    with contextlib.suppress(ValueError):
        if numbers:
            month_text(int(month), int(year))
            return int(month), int(year)
    raise invalid_request(
        "Invalid parameter in request",
        inner=("InvalidParameterValue", "Give month and year, month first, such as /03/2026."),
    )
