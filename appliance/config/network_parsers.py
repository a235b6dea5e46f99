"""Parsers of setting values that name networks, hosts and web origins, several with commas between."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

_NONE: Final = "none"
_HOST: Final = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
_ORIGIN: Final = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^\s/@?#,]+")

IPNetwork = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[IPNetwork, ...]:
    """Read addresses and networks; `none` is none."""
    if text.strip().lower() == _NONE:
        return ()
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(","))
    except ValueError:
        raise ValueError("expected networks such as 10.0.0.0/8, comma-separated, or none") from None


def parse_hosts(text: str) -> tuple[str, ...]:
    """Read names of hosts, without ports; lower case."""
    found = tuple(part.strip().lower() for part in text.split(","))
    if not all(_HOST.fullmatch(part) for part in found):
        raise ValueError("expected names such as api.example.com or *.example.com, without scheme and port")
    return tuple(part.rstrip(".") for part in found)


def parse_origins(text: str) -> tuple[str, ...]:
    """Read web origins as browsers write them; lower case."""
    found = tuple(part.strip().lower().removesuffix("/") for part in text.split(","))
    if not all(_ORIGIN.fullmatch(part) for part in found):
        raise ValueError("expected origins such as https://app.example.com, comma-separated")
    return found
