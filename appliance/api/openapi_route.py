"""`GET /openapi.json`: the document is imported and made when it is first asked for."""

from collections.abc import Callable
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Document = dict[str, Any]


def document_route(load: Callable[[], Document]) -> Route:
    """Serve the document that `load` makes, which is called once; not a coroutine, so it runs in a thread."""
    document = cache(load)

    def openapi(_: Request) -> Response:
        return JSONResponse(document())

    return Route("/openapi.json", openapi, methods=["GET"])
