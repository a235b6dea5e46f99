"""`GET /openapi.json`: the document is imported and made when it is first asked for."""

from collections.abc import Callable
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Document = dict[str, Any]


def text_routes(*, project: str, deployment: str) -> list[Route]:
    """The description of the text service, its examples naming what is served."""

    def make() -> Document:
        from appliance.api.language.openapi import document  # noqa: PLC0415  (see above)

        return document(project=project, deployment=deployment)

    return [_described(make)]


def speech_routes() -> list[Route]:
    """The description of the speech service."""

    def make() -> Document:
        from appliance.api.speech.openapi import document  # noqa: PLC0415  (see above)

        return document()

    return [_described(make)]


def _described(make: Callable[[], Document]) -> Route:
    """Serve a document; not a coroutine, so it is made in a thread."""
    made = cache(make)

    def openapi(_: Request) -> Response:
        return JSONResponse(made())

    return Route("/openapi.json", openapi, methods=["GET"])
