"""The pages a browser sees. Everything comes from this package; nothing is fetched from elsewhere."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".html": "text/html",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes() -> list[Route]:
    """The home page and its assets; only files that exist at start are served, by exact name."""
    found = [Route("/", _serve(_STATIC / "index.html"), methods=["GET"])]
    for path in sorted(_STATIC.iterdir()):
        if path.suffix in _TYPES and path.name != "index.html":
            found.append(Route(f"/static/{path.name}", _serve(path), methods=["GET"]))
    return found


def _serve(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return FileResponse(path, media_type=_TYPES[path.suffix], headers=_HEADERS)

    return endpoint
