"""`GET /metrics`, in the text format that Prometheus and its relatives read."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def routes(page: Callable[[], bytes]) -> list[Route]:
    """The page of one service, which may take as long as a disk does."""

    async def metrics(_: Request) -> Response:
        text = await asyncio.to_thread(page)
        return Response(text, media_type=None, headers={"Content-Type": _CONTENT_TYPE})

    return [Route("/metrics", metrics, methods=["GET"])]
