"""By which names this service may be called.

A page of another site can let a name of its own point at this machine (DNS rebinding); its browser then takes
the service for a part of that site. So a name that is not known here is refused with 421. Addresses need
no list: a browser that shows an address does not believe that it is a site.
"""

import re
import socket
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.errors import Problem, invalid_http

_ANY: Final = "*"
_MOST_CACHED: Final = 1024
_MOST_QUOTED: Final = 253
"""The longest name that DNS knows."""
_AUTHORITY: Final = re.compile(rb"([A-Za-z0-9_.~-]+|\[[0-9A-Fa-f:.]+\])(:\d{0,5})?")
_ADDRESS: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\]")


class AllowedHosts:
    """ASGI middleware that refuses requests by other names.

    Args:
        app: What is guarded.
        names: Names besides addresses and localhost; `*.example.com` for all below, `*` for any.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._any = _ANY in names
        self._names = frozenset({"localhost", *(name for name in names if not name.startswith("*"))})
        self._below = (".localhost", *(name[1:] for name in names if name.startswith("*.")))
        self._known: set[bytes] = set()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve or refuse one request."""
        if scope["type"] in ("http", "websocket"):
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or hosts[0] not in self._known:
                problem = self._check(hosts, scope)
                if problem is not None:
                    response = JSONResponse(
                        problem.body(), status_code=problem.status, headers=problem.headers
                    )
                    return response(scope, receive, send)
        return self._app(scope, receive, send)

    def knows(self, host: bytes) -> bool:
        """Whether a request with exactly this Host header was let in before."""
        return host in self._known

    def _check(self, hosts: Sequence[bytes], scope: Scope) -> Problem | None:
        if not hosts and scope.get("http_version", "1.1") < "1.1":
            return None
        if len(hosts) != 1:
            return invalid_http("An HTTP/1.1 request has exactly one Host header.")
        found = _AUTHORITY.fullmatch(hosts[0])
        if found is None:
            return invalid_http("The Host header names no host.")
        name = found[1].decode("ascii").lower().rstrip(".")
        if not self._allows(name):
            return Problem(
                421,
                "MisdirectedRequest",
                f"This service is not known as {name[:_MOST_QUOTED]}, the name in the Host header. "
                "If that is a name of its own, its operator adds it to the setting Http:AllowedHosts.",
            )
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()  # a caller who makes up names must not keep the others out
        self._known.add(hosts[0])
        return None

    def _allows(self, name: str) -> bool:
        return bool(
            self._any or name in self._names or name.endswith(self._below) or _ADDRESS.fullmatch(name)
        )


def machine_names(
    *, hostname: str = "", hosts: Path = Path("/etc/hosts"), resolver: Path = Path("/etc/resolv.conf")
) -> tuple[str, ...]:
    """Return this machine's names without asking anybody: from its hosts file and its domains too.

    Args:
        hostname: The machine's own name; that of the system by default.
        hosts: Names of addresses.
        resolver: Names of domains.
    """
    own = (hostname or socket.gethostname()).lower().rstrip(".")
    names = {own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}
    for line in _lines(hosts):
        aliases = [word.lower() for word in line[1:]]
        if own in aliases:
            names.update(aliases)
    for line in _lines(resolver):
        if line[0] in ("search", "domain"):
            names.update(f"{own.partition('.')[0]}.{domain.lower().strip('.')}" for domain in line[1:])
    return tuple(sorted(names - {""}))


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return []
    return [words for line in text.splitlines() if (words := line.partition("#")[0].split())]
