"""`/docs`: pages, the files they link to, and a search that needs no script. Open to everybody, as pages are.

It works without a key and without a valid licence, and nothing of it counts units. What renders Markdown is
loaded when somebody asks for a page.
"""

import asyncio
import mimetypes
from collections.abc import Mapping
from functools import cache
from html import escape
from string import Template
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from appliance.api.docs.search import MOST_HITS
from appliance.api.errors import not_found
from appliance.api.middleware.trusted_proxies import PREFIX
from appliance.api.pages import HEADERS, STATIC, unless_known
from appliance.version import VERSION

if TYPE_CHECKING:
    from appliance.api.docs.library import Entry, Library
    from appliance.api.docs.search import Hit

_MOST_TYPED: Final = 200
_HEADERS: Final[Mapping[str, str]] = {
    **HEADERS,
    # The search is a form, so that it works without scripts; of those there are none here.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
}
_PICTURES: Final = frozenset({".png", ".svg"})
_MISSING: Final = (
    "<h1>Documentation</h1><p>The pages do not lie beside this program. Bundle, package, image and wheel "
    "bring them along, in a folder <code>share</code>.</p>"
)


class DocsApi:
    """The documentation.

    Args:
        library: Its pages; those beside the program by default.
    """

    def __init__(self, library: "Library | None" = None) -> None:
        self._library = library

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        return [
            Route("/docs", self.index, methods=["GET"]),
            Route("/docs/", self.index, methods=["GET"]),
            Route("/docs/search", self.search, methods=["GET"]),
            Route("/docs/{name:path}", self.file, methods=["GET"]),
        ]

    async def index(self, request: Request) -> Response:
        """The first page."""
        return await asyncio.to_thread(self._page, request, "README.md")

    async def file(self, request: Request) -> Response:
        """A page, or a file that one links to."""
        return await asyncio.to_thread(self._page, request, request.path_params["name"])

    async def search(self, request: Request) -> Response:
        """The passages that hold some words."""
        words = request.query_params.get("q", "")[:_MOST_TYPED].strip()
        return await asyncio.to_thread(self._found, request, words)

    def _open(self) -> "Library":
        if self._library is None:
            from appliance.api.docs.library import Library, places  # noqa: PLC0415

            self._library = Library(places())
        return self._library

    def _page(self, request: Request, name: str) -> Response:
        library = self._open()
        page = library.page(name)
        if page is not None:
            reply = self._reply(request, page.title, page.html, name=name)
            library.prepare_search()
            return reply
        path = library.path(name)
        if path is not None:
            kind = mimetypes.guess_type(path.name)[0] if path.suffix in _PICTURES else "text/plain"
            return FileResponse(path, media_type=kind, headers=_HEADERS)
        if name == "README.md":
            return self._reply(request, "Documentation", _MISSING, name=name)
        raise not_found("404", "There is no such page; /docs lists those that there are.")

    def _found(self, request: Request, words: str) -> Response:
        hits = self._open().search(words)
        head = f"<h1>Search</h1><p>{_count(len(hits))} “{escape(words)}”.</p>" if words else "<h1>Search</h1>"
        body = f'{head}<ol class="hits">{"".join(map(_hit, hits))}</ol>' if hits else head
        return self._reply(request, "Search", body, typed=words)

    def _reply(self, request: Request, title: str, body: str, *, name: str = "", typed: str = "") -> Response:
        entries = self._open().entries()
        links = "".join(_entry(one, here=one.name == name) for one in entries)
        text = _template().substitute(
            title=escape(title), version=escape(VERSION), typed=escape(typed), links=links, body=body
        )
        prefix = request.scope.get(PREFIX)
        if prefix:  # behind a proxy that serves this service below a path
            text = text.replace('="/', f'="{prefix}/')
        return unless_known(request, text.encode(), media_type="text/html", headers=_HEADERS)


@cache
def _template() -> Template:
    return Template((STATIC / "docs.html").read_text("utf-8"))


def _entry(entry: "Entry", *, here: bool) -> str:
    current = ' aria-current="page"' if here else ""
    return f'<li><a href="/docs/{escape(entry.name)}"{current}>{escape(entry.title)}</a></li>'


def _hit(hit: "Hit") -> str:
    anchor = f"#{escape(hit.passage.anchor)}" if hit.passage.anchor else ""
    return (
        f'<li><a href="/docs/{escape(hit.page)}{anchor}">{escape(hit.passage.title)}</a> '
        f"<small>{escape(hit.page)}</small><p>{escape(hit.excerpt)}</p></li>"
    )


def _count(hits: int) -> str:
    if hits == MOST_HITS:
        return f"The {hits} best passages that have"
    return {0: "Nothing has", 1: "One passage has"}.get(hits, f"{hits} passages have")
