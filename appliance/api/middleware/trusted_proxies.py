"""What a caller's proxy says of it: scheme, host, port, prefix and address, believed from some networks only.

`X-Forwarded-Proto`, `-Host`, `-Port`, `-Prefix` and `-For`, or `Forwarded` (RFC 7239) where none of the first
four is there. Of several values, one for each proxy on the way, that of the outermost trusted one counts.
What was said lands in the scope, so that links, origins and logs are those that the caller knows.
"""

import re
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.config.network_parsers import IPNetwork

PREFIX: Final = "forwarded_prefix"
"""Key of a scope: the path below which a proxy shows the service, such as `/ai`."""

_FIELDS: Final = {
    b"x-forwarded-proto": "proto",
    b"x-forwarded-host": "host",
    b"x-forwarded-port": "port",
    b"x-forwarded-prefix": "prefix",
}
_AUTHORITY: Final = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?", re.IGNORECASE)
_PREFIX_PATH: Final = re.compile(r"(/[a-z0-9_.~-]+)+", re.IGNORECASE)
_PAIR: Final = re.compile(r'\s*([a-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s";,]*)\s*', re.IGNORECASE)
_STANDARD_PORTS: Final = {"http": "80", "https": "443"}
FORWARDED: Final = frozenset({*_FIELDS, b"x-forwarded-for", b"forwarded"})
"""Headers that proxies add."""


class TrustedProxies:
    """ASGI middleware that believes what some proxies say.

    Args:
        app: What is served.
        networks: Where those proxies are.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[IPNetwork]) -> None:
        self._app = app
        self._networks = tuple(networks)
        self._trusts = lru_cache(1024)(self._is_trusted)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] in ("http", "websocket") and not FORWARDED.isdisjoint(
            [name for name, _ in scope["headers"]]
        ):
            client = scope.get("client")
            if client is not None and self._trusts(client[0]):
                self._believe(scope)
        return self._app(scope, receive, send)

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        if found.version == 6 and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)

    def _believe(self, scope: Scope) -> None:
        said: dict[str, list[str]] = {}
        addresses: list[str] = []
        forwarded: list[str] = []
        for name, value in scope["headers"]:
            if name in _FIELDS:
                said.setdefault(_FIELDS[name], []).extend(_split(value))
            elif name == b"x-forwarded-for":
                addresses.extend(_split(value))
            elif name == b"forwarded":
                forwarded.append(value.decode("latin-1"))
        if said:
            hops = self._hops(addresses)
            chosen = {name: values[max(-len(values), -hops)] for name, values in said.items()}
        else:
            chosen = self._from_forwarded(", ".join(forwarded))
            addresses = addresses or [chosen.get("for", "")]
        _apply(scope, chosen)
        self._apply_client(scope, addresses)

    def _hops(self, addresses: Sequence[str]) -> int:
        """Count the proxies on the way that are trusted: the one that called, and those it names."""
        hops = 1
        for address in reversed(addresses[1:]):
            if not self._trusts(_bare(address)):
                break
            hops += 1
        return hops

    def _from_forwarded(self, text: str) -> dict[str, str]:
        """Return what the outermost trusted proxy says in a `Forwarded` header."""
        chosen: dict[str, str] = {}
        for element in reversed(_elements(text)):
            chosen |= element
            if not self._trusts(_bare(element.get("for", ""))):
                break
        return chosen

    def _apply_client(self, scope: Scope, addresses: Sequence[str]) -> None:
        for address in reversed(addresses):
            bare = _bare(address)
            try:
                ip_address(bare)
            except ValueError:
                return
            scope["client"] = (bare, 0)
            if not self._trusts(bare):
                return


def _apply(scope: Scope, said: dict[str, str]) -> None:
    proto = said.get("proto", "").lower()
    if proto in _STANDARD_PORTS:
        secure = proto == "https"
        if scope["type"] == "websocket":
            scope["scheme"] = "wss" if secure else "ws"
        else:
            scope["scheme"] = proto
    host = _authority(scope, said.get("host", ""), said.get("port", ""))
    if host:
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"].append((b"host", host.encode("latin-1")))
    prefix = said.get("prefix", "").rstrip("/")
    if prefix and _PREFIX_PATH.fullmatch(prefix):
        scope[PREFIX] = prefix
        if scope["path"].startswith(prefix + "/"):  # a proxy that does not take it away
            scope["path"] = scope["path"][len(prefix) :]


def _authority(scope: Scope, host: str, port: str) -> str:
    """Return host and port as the caller typed them; empty where nothing valid was said."""
    if not _AUTHORITY.fullmatch(host):
        host = ""
    if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65_536):
        return host
    if not host:
        own = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        found = _AUTHORITY.fullmatch(own)
        if found is None:
            return ""
        host = found[1]
    elif host.rpartition(":")[2].isdecimal() and not host.endswith("]") and ":" in host:
        return host  # it names its port itself
    secure = scope.get("scheme") in ("https", "wss")
    return host if port == _STANDARD_PORTS["https" if secure else "http"] else f"{host}:{port}"


def _split(value: bytes) -> list[str]:
    return [part.strip() for part in value.decode("latin-1").split(",")]


def _bare(address: str) -> str:
    """Return an address without brackets and port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.rpartition(":")
    return host if port.isdecimal() and host.count(":") == 0 and host else address


def _elements(text: str) -> list[dict[str, str]]:
    """Read a `Forwarded` header; what cannot be read ends it, for what stands before may be anything."""
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is not None and found.end() > position:
            value = found[2]
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            elements[-1][found[1].lower()] = value
            position = found.end()
        separator: Any = text[position : position + 1]
        if separator == ",":
            elements.append({})
        elif separator != ";" and separator:
            return []
        position += 1
    return elements
