"""Request identifiers that sort by time: UUID version 7 of RFC 9562."""

import os
import threading
import time
from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Identifier of the request that this code runs for, for the log; empty outside of one."""

_RANDOM_DIGITS: Final = 18  # hexadecimal: 12 bits, 2 bits in a digit of the variant, 60 bits
_POOLED_IDS: Final = 256


class _Pool(threading.local):
    """Random digits of one thread, asked of the system for many ids at once."""

    def __init__(self) -> None:
        self.digits = ""
        self.at = 0


_pool = _Pool()


def _forget() -> None:
    """Do not give the ids of a parent process again."""
    _pool.at = len(_pool.digits)


os.register_at_fork(after_in_child=_forget)


def uuid7() -> str:
    """A new UUIDv7 as text: 48 bits of Unix milliseconds, then 74 random bits."""
    pool = _pool
    start = pool.at
    end = start + _RANDOM_DIGITS + 1
    if end > len(pool.digits):
        pool.digits = os.urandom((_RANDOM_DIGITS + 1) * _POOLED_IDS // 2).hex()
        start, end = 0, _RANDOM_DIGITS + 1
    pool.at = end
    time_digits = f"{time.time_ns() // 1_000_000:012x}"
    digits = pool.digits
    variant = "89ab"[int(digits[start + 18], 16) & 3]
    return (
        f"{time_digits[:8]}-{time_digits[8:]}-7{digits[start : start + 3]}"
        f"-{variant}{digits[start + 3 : start + 6]}-{digits[start + 6 : start + 18]}"
    )
