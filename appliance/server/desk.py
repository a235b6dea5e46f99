"""The process of a site's desk: its socket, its connections, its signals, and what it does each minute.

Connections are those of the service: bounded in number, in the length of a head and in silence, so that who
connects and says nothing keeps no replica out. What is refused before there is a request has a desk's words.
"""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

import uvicorn

from appliance.api.errors import Problem
from appliance.errors import SettingsError
from appliance.server.connection.connections import ConnectionLimits, Connections, most_connections
from appliance.server.connection.http_protocol import HttpProtocol
from appliance.server.connection.raw_reply import closing_reply
from appliance.site.desk import Desk
from appliance.site.http import make_app
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.site")

TICK_SECONDS: Final = 30
BACKLOG: Final = 1_024
_WORDS: Final = {
    400: ("BadRequest", "Unknown", "send HTTP/1.1 as RFC 9112 has it; HTTPS ends at a proxy before the desk"),
    408: ("RequestTimeout", "Unknown", "send a whole request without pauses; look at the network in between"),
    414: ("TooLarge", "Unknown", "no address of a desk is so long: look at what adds to it"),
    431: ("TooLarge", "Unknown", "replicas send short heads: look at what a proxy in between adds"),
    503: ("Busy", "BillingEndpointBusy", "ask again after Retry-After; let the desk open more files"),
}
"""What a desk says where there is no request to answer, by status: code, status word, next step."""


class DeskProtocol(HttpProtocol):
    """One connection to a desk."""

    def refusal(self, problem: Problem) -> bytes:
        """Return the reply that refuses what is no request, in the shape of a desk's refusals."""
        code, status, hint = _WORDS[problem.status]
        message = problem.inner[1] if problem.inner else problem.message
        content = {"error": {"code": code, "message": message, "hint": hint}, "status": status}
        secure = self.scheme == "https"
        return closing_reply(problem, self.server_state.default_headers, secure=secure, content=content)


def make_server(
    desk: Desk, *, api_key: str, roots: TrustRoots, limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """Return the web server of an open desk.

    Args:
        desk: The desk.
        api_key: The key of the site.
        roots: Keys that may vouch for model packages.
        limits: What connections may take; the service's without it.
    """
    table = Connections(limits or ConnectionLimits())
    config = uvicorn.Config(
        make_app(desk, api_key=api_key, roots=roots),
        http=partial(DeskProtocol, table=table),  # type: ignore[arg-type]  # as the class
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        backlog=BACKLOG,
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        SettingsError: It is not ours, or in use.
    """
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} is taken", hint="stop what uses it (`ss -ltnp`), or name another with --port"
            ) from error
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            hint="--host must be an address of this machine, or 0.0.0.0; ports below 1024 need root",
        ) from error


def limits_for(desk: Desk) -> ConnectionLimits:
    """Return what connections may take, as far as the limit of open files allows."""
    wanted, site = ConnectionLimits(), desk.licenses.current.license.site
    most, replicas = most_connections(wanted.connections), 0 if site is None else site.max_instances
    if most < replicas:
        _log.warning(
            "the limit of open files allows %d connections, and the licence %d replicas: raise it "
            "(ulimit -n, LimitNOFILE=)",
            most,
            replicas,
        )
    return replace(wanted, connections=most)


def serve(
    desk: Desk, listener: socket.socket, *, api_key: str, roots: TrustRoots, ready: Callable[[str], None]
) -> None:
    """Serve a desk until a signal says stop; blocks. The desk is closed when this returns.

    Args:
        desk: The open desk.
        listener: Where it is asked.
        api_key: The key of the site.
        roots: Keys that may vouch for model packages.
        ready: Called with the address once it answers.
    """
    ended, wake = threading.Event(), threading.Event()

    def keep() -> None:
        while not ended.is_set():
            wake.wait(TICK_SECONDS)
            wake.clear()
            try:
                if not ended.is_set():
                    desk.tick()
            except Exception:  # whatever it is, the thread must outlive it
                _log.exception("the desk could not do what is due")

    signal.signal(signal.SIGHUP, lambda *_: wake.set())
    keeper = threading.Thread(target=keep, name="site-desk", daemon=True)
    keeper.start()
    name = listener.getsockname()
    ready(f"http://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}")
    server = make_server(desk, api_key=api_key, roots=roots, limits=limits_for(desk))
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        ended.set()
        wake.set()
        keeper.join()
        desk.close()
