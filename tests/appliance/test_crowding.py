"""Who is refused at the door, and who is let in."""

import asyncio
from typing import Any

import pytest

from appliance.api.crowding import Crowding

FULL = "/full"


def status(scope: dict[str, Any]) -> int:
    sent: list[Any] = []

    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a request that is refused at the door is not read")

    asyncio.run(Crowding(inner, lambda path: path == FULL)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("POST", FULL, 429), ("POST", "/other", 299), ("GET", FULL, 299), ("OPTIONS", FULL, 299)],
)
def test_only_what_would_wait_for_a_model_is_refused(method: str, path: str, expected: int) -> None:
    assert status({"type": "http", "method": method, "path": path}) == expected


def test_a_connection_that_is_no_request_is_let_in() -> None:
    assert status({"type": "websocket", "path": FULL}) == 299
