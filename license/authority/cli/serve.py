"""`license serve`: the authority over HTTP."""

from __future__ import annotations

import errno
import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from license.authority.cli.common import example, home_option, open_authority
from license.console.refusal import Refusal

MAX_LISTENING: Final = 128


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=MAX_LISTENING)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = "stop what uses it (`ss -ltnp`), or use `--port 8081`"
            raise Refusal(f"port {port} is taken", hint) from error
        hint = "--host must be an address of this machine; ports below 1024 need root"
        raise Refusal(f"cannot listen on {host} port {port}: {error.strerror or error}", hint) from error


@click.command(epilog=example("license serve --port 8080"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="0: any free one."
)
@click.option(
    "--per-minute",
    default=60,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Licences one resource may ask for in a minute.",
)
@home_option
def serve(host: str, port: int, per_minute: int, home: Path) -> None:
    """Hand out licences and models over HTTP until told to stop.

    It speaks plain HTTP: TLS is left to a proxy in front. /openapi.json describes it.
    """
    import uvicorn

    from license.authority.http.app import Limits, make_app

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    with open_authority(home) as authority, _listen(host, port) as listener:
        app = make_app(authority, Limits(licenses=per_minute))
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"listening on http://{shown}:{listener.getsockname()[1]}", err=True)
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
