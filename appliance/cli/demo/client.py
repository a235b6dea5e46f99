"""What the demo does as a client of the service: it asks and waits."""

import json
import time
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from appliance.errors import ApplianceError

START_SECONDS: Final = 60


class DemoFailed(ApplianceError):
    """One step of the demo did not work."""

    code = "DemoFailed"


def get(url: str) -> dict[str, Any]:
    """The JSON of a path; raises `DemoFailed`."""
    return fetch(Request(url))[0]  # noqa: S310


def fetch(request: Request) -> tuple[dict[str, Any], Any]:
    """The JSON and the headers of a reply; raises `DemoFailed`."""
    # A proxy of this host has no business between two loopback sockets.
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=START_SECONDS) as reply:
            return json.load(reply), reply.headers
    except HTTPError as error:
        raise DemoFailed(
            f"{request.full_url} answered {error.code}", hint=error.read(500).decode()
        ) from error
    except URLError as error:
        raise DemoFailed(f"{request.full_url} did not answer: {error.reason}") from error


def wait_until(condition: Any, complaint: str, *, seconds: float = START_SECONDS) -> None:
    """Wait for a condition; raises `DemoFailed` with the complaint if it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoFailed(complaint)
        time.sleep(0.01)
