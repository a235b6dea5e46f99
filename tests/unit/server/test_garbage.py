import asyncio
import gc
import subprocess
import sys
import weakref

import pytest

from appliance.server import garbage

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Circle:
    def __init__(self) -> None:
        self.me = self


def a_circle() -> "weakref.ref[Circle]":
    return weakref.ref(Circle())


async def looked_through(waiting: int, *, longest_seconds: float) -> bool:
    """Whether a circle that nobody holds is gone after some looks."""
    gone = a_circle()
    gc.disable()
    try:
        task = asyncio.create_task(
            garbage.collect_while_idle(lambda: waiting, look_seconds=0.005, longest_seconds=longest_seconds)
        )
        for _ in range(100):
            await asyncio.sleep(0.005)
            if gone() is None:
                break
        task.cancel()
        return gone() is None
    finally:
        gc.enable()
        gc.collect()


async def test_everything_is_looked_through_while_nobody_waits() -> None:
    assert await looked_through(0, longest_seconds=3600)


async def test_nothing_is_looked_through_while_somebody_waits() -> None:
    assert not await looked_through(1, longest_seconds=3600)


async def test_after_the_longest_time_it_is_done_whoever_waits() -> None:
    assert await looked_through(1, longest_seconds=0.02)


def test_what_survives_does_not_set_off_a_look_through_everything() -> None:
    # A process of its own: how this one collects is not to be changed.
    script = (
        "import gc\n"
        "from appliance.server import garbage\n"
        "garbage.begin()\n"
        "before = gc.get_stats()\n"
        "kept = [[number] for number in range(300_000)]\n"
        "after = gc.get_stats()\n"
        "print(*(new['collections'] - old['collections'] for new, old in zip(after, before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    new, young, everything = map(int, done.stdout.split())
    assert new > 100
    assert young > 10
    assert everything == 0
