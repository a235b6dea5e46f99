"""Runs work on large input outside the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

_Result = TypeVar("_Result")

_INLINE_CHARACTERS: Final = 20_000


async def run_off_loop(size: int, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call a function that takes time in proportion to `size` characters or bytes; large ones on a thread."""
    if size <= _INLINE_CHARACTERS:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
