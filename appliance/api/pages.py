"""The pages a browser sees. Everything comes from this package; nothing is fetched from elsewhere."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
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


def unless_known(request: Request, data: bytes, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """Answer with `data`, or with 304 and nothing to a browser that has just that in its cache."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    told = {**headers, "ETag": tag}
    known = (one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(","))
    if tag in known:
        return Response(status_code=304, headers=told)
    return Response(data, media_type=media_type, headers=told)


class _Asset:
    """A file of this package, read when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def data(self) -> bytes:
        """Its bytes."""
        return self._path.read_bytes()


def _serve(
    path: Path, headers: Mapping[str, str], told: Mapping[str, str] = NOTHING
) -> Callable[[Request], Awaitable[Response]]:
    asset, kind = _Asset(path), _TYPES[path.suffix]

    async def endpoint(request: Request) -> Response:
        if path.suffix == ".wav":
            return FileResponse(path, media_type=kind, headers=headers)  # a player asks for parts of it
        data = asset.data
        if path.suffix == ".html":
            prefix = request.scope.get(PREFIX)
            if prefix:  # behind a proxy that serves this service below a path
                data = data.replace(b'="/', f'="{prefix}/'.encode())
            for usual, here in told.items():
                data = data.replace(usual.encode(), here.encode())
        return unless_known(request, data, media_type=kind, headers=headers)

    return endpoint
