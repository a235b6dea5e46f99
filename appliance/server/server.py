"""The process that serves: sockets, signals, the service manager, and an orderly start and stop.

    start   settings → output → identity → licence → ledger → listen → model → READY
    stop    STOPPING → /ready says 503 → no new connections → running requests → jobs → model
            → ledger's last checkpoint

A socket of our own answers before the model is loaded: meanwhile `/ready` says 503, `/status` 200. Sockets
of a service manager are left alone until then: systemd queues connections during a restart. So are those of a
port that several processes share: whoever is loading would get its part of the connections.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn

from appliance.api.authentication import Keys
from appliance.config.settings import Settings
from appliance.errors import ApplianceError
from appliance.host import systemd
from appliance.server import garbage
from appliance.server.app import Appliance
from appliance.server.connection.connections import ConnectionLimits, Connections, most_connections
from appliance.server.connection.lazy_websocket import LazyWebSocket
from appliance.server.connection.load_shedding import LoadShedder, LoadSheddingProtocol
from appliance.server.connection.tls_gate import TlsGate
from appliance.server.listening import BACKLOG, bind, listen
from appliance.server.tls import server_context

_log = logging.getLogger("appliance.serve")

FIRST_REQUEST_SECONDS: Final = 1.0
"""Longest wait, at a stop, for the request of a connection that was accepted just before."""
LOOK_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 15  # for the model, the last report and the last checkpoint
MESSAGE_LIMIT_BYTES: Final = 1 << 20
"""The longest WebSocket message: clients send a tenth of a second of audio in each."""


class _Server(uvicorn.Server):
    """A server that ends its run after a clean drain with success, instead of dying of the signal again."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        appliance: Appliance,
        table: Connections,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(config)
        self._appliance = appliance
        self._table = table
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on sockets that are open; TLS begins behind the table of connections."""
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(self._protocol, sock=one, backlog=BACKLOG) for one in sockets or []
        ]
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        if self._context is None:
            return self._http()
        return TlsGate(self._context, self._table, self._http)

    def _http(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return made

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drain on the first signal; a second Ctrl-C does not wait."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the service stops, answer until balancers know it, then let running requests end."""
        await self._be_lame_duck()
        systemd.notify("STOPPING=1", "STATUS=draining")
        await self._close_door(sockets or [])
        await self._take_first_requests()
        await self._appliance.begin_shutdown()
        await super().shutdown(sockets)

    async def _close_door(self, sockets: Sequence[socket.socket]) -> None:
        """Stop listening, and take in whoever stands before the door: closing it would reset them."""
        loop = asyncio.get_running_loop()
        spare = [sock.dup() for sock in sockets]
        for server in self.servers:
            server.close()
        taken: list[socket.socket] = []
        for sock in spare:
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # until none is left
                while len(taken) < BACKLOG:
                    taken.append(sock.accept()[0])
        for sock in (*spare, *sockets):
            sock.close()
        joining = (loop.connect_accepted_socket(self._protocol, one) for one in taken)
        await asyncio.gather(*joining, return_exceptions=True)

    async def _be_lame_duck(self) -> None:
        """Answer on while `/ready` says 503; a second Ctrl-C does not wait."""
        settings = self._appliance.settings
        seconds = settings.lame_duck_seconds
        if not seconds:
            return
        self._appliance.stopping = True
        systemd.notify(
            "STOPPING=1",
            "STATUS=not ready any more, draining soon",
            f"EXTEND_TIMEOUT_USEC={(seconds + settings.drain_seconds + _LAST_SECONDS) * 1_000_000}",
        )
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not self.force_exit:
            await asyncio.sleep(0.05)

    async def _take_first_requests(self) -> None:
        """Wait for the request of each connection that was accepted and has not asked yet.

        uvicorn closes those at once, also where the request has arrived and was not read: the caller would
        see a reset, and nobody else has its request.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + FIRST_REQUEST_SECONDS
        await asyncio.sleep(0)  # what has arrived is read
        while loop.time() < end and not self.force_exit:
            if not any(
                getattr(connection, "cycle", connection) is None
                for connection in self.server_state.connections
            ):
                return
            await asyncio.sleep(0.02)


def serve(
    settings: Settings,
    appliance: Appliance,
    *,
    ready: Callable[[str], None],
    passed: Sequence[socket.socket] = (),
) -> None:
    """Serve until a signal says stop; blocks.

    Args:
        settings: Start parameters.
        appliance: The opened service; closed when this returns.
        ready: Called with the address once the model is loaded and requests are answered.
        passed: Sockets to listen on in place of those that the settings and the service manager name.

    Raises:
        ApplianceError: The address is in use, or the model cannot be served.
    """
    try:
        context = server_context(settings)
        inherited = [*passed] or systemd.listen_sockets()
        if settings.reuse_port and not inherited:
            inherited = [bind(settings, shared=True)]
        sockets = inherited or [listen(settings)]
    except ApplianceError:
        appliance.close_unstarted()
        raise
    shedder = LoadShedder(
        is_overloaded=appliance.service.is_overloaded,
        admits=Keys(settings.callers).admit,
        instruments=appliance.instruments,
    )
    table = Connections(_limits(settings))
    appliance.open_connections = lambda: (len(table), table.limits.connections)
    config = uvicorn.Config(
        appliance.asgi(),
        http=partial(LoadSheddingProtocol, shedder=shedder, table=table),  # type: ignore[arg-type]  # as the class
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        interface="asgi3",  # what is served returns its coroutine, and so does not look like one
        backlog=BACKLOG,
        proxy_headers=False,  # Http:TrustedProxies says whom to believe
        ws=LazyWebSocket if appliance.service.speaks_websocket else "none",
        ws_max_size=MESSAGE_LIMIT_BYTES,
        ws_ping_timeout=60,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=settings.drain_seconds,
        ssl_context_factory=(lambda *_: context) if context is not None else None,
    )
    server = _Server(config, appliance=appliance, table=table, context=context)
    # Until uvicorn sets the same, and after it: a stop never interrupts the last checkpoint.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    systemd.notify("STATUS=loading the model")
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        serve_service = _after_loading if inherited else _while_loading
        runner.run(_run(appliance, settings, serve_service(server, sockets, appliance, ready)))


def _limits(settings: Settings) -> ConnectionLimits:
    """Take the limits of connections from the settings, as far as the system grants them."""
    most = most_connections(settings.connections)
    if most < settings.connections:
        _log.warning(
            "the limit of open files allows %d connections and not %d: raise it (ulimit -n, LimitNOFILE=)",
            most,
            settings.connections,
        )
    return ConnectionLimits(
        connections=most,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
    )


async def _run(appliance: Appliance, settings: Settings, serving: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def reload() -> None:
        asked.set()
        loop.run_in_executor(None, appliance.maintenance.on_sighup)

    loop.add_signal_handler(signal.SIGHUP, reload)
    background = [
        asyncio.create_task(appliance.maintenance.run()),
        asyncio.create_task(_look_for_models(appliance, asked)),
        asyncio.create_task(garbage.collect_while_idle(appliance.service.waiting)),
    ]
    if appliance.admin is not None:
        background.append(asyncio.create_task(appliance.admin.history.run()))
    interval = systemd.watchdog_seconds()
    if interval is not None:
        background.append(asyncio.create_task(systemd.keep_alive(interval, appliance.stuck)))
    try:
        await serving
    finally:
        for task in background:
            task.cancel()
        await appliance.close(settings.drain_seconds)


async def _look_for_models(appliance: Appliance, asked: asyncio.Event) -> None:
    """Look each minute, and when it is asked for, for models that were added, changed or taken away."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), LOOK_SECONDS)
        asked.clear()
        try:
            await appliance.service.look()
        except Exception:  # whatever it is, the next look is a minute away and must come
            _log.exception("models could not be looked for")


