"""When Python looks for garbage that reference counts miss: objects that refer to one another in a circle.

Python's own rule looks through everything again whenever enough has survived. In an overload thousands of
requests wait, and such a look then stops every thread for a fifth of a second, each few seconds; so it does
while a long document is read. Here only what is new is looked through as it comes, and everything else while
nobody waits.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

NEW_OBJECTS: Final = 1_000
"""Objects made and not given back, after which the new ones are looked through."""
YOUNG_ROUNDS: Final = 4
"""Such rounds, after which those that survived are looked through as well."""
NEVER: Final = 1_000_000_000
LOOK_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 900.0
"""After so long everything is looked through, whoever waits."""


def begin() -> None:
    """Take everything that is there for permanent, and look through what is new from here on."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG_ROUNDS, NEVER)
    gc.enable()


async def collect_while_idle(
    waiting: Callable[[], int],
    *,
    look_seconds: float = LOOK_SECONDS,
    longest_seconds: float = LONGEST_SECONDS,
) -> None:
    """Look through everything now and then, for ever.

    Args:
        waiting: How much waits for a model now.
        look_seconds: Between two looks at whether anybody waits.
        longest_seconds: After so long it is done all the same.
    """
    unchecked = 0.0
    while True:
        await asyncio.sleep(look_seconds)
        unchecked += look_seconds
        if not waiting() or unchecked >= longest_seconds:
            gc.collect()
            unchecked = 0.0
