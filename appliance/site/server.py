"""The process of a desk: its socket, its signals, and what it does each minute."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn

from appliance.errors import SettingsError
from appliance.site.desk import Desk
from appliance.site.http import make_app
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.site")

TICK_SECONDS: Final = 30
BACKLOG: Final = 1_024


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
    config = uvicorn.Config(
        make_app(desk, api_key=api_key, roots=roots),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=10,
    )
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        ended.set()
        wake.set()
        keeper.join()
        desk.close()
