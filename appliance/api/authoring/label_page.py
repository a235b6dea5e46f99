"""`/label`: the page where people label texts, train and serve; its scripts call the authoring API."""

from pathlib import Path
from typing import Final

from starlette.routing import Route

from appliance.api.pages import page_route

_HERE: Final = Path(__file__).parent.parent / "static" / "label"
PATH: Final = "/label"


def routes() -> list[Route]:
    """The page and its files; only those that exist at start, by exact name."""
    files = [path for path in sorted(_HERE.iterdir()) if path.suffix in {".css", ".js"}]
    pages = [page_route(path, _HERE / "label.html") for path in (PATH, f"{PATH}/")]
    return [*pages, *(page_route(f"/static/label/{file.name}", file) for file in files)]
