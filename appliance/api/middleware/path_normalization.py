"""Paths as the containers take them: no empty segments, any letter case, with or without the last slash.

Official clients put their paths behind an endpoint that was typed with a slash at its end and so ask for
`//language/…`. That is collapsed once, before access control and routes see it. Names in a path, such as
those of projects, keep their letter case.
"""

import re
from collections.abc import Awaitable, Iterable
from copy import copy
from functools import cached_property
from typing import Final

from starlette.routing import BaseRoute, Match, Route, Router, WebSocketRoute
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

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if "//" in scope.get("path", ""):
            scope["path"] = _SLASHES.sub("/", scope["path"])
            scope["raw_path"] = _RAW_SLASHES.sub(b"/", scope.get("raw_path") or b"")
        return self._app(scope, receive, send)


def as_containers_match(router: Router) -> None:
    """Let the routes of a router match in any letter case, and with a slash at their end.

    Paths as they are listed are matched first and as before: only what no route takes is looked at again.
    """
    router.default = _Forgiving(router.routes, router.default)


class _Forgiving:
    """What a router asks when none of its routes takes a path as it stands.

    Args:
        routes: Its routes.
        otherwise: Answers what none of them takes in any form.
    """

    def __init__(self, routes: Iterable[BaseRoute], otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        self._listed = [
            route for route in routes if isinstance(route, Route | WebSocketRoute) and route.path != "/"
        ]

    @cached_property
    def _routes(self) -> list[Route | WebSocketRoute]:
        """The routes in their second form; made for the first path that needs it, so that no start waits."""
        return [_forgiving(route) for route in self._listed]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        partial: tuple[Route | WebSocketRoute, Scope] | None = None
        for route in self._routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                await route.handle(scope, receive, send)
                return
            if match is Match.PARTIAL and partial is None:
                partial = route, child
        if partial is not None:  # another method
            scope.update(partial[1])
            await partial[0].handle(scope, receive, send)
            return
        await self._otherwise(scope, receive, send)


def _forgiving(route: Route | WebSocketRoute) -> Route | WebSocketRoute:
    """Return a route that takes its path in any letter case, with or without a slash at its end."""
    made = copy(route)
    pattern = route.path_regex.pattern.removesuffix("$").removesuffix("/")
    made.path_regex = re.compile(f"{pattern}/?$", re.IGNORECASE)
    return made


def canonical(path: str) -> str:
    """Return a path in the form in which this service lists its own: lower case, no slash at its end."""
    return path.lower().rstrip("/") or "/"