async def _while_loading(
    server: _Server, sockets: list[socket.socket], appliance: Appliance, ready: Callable[[str], None]
) -> None:
    """Answer at once, and load the model meanwhile."""
    loading = asyncio.create_task(
        _load(appliance, server, _address(sockets[0], secure=server.config.is_ssl), ready)
    )
    try:
        await server.serve(sockets=sockets)
    finally:
        await asyncio.wait({loading})
    loading.result()


async def _after_loading(
    server: _Server, sockets: list[socket.socket], appliance: Appliance, ready: Callable[[str], None]
) -> None:
    """Load the model, then answer those who wait."""
    await _load(appliance, server, _address(sockets[0], secure=server.config.is_ssl), ready)
    if not server.should_exit:
        await server.serve(sockets=sockets)


async def _load(appliance: Appliance, server: _Server, address: str, ready: Callable[[str], None]) -> None:
    try:
        await appliance.service.load()
    except BaseException:
        server.should_exit = True
        raise
    if not server.should_exit:
        systemd.notify("READY=1", f"STATUS=serving on {address}")
        ready(address)


def _address(listening: socket.socket, *, secure: bool) -> str:
    name = listening.getsockname()
    if not isinstance(name, tuple):
        return str(name)
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'https' if secure else 'http'}://{host}:{name[1]}"
