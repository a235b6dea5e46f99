"""Paths as the containers take them: no empty segments, any letter case, with or without the last slash.

Official clients put their paths behind an endpoint that was typed with a slash at its end and so ask for
`//language/…`. That is collapsed once, before access control and routes see it. Names in a path, such as
those of projects, keep their letter case.
"""

import re
from collections.abc import Iterable
from typing import Final

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES: Final = re.compile("/{2,}")
_RAW_SLASHES: Final = re.compile(b"/{2,}")


class CollapsedPaths:
    """ASGI middleware that takes empty segments out of paths.

    Args:
        app: What is served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if "//" in scope.get("path", ""):
            scope["path"] = _SLASHES.sub("/", scope["path"])
            scope["raw_path"] = _RAW_SLASHES.sub(b"/", scope.get("raw_path") or b"")
        await self._app(scope, receive, send)


def as_containers_match(routes: Iterable[BaseRoute]) -> None:
    """Let routes match in any letter case, and with a slash at their end."""
    for route in routes:
        if isinstance(route, Route | WebSocketRoute) and route.path != "/":
            pattern = route.path_regex.pattern.removesuffix("$").removesuffix("/")
            route.path_regex = re.compile(f"{pattern}/?$", re.IGNORECASE)


def canonical(path: str) -> str:
    """Return a path in the form in which this service lists its own: lower case, no slash at its end."""
    return path.lower().rstrip("/") or "/"
