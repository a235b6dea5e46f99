"""Leave while a phrase is being recorded: a client that is gone is counted once, not twice and not never."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from license.authority.authority import Authority
from tests.support.site import Service, Site
from tests.support.speech_site import speech_site
from tests.support.speech_usage import seconds_counted, settled
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import Wire, turn_id

SPOKEN = np.concatenate((speak("two words"), silence(1.0), speak("and then some more of it"), silence(1.0)))
SPOKEN = np.concatenate((SPOKEN, silence(5.6 - len(SPOKEN) / RATE)))


@pytest.fixture
def service(tmp_path: Path, vendor: Authority, tones: Path) -> Iterator[Callable[..., Service]]:
    sites: list[Site] = []

    def start(*prefix: str) -> Service:
        sites.append(speech_site(tmp_path / "site", vendor))
        return sites[-1].start("Service=speechtotext", f"Mounts:Model={tones}", prefix=prefix)

    yield start
    for site in sites:
        site.close()


@pytest.fixture
def slow_fsync() -> tuple[str, ...]:
    """Words before a command that make each fsync of it take 0.4 seconds."""
    calls = "fsync,fdatasync"
    words = ("strace", "-D", "-f", "-qq", "-e", f"trace={calls}", "-o", "/dev/null")
    delay = ("-e", f"inject={calls}:delay_enter=400000")
    try:
        subprocess.run([*words, *delay, "true"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("strace is not installed (Debian: apt-get install strace)")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets no process be traced: {error.stderr.decode()[:200]}")
    return words + delay


def say_and_leave(service: Service, rng: random.Random) -> None:
    wire = Wire(service.url, rng.choice(("conversation", "interactive", "dictation")))
    wire.say(turn_id(), wave(SPOKEN), end=rng.random() < 0.7)
    for _ in range(rng.randrange(6)):
        try:
            wire.receive(0.5)
        except TimeoutError:
            break
    time.sleep(rng.random() * 0.02)
    wire.socket.socket.close()


def each_counted_once(service: Service, times: int, seed: int = 1) -> None:
    rng = random.Random(seed)  # noqa: S311 (a repeatable attack, no secret)
    with service.client() as client:
        for number in range(times):
            before = seconds_counted(service, client)
            say_and_leave(service, rng)
            counted = settled(lambda: seconds_counted(service, client)) - before
            assert counted <= 6, f"disconnect {number}: {counted} seconds for 5.6"


def test_ten_disconnects_are_each_counted_once(service: Callable[..., Service]) -> None:
    each_counted_once(service(), 10)


@pytest.mark.slow
def test_a_hundred_and_sixty_disconnects_are_each_counted_once(service: Callable[..., Service]) -> None:
    each_counted_once(service(), 160, seed=2)


def test_who_leaves_while_a_slow_disk_records_the_phrase_is_counted_once(
    service: Callable[..., Service], slow_fsync: tuple[str, ...]
) -> None:
    slow = service(*slow_fsync)
    with slow.client() as client:
        for wait in (0.3, 0.7, 1.1):
            before = seconds_counted(slow, client)
            wire = Wire(slow.url)
            wire.say(turn_id(), wave(np.concatenate((silence(3.2), speak("leave"), silence(2.0)))))
            wire.until("turn.start")
            time.sleep(wait)
            wire.socket.socket.close()
            assert settled(lambda: seconds_counted(slow, client), quiet=2.0) - before <= 6
