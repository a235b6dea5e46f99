"""Refusing at the door: while the model's queue is full, a request is answered before it is read.

Under five times the load that a machine can carry, four of five requests are refused; what they cost is taken
from the one that is answered. This costs two thirds of a refusal by the queue itself.
"""

import json
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.problems import problem_from
from appliance.errors import Busy


class Crowding:
    """ASGI middleware that answers 429 for those paths that are crowded now.

    Args:
        app: What is guarded.
        crowded: Whether a path would be refused by a full queue.
    """

    def __init__(self, app: ASGIApp, crowded: Callable[[str], bool]) -> None:
        self._app = app
        self._crowded = crowded
        problem = problem_from(Busy("the model's queue is full"))
        self._body = json.dumps(problem.body()).encode()
        self._status = problem.status
        self._headers = [
            (name.lower().encode(), value.encode())
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(self._body)),
                **problem.headers,
            }.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        if not posted or not self._crowded(scope["path"]):
            await self._app(scope, receive, send)
            return
        scope["endpoint"] = refused_at_the_door  # what the metrics name it by
        await send({"type": "http.response.start", "status": self._status, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": self._body})


def refused_at_the_door() -> None:
    """Stand in for the endpoint of a request that was refused before it was routed."""
