"""Sockets that the service listens on: one of its own, or one of several that share a port.

Where several processes share a port (`SO_REUSEPORT`), the kernel gives each of them its part of the new
connections as soon as it listens. So such a socket is only bound at first, and listens once the model is
loaded.
"""

import errno
import socket
from typing import Final

from appliance.config.settings import Settings
from appliance.errors import SettingsError

BACKLOG: Final = 4096


def listen(settings: Settings) -> socket.socket:
    """Listen on the address of the settings.

    Raises:
        SettingsError: The address is not ours or is in use.
    """
    listening = bind(settings)
    try:
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _refused(settings, settings.port, error) from error
    return listening


def bind(settings: Settings, *, port: int | None = None, shared: bool = False) -> socket.socket:
    """Take the address of the settings without listening on it.

    Args:
        settings: Start parameters.
        port: Another port than `Http:Port`.
        shared: Whether other processes of the same user may take it too.

    Raises:
        SettingsError: The address is not ours or is in use.
    """
    number = settings.port if port is None else port
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((settings.host, number))
    except OSError as error:
        bound.close()
        raise _refused(settings, number, error) from error
    return bound


def _refused(settings: Settings, port: int, error: OSError) -> SettingsError:
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            f"port {port} is taken", hint="stop what uses it (`ss -ltnp`), or use Http:Port=5001"
        )
    return SettingsError(
        f"cannot listen on {settings.host} port {port}: {error.strerror}",
        hint="Http:Host must be an address of this machine, or 0.0.0.0; ports below 1024 need root",
    )
