"""The least that an answer costs under uvicorn: a bare ASGI callable, or Starlette with one route.

python floor.py bare|starlette PORT
"""

import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PATH = "/language/:analyze-text"
BODY = b'{"entities":[]}'


async def bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    length = str(len(BODY)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": BODY})


async def answer(request: Request) -> JSONResponse:
    await request.json()
    return JSONResponse({"entities": []})


kind, port = sys.argv[1:]
uvicorn.run(
    bare if kind == "bare" else Starlette(routes=[Route(PATH, answer, methods=["POST"])]),
    port=int(port),
    log_level="warning",
    access_log=False,
    lifespan="off",
)
