"""Lists in pages, as the authoring API gives them."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from appliance.api.parameters import number, own_url

_PAGE: Final = 100
_PAGING: Final = frozenset({"skip", "top"})


def page(request: Request, items: Sequence[dict[str, Any]]) -> Response:
    """Return the part of a list that a request asks for, and the address of the next one."""
    top = number(request, "top", default=len(items) or 1, low=1)
    size = min(top, number(request, "maxpagesize", default=_PAGE, low=1))
    skip = number(request, "skip", default=0, low=0)
    body: dict[str, Any] = {"value": list(items[skip : skip + size])}
    left = min(len(items) - skip, top) - size
    if left > 0:
        kept = {key: value for key, value in request.query_params.items() if key.lower() not in _PAGING}
        query = {**kept, "skip": str(skip + size), "top": str(left)}
        body["nextLink"] = own_url(request, request.url.path, query)
    return JSONResponse(body)
