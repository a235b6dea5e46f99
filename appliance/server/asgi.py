"""The ASGI application: a service's own routes and the common ones, behind what guards and measures them."""

from typing import Protocol

from starlette.applications import Starlette
from starlette.types import ASGIApp

from appliance.api import pages
from appliance.api.authentication import AccessControl, Keys
from appliance.api.errors import HANDLERS
from appliance.api.operations.status import Operated, OperationsApi
from appliance.api.operations.usage import UsageApi
from appliance.api.request_id import Envelope
from appliance.config.settings import Settings
from appliance.licensing.manager import LicenseManager
from appliance.observability import metrics_endpoint
from appliance.observability.instruments import Instruments
from appliance.observability.middleware import MeasuredRequests
from appliance.observability.status_collector import Parts, StatusCollector
from appliance.services.base import Service


class Served(Operated, Protocol):
    """The parts of an opened appliance that its application is made of."""

    settings: Settings
    licenses: LicenseManager
    instruments: Instruments
    service: Service


def build_application(appliance: Served) -> ASGIApp:
    """Return the ASGI application of an opened appliance."""
    operations = OperationsApi(appliance)
    appliance.instruments.registry.register(StatusCollector(_parts(appliance, operations)))
    application = Starlette(
        routes=[
            *appliance.service.routes(),
            *operations.routes(),
            *UsageApi(appliance).routes(),
            *metrics_endpoint.routes(appliance.instruments.registry),
            *pages.routes(appliance.product.page),
        ],
        exception_handlers=HANDLERS,
    )
    # A path that differs by a slash is another path: clients do not repeat a POST elsewhere.
    application.router.redirect_slashes = False
    # Outside of Starlette's own last resort, so that a 500 has its request id too.
    guarded = Envelope(AccessControl(application, Keys(appliance.settings.api_keys)))
    return MeasuredRequests(guarded, appliance.instruments)


def _parts(appliance: Served, operations: OperationsApi) -> Parts:
    service = appliance.service
    return Parts(
        manager=appliance.licenses,
        status=appliance.status,
        ledger=appliance.ledger,
        clock=appliance.clock,
        output=appliance.output_mount,
        waiting_tokens=service.waiting,
        models=lambda: len(service.deployments),
        ready=lambda: not operations.not_ready(),
        metering=appliance.metering,
    )
