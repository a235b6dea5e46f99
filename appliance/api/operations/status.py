"""What probes and operators ask: `/ready` and `/status`. Neither is ever charged.

Paths and shapes are those of the containers.
"""

from pathlib import Path
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.authentication import without_key
from appliance.api.parameters import choice
from appliance.config.products import Product
from appliance.errors import ApplianceError
from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger
from appliance.ledger.read.fork_check import ForkFinding
from appliance.licensing.admission import AdmissionControl
from appliance.licensing.metering import Metering
from appliance.licensing.status import LicenseStatus
from appliance.pipeline.deployments import Deployments
from appliance.version import VERSION
from license.licenses.validity import State

_SERVING: Final = "License is valid, no action needed."


_ANSWERING: Final = (State.VALID, State.GRACE)
OUT_OF_QUOTA: Final = "OutOfQuota"
_WITHOUT_KEY: Final = ("service", "apiStatus")
"""What a probe without a key is told where keys are asked for, and `apiStatusMessage`."""
_LICENSE: Final = "license"
_REFUSING: Final = "The service has started, and says itself whether and why it refuses a query."


class Operated(Protocol):
    """The parts of a running service that these endpoints ask."""

    product: Product
    clock: EffectiveClock
    admission: AdmissionControl
    status: LicenseStatus
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


def _models(deployments: Deployments) -> list[dict[str, Any]]:
    """What is served, then what could not be loaded."""
    served: list[dict[str, Any]] = [
        {
            "projectName": one.project,
            "deploymentName": one.name,
            "status": "ready",
            "name": one.model,
            "release": one.release,
            "languages": list(one.languages),
        }
        for one in deployments
    ]
    failed = [
        {
            "projectName": one.project,
            "deploymentName": one.name,
            "status": "failed",
            "reason": one.reason,
            "hint": one.hint,
        }
        for one in deployments.failed
    ]
    return served + failed


class OperationsApi:
    """The probes and the status of one service.

    Args:
        appliance: The service that is asked about.
    """

    def __init__(self, appliance: Operated) -> None:
        self._appliance = appliance

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        return [
            Route("/ready", self.ready, methods=["GET"]),
            Route("/status", self.status, methods=["GET"]),
            # Older names, which some probes still ask for.
            Route("/ContainerReadiness", self.ready, methods=["GET"]),
            Route("/ContainerLiveness", self.status, methods=["GET"]),
        ]

    async def ready(self, request: Request) -> Response:
        """`GET /ready`: whether a query would be answered now.

        With `exclude=license`, as the API server of Kubernetes leaves a check out: whether a query would be
        answered or refused in words. A balancer that knows no second choice, such as a Service, then passes
        `OutOfQuota` on instead of refusing connections.
        """
        excludes = choice(request, "exclude", (_LICENSE,))
        reason = self.not_started() if excludes else self.not_ready()
        if without_key(request.scope):
            message = _REFUSING if excludes and not reason else _brief(reason)
        else:
            message = reason or (_REFUSING if excludes else self._serving())
        body = {
            "service": self._appliance.product.name,
            "ready": "notReady" if reason else "ready",
            "message": message,
        }
        return JSONResponse(body, status_code=503 if reason else 200)

    async def status(self, request: Request) -> Response:
        """`GET /status`: licence, plan, clock, models and ledger; without a key only whether it answers."""
        body = self.report()
        if without_key(request.scope):
            serves = body["apiStatus"] in _ANSWERING
            body = {name: body[name] for name in _WITHOUT_KEY} | {
                "apiStatusMessage": _brief("" if serves else str(body["apiStatus"]))
            }
        return JSONResponse(body)

    def report(self) -> dict[str, Any]:
        """Return what `/status` answers to a caller with a key."""
        appliance = self._appliance
        snapshot = appliance.status.snapshot()
        body: dict[str, Any] = {
            "service": self._appliance.product.name,
            # Probes compare with `Valid`: a licence that only draws near its end is still valid.
            "apiStatus": State.VALID if snapshot.state is State.EXPIRING else snapshot.state,
            "apiStatusMessage": snapshot.notices[0].message if snapshot.notices else _SERVING,
            "version": VERSION,
            **appliance.status.report(snapshot),
            "models": _models(appliance.deployments),
            "ledger": {
                "origin": appliance.ledger.origin,
                "size": appliance.ledger.size,
                "signed": appliance.ledger.signed,
                "healthy": appliance.ledger.healthy,
                "mismatches": [
                    {
                        "code": "LedgerMismatch",
                        "origin": fork.origin,
                        "size": fork.size,
                        "message": fork.message,
                    }
                    for fork in appliance.mismatches
                ],
            },
        }
        if appliance.metering is not None:
            metering = body["metering"] = appliance.metering.report()
            # The word of the endpoint comes first: without it nothing is answered whatever the lease says.
            if metering["status"] != State.VALID or not snapshot.notices:
                body["apiStatus"], body["apiStatusMessage"] = metering["status"], metering["message"]
        used_up = appliance.admission.used_up()
        if used_up and body["apiStatus"] in _ANSWERING:
            body["apiStatus"], body["apiStatusMessage"] = OUT_OF_QUOTA, f"{used_up[0].upper()}{used_up[1:]}."
        return body

    def _serving(self) -> str:
        metering = self._appliance.metering
        return _SERVING if metering is None else str(metering.report()["message"])

    def not_ready(self) -> str:
        """Why a query would not be answered now; empty if it would be."""
        return self._not_loaded() or self._not_licensed() or self._not_recording()

    def not_started(self) -> str:
        """Why this instance is no use yet, or no longer; empty where it answers, or refuses as all do.

        A connected one that never had word in this run counts as starting: another may well have had.
        """
        metering = self._appliance.metering
        if metering is not None and metering.answers_until() is None:
            return self._not_loaded() or self._not_licensed()
        return self._not_loaded() or self._not_recording()

    def _not_loaded(self) -> str:
        if self._appliance.stopping:
            return "The service is stopping."
        return "" if len(self._appliance.deployments) else "The model is still loading."

    def _not_recording(self) -> str:
        if self._appliance.ledger.healthy:
            return ""
        return "UsageStoreUnavailable: usage cannot be recorded, so nothing is answered."

    def _not_licensed(self) -> str:
        """Why the licence, its plan or the endpoint of a connected run allows no answer now."""
        appliance = self._appliance
        if appliance.metering is not None:
            try:
                appliance.metering.check(appliance.clock.now())
            except ApplianceError as error:
                return f"{error.code}: {error.message}"
        if not appliance.admission.state().serves:
            return f"The licence does not allow an answer now: {appliance.admission.state()}."
        used_up = appliance.admission.used_up()
        return f"{OUT_OF_QUOTA}: {used_up}." if used_up else ""


def _brief(reason: str) -> str:
    """Say whether it answers and the word for why not, without what follows it: that may name things."""
    return f"Not answering: {reason.partition(':')[0].rstrip('.')}." if reason else _SERVING
