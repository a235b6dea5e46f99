"""What a speech service has counted, as a client of its records sees it."""

import time
from collections.abc import Callable

import httpx2

from appliance.config.products import SPEECH_TO_TEXT
from tests.support.site import Service


def seconds_counted(service: Service, client: httpx2.Client) -> int:
    """Audio seconds in the ledger, all that was begun included."""
    meters = client.get("/records/usage-logs/").json()["meters"]
    return sum(int(meter["quantity"]) for meter in meters if meter["name"] == SPEECH_TO_TEXT.meter)


def settled(read: Callable[[], int], *, quiet: float = 0.5, longest: float = 30.0) -> int:
    """Return a count once it has not changed for a while: a client that leaves is recorded after it left."""
    end = time.monotonic() + longest
    seen, since = read(), time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < quiet:
        time.sleep(0.05)
        now = read()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen
