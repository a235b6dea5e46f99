"""Asks whoever listens at the service's port whether it is ready: HTTP, or HTTPS whatever its certificate."""

import contextlib
import http
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Final

_PROBE_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFact:
    """Who is at the port.

    Attributes:
        address: Host and port.
        listening: Whether anybody accepts connections.
        service: `service` of `/ready`; empty if it is somebody else.
        ready: Whether requests would be answered.
        message: What `/ready` says.
        closed: Whether it hangs up after a TLS handshake, as it does on callers without a certificate.
    """

    address: str
    listening: bool = False
    service: str = ""
    ready: bool = False
    message: str = ""
    closed: bool = False


def port(host: str, number: int, *, tls: bool = False) -> PortFact:
    """Ask whoever listens at the service's port whether it is ready.

    Args:
        host: What `Http:Host` says; the own machine stands for every address.
        number: What `Http:Port` says.
        tls: Whether it speaks HTTPS.
    """
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    address = f"{loopback}:{number}"
    connection = _connection(loopback, number, tls=tls)
    met = False
    try:
        connection.connect()
        met = tls
        connection.request("GET", "/ready")
        reply = connection.getresponse()
        body = _object(reply.read(4096))
    except (ConnectionRefusedError, socket.gaierror):
        return PortFact(address=address)
    except (OSError, http.client.HTTPException):
        # In TLS 1.3 a caller hears only after the handshake that a certificate was wanted, or is hung up on.
        return PortFact(address=address, listening=True, closed=met)
    finally:
        connection.close()
    return PortFact(
        address=address,
        listening=True,
        service=body.get("service", ""),
        ready=reply.status == http.HTTPStatus.OK,
        message=body.get("message", ""),
    )


def _connection(host: str, number: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(host, number, timeout=_PROBE_SECONDS)
    # It is this machine's own service, by its address: its certificate names another.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, number, timeout=_PROBE_SECONDS, context=context)


def _object(data: bytes) -> dict[str, str]:
    with contextlib.suppress(ValueError):
        body = json.loads(data)
        if isinstance(body, dict):
            return {str(key): str(value)[:200] for key, value in body.items()}
    return {}
