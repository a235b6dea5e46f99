"""`GET /metrics`, in the text format that Prometheus and its relatives read."""

import asyncio

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def routes(registry: CollectorRegistry) -> list[Route]:
    """The page of one registry."""

    async def metrics(_: Request) -> Response:
        # The disk is asked for its free space, which may take as long as a disk does.
        text = await asyncio.to_thread(generate_latest, registry)
        return Response(text, media_type=None, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [Route("/metrics", metrics, methods=["GET"])]
