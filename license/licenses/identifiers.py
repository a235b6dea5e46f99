"""Identifiers of licences and leases: ULIDs, which sort by the time they were made."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid(now: int, random: Callable[[int], int] = secrets.randbits) -> str:
    """Return a ULID, which sorts by time: 48 bits of milliseconds, 80 random bits, in Crockford's base 32.

    Args:
        now: Unix second.
        random: Source of random bits.
    """
    number = (now * 1_000) << 80 | random(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
