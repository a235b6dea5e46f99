"""Usage records over HTTP: reports, days, and the proof that a record stands in the log. Never charged.

Paths and shapes are those of the containers. These work without a valid licence.
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
from appliance.api.parameters import query_value
from appliance.config.products import Product
from appliance.errors import UsageStoreUnavailable
from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.inclusion_proof import NoProof, prove_entry
from appliance.ledger.read.reports import month_text, usage_by_day, usage_logs
from license.encoding.strict import format_date

_NUMBER: Final = re.compile(r"\d{1,4}")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,17}")


class Recording(Protocol):
    """The parts of a running service that these endpoints ask."""

    product: Product
    clock: EffectiveClock
    ledger: Ledger
    output_mount: Path


class UsageApi:
    """The usage records of one service.

    Args:
        appliance: The service that is asked about.
    """

    def __init__(self, appliance: Recording) -> None:
        self._appliance = appliance

    def routes(self) -> list[Route]:
        """Routes to mount at the root; usage paths answer with and without the closing slash."""
        return [
            Route("/records/usage-logs", self.usage, methods=["GET"]),
            Route("/records/usage-logs/", self.usage, methods=["GET"]),
            Route("/records/usage-logs/{month}/{year}", self.usage_of_month, methods=["GET"]),
            Route("/records/usage-logs/{month}/{year}/", self.usage_of_month, methods=["GET"]),
            Route("/records/proof/{n}", self.proof, methods=["GET"]),
            Route("/usage/daily", self.usage_by_day, methods=["GET"]),
        ]

    async def usage(self, _: Request) -> Response:
        """`GET /records/usage-logs/`: all usage under the output mount."""
        return JSONResponse(
            await asyncio.to_thread(
                usage_logs, self._appliance.output_mount, service=self._appliance.product.name
            )
        )

    async def usage_of_month(self, request: Request) -> Response:
        """`GET /records/usage-logs/{month}/{year}`: month first, leading zero optional, UTC."""
        month, year = _month(request.path_params["month"], request.path_params["year"])
        return JSONResponse(
            await asyncio.to_thread(
                usage_logs,
                self._appliance.output_mount,
                month=month,
                year=year,
                service=self._appliance.product.name,
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
        origin = query_value(request, "log", ledger.origin)
        try:
            with contextlib.suppress(UsageStoreUnavailable):  # an older head may do
                if origin == ledger.origin:
                    await asyncio.to_thread(ledger.checkpoint)
            proof = await asyncio.to_thread(prove_entry, self._appliance.output_mount, origin, int(number))
        except NoProof as error:
            raise not_found("UsageRecordNotFound", f"No proof of this usage record: {error}.") from error
        return PlainTextResponse(proof, headers={"Cache-Control": "no-store"})

    async def usage_by_day(self, request: Request) -> Response:
        """`GET /usage/daily?month=&year=`: what the home page draws; default is this month."""
        today = datetime.fromtimestamp(self._appliance.clock.now(), UTC)
        month, year = _month(
            query_value(request, "month", str(today.month)),
            query_value(request, "year", str(today.year)),
        )
        days = await asyncio.to_thread(
            _daily, self._appliance.output_mount, month_text(month, year), self._appliance.product
        )
        return JSONResponse({"days": days})


def _daily(output: Path, month: str, product: Product) -> list[dict[str, Any]]:
    """Units of each day of a month that had any, over every ledger of a product."""
    days: Counter[str] = Counter()
    for usage in usage_by_day(output):
        if usage.month == month and product.meter in usage.sums:
            days[format_date(usage.day)] += usage.sums[product.meter].quantity
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
