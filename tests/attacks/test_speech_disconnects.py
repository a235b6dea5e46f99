"""Leave while a phrase is being recorded: a client that is gone is counted once, not twice and not never."""

import logging
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.api.speech.results import TICKS
from license.authority.authority import Authority
from tests.support.recorded import check_vendor_counts, uses
from tests.support.site import Service, Site
from tests.support.speech_site import speech_site
from tests.support.speech_usage import seconds_counted, settled
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import Wire, turn_id

SPOKEN = np.concatenate((speak("two words"), silence(1.0), speak("and then some more of it"), silence(1.0)))
SPOKEN = np.concatenate((SPOKEN, silence(5.6 - len(SPOKEN) / RATE)))


_log = logging.getLogger(__name__)


@pytest.fixture
def speech(tmp_path: Path, vendor: Authority) -> Iterator[Site]:
    site = speech_site(tmp_path / "site", vendor)
    yield site
    site.close()


@pytest.fixture
def service(speech: Site, tones: Path) -> Callable[..., Service]:
    return lambda *prefix: speech.start("Service=speechtotext", f"Mounts:Model={tones}", prefix=prefix)


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


def say_and_leave(service: Service, rng: random.Random) -> list[dict[str, Any]]:
    """Speak, listen for a while and be gone; what was heard."""
    wire = Wire(service.url, rng.choice(("conversation", "interactive", "dictation")))
    wire.say(turn_id(), wave(SPOKEN), end=rng.random() < 0.7)
    for _ in range(rng.randrange(15)):
        try:
            if wire.receive(0.5)[0] == "turn.end":
                break
        except TimeoutError:
            break
    time.sleep(rng.random() * 0.02)
    wire.socket.socket.close()
    return [body for _, body in wire.seen]


def each_counted_once(site: Site, service: Service, times: int, seed: int = 1) -> None:
    rng = random.Random(seed)  # noqa: S311 (a repeatable attack, no secret)
    receipts: list[str] = []
    sums: Counter[int] = Counter()
    with service.client() as client:
        for number in range(times):
            before = seconds_counted(service, client)
            heard = say_and_leave(service, rng)
            counted = settled(lambda: seconds_counted(service, client)) - before
            said = max((body.get("Offset", 0) + body.get("Duration", 0) for body in heard), default=0)
            assert int(said / TICKS) <= counted <= 6, f"disconnect {number}: {counted} seconds for 5.6"
            receipts += [body["UsageRecord"] for body in heard if "UsageRecord" in body]
            sums[counted] += 1
    assert service.stop() == 0
    entries = uses(site)
    assert len(receipts) == len(set(receipts)) > 0
    assert set(receipts) <= entries.keys()
    assert sum(use.billed for use in entries.values()) == sum(sums.elements())
    check_vendor_counts(site, entries)
    facts = (times, len(receipts), len(entries), dict(sorted(sums.items())))
    _log.info("%d disconnects: %d phrases received, %d records; connections by seconds counted: %s", *facts)


def test_ten_disconnects_are_each_counted_once(speech: Site, service: Callable[..., Service]) -> None:
    each_counted_once(speech, service(), 10)


@pytest.mark.slow
def test_a_hundred_and_sixty_disconnects_are_each_counted_once(
    speech: Site, service: Callable[..., Service]
) -> None:
    each_counted_once(speech, service(), 160, seed=2)


@pytest.mark.slow
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
