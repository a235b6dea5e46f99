"""`GET /openapi.json`: the document is imported and made when it is first asked for."""

from collections.abc import Callable
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.middleware.trusted_proxies import PREFIX

Document = dict[str, Any]


def document_route(load: Callable[[], Document]) -> Route:
    """Serve the document that `load` makes, which is called once; not a coroutine, so it runs in a thread."""
    document = cache(load)

    def openapi(request: Request) -> Response:
        prefix = request.scope.get(PREFIX)
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        return JSONResponse(document() | servers)

    return Route("/openapi.json", openapi, methods=["GET"])
