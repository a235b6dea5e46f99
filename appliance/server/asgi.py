"""The ASGI application: a service's own routes and the common ones, behind what guards and measures them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from appliance.api import pages
from appliance.api.admin.guard import AdminGuard
from appliance.api.authentication import AccessControl, Keys
from appliance.api.docs.routes import DocsApi
from appliance.api.errors import HANDLERS
from appliance.api.middleware.allowed_hosts import AllowedHosts, machine_names
from appliance.api.middleware.content_encoding import ContentEncoding
from appliance.api.middleware.origins import Origins
from appliance.api.middleware.path_normalization import CollapsedPaths, as_containers_match
from appliance.api.middleware.trusted_proxies import TrustedProxies
from appliance.api.operations.status import Operated, OperationsApi
from appliance.api.operations.usage import UsageApi
from appliance.api.request_id import Envelope
from appliance.config.settings import Settings
from appliance.licensing.manager import LicenseManager
from appliance.observability import metrics_endpoint
from appliance.observability.instruments import Instruments
from appliance.observability.middleware import MeasuredRequests
from appliance.observability.status_collector import Parts, StatusCollector
from appliance.server.direct_routes import DirectRoutes
from appliance.services.base import Service

if TYPE_CHECKING:
    from appliance.server.admin import Administration


class Served(Operated, Protocol):
    """The parts of an opened appliance that its application is made of."""

    settings: Settings
    licenses: LicenseManager
    instruments: Instruments
    service: Service
    admin: "Administration | None"


def build_application(appliance: Served) -> ASGIApp:
    """Return the ASGI application of an opened appliance."""
    operations = OperationsApi(appliance)
    appliance.instruments.registry.register(StatusCollector(_parts(appliance, operations)))
    answers = appliance.service.routes()
    application = Starlette(
        routes=[
            *answers,
            *operations.routes(),
            *UsageApi(appliance).routes(),
            *metrics_endpoint.routes(appliance.instruments.registry),
            *_operators_routes(appliance.admin),
            *DocsApi().routes(),
            *pages.routes(appliance.product.page, admin=appliance.admin is not None),
        ],
        exception_handlers=HANDLERS,
    )
    # Clients do not repeat a POST elsewhere: a path with a slash at its end is served, not redirected.
    application.router.redirect_slashes = False
    as_containers_match(application.router)
    settings = appliance.settings
    keys = Keys(settings.callers)

    def stopping() -> bool:
        return appliance.stopping

    # What comes before the application; the last one here is asked first.
    served: ASGIApp = ContentEncoding(application)
    guarded: ASGIApp = AccessControl(served, keys)
    guarded = AdminGuard(served, guarded, settings.operator_keys)
    guarded = Origins(guarded, settings.allowed_origins)
    guarded = hosts = AllowedHosts(guarded, (*machine_names(), *settings.allowed_hosts))
    guarded = CollapsedPaths(guarded)
    guarded = TrustedProxies(guarded, settings.trusted_proxies)
    # Outside of Starlette's own last resort, so that a 500 has its request id too.
    layered = MeasuredRequests(Envelope(guarded, stopping=stopping), appliance.instruments)
    return DirectRoutes(
        layered,
        answers,  # and no others: the pages of operators have a guard of their own
        hosts=hosts,
        keys=keys,
        stopping=stopping,
        instruments=appliance.instruments,
    )


def _operators_routes(admin: "Administration | None") -> Sequence[BaseRoute]:
    if admin is None:
        return ()
    from appliance.api.admin.routes import AdminApi  # noqa: PLC0415  (loaded where it is wanted)

    return AdminApi(admin.parts()).routes()


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
        models_in_memory=service.in_memory,
        ready=lambda: not operations.not_ready(),
        used_up=appliance.admission.used_up,
        metering=appliance.metering,
    )
