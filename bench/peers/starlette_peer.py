"""A plain handler that calls the session in a thread pool: the strongest simple thing."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from plain import Plain
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

model = Plain(Path(sys.argv[1]), threads=1)
pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))


async def answer(request: Request) -> JSONResponse:
    body = await request.json()
    found = await asyncio.get_running_loop().run_in_executor(pool, model.answer, body["texts"])
    return JSONResponse({"entities": found})


uvicorn.run(
    Starlette(routes=[Route("/", answer, methods=["POST"])]),
    port=int(sys.argv[2]),
    log_level="warning",
    access_log=False,
)
