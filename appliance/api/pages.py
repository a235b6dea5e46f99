"""The pages a browser sees. Everything comes from this package; nothing is fetched from elsewhere."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from appliance.api.middleware.trusted_proxies import PREFIX

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
"""Where the pages and what they load lie."""
_SWAGGER: Final = _HERE / "swagger"
_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
    ".html": "text/html",
}


NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def _headers(styles: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src {styles}; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


HEADERS: Final = _headers("'self'")
"""What the home page and its assets are served with."""
# Swagger UI writes style attributes into what it draws; scripts are as strict as elsewhere.
_SWAGGER_HEADERS: Final = _headers("'self' 'unsafe-inline'")


def routes(home: str = "index.html", *, admin: bool = False) -> list[Route]:
    """The pages and their assets; only files that exist at start, by exact name.

    Args:
        home: The file of the home page.
        admin: Whether operators have a page, `/admin`.
    """
    pages = [Route("/", _serve(STATIC / home, HEADERS), methods=["GET"])]
    if admin:
        pages.append(Route("/admin", _serve(STATIC / "admin.html", HEADERS), methods=["GET"]))
    pages += [
        Route(path, _serve(_SWAGGER / "index.html", _SWAGGER_HEADERS), methods=["GET"])
        for path in ("/swagger", "/swagger/", "/swagger/index.html")
    ]
    for folder, headers in ((STATIC, HEADERS), (_SWAGGER, _SWAGGER_HEADERS)):
        for path in sorted(folder.iterdir()):
            if path.suffix in _TYPES and path.suffix != ".html":
                pages.append(Route(f"/{folder.name}/{path.name}", _serve(path, headers), methods=["GET"]))
    return pages


def page_route(
    address: str, file: Path, headers: Mapping[str, str] = HEADERS, *, told: Mapping[str, str] = NOTHING
) -> Route:
    """Serve one file of this package, a page or an asset of one; else told, as strictly as the home page.

    Args:
        address: Its path.
        file: The file.
        headers: Of the answer.
        told: What a page says of this service, by what stands there for a service with the usual settings.
    """
    return Route(address, _serve(file, headers, told), methods=["GET"])


def _serve(
    path: Path, headers: Mapping[str, str], told: Mapping[str, str] = NOTHING
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        prefix = request.scope.get(PREFIX, "")
        if (prefix or told) and path.suffix == ".html":
            page = path.read_text(encoding="utf-8")
            if prefix:  # behind a proxy that serves this service below a path
                page = page.replace('="/', f'="{prefix}/')
            for usual, here in told.items():
                page = page.replace(usual, here)
            return Response(page, media_type=_TYPES[path.suffix], headers=headers)
        return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)

    return endpoint
