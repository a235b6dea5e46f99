"""Many appliances at one authority, each killed at random and started again: the totals are exact."""

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest

from license.authority.http.app import Limits, make_app
from license.client.metering import MeteringClient
from tests.integration.connected.conftest import Machine, RealTime, Sums, Vendor, serving
from tests.integration.connected.worker import work


class Fleet:
    """Processes that use and report, each with a home of its own; they fork from one that has all loaded."""

    def __init__(self, place: Path, vendor: Vendor, billing: str, size: int) -> None:
        self.homes = [place / f"appliance-{n}" for n in range(size)]
        self._words = (vendor.authority.roots_dir, billing, vendor.key)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.integration.connected.worker"])
        self._running: dict[int, tuple[Any, Any]] = {}
        self.starts = 0

    def start(self, n: int) -> None:
        self.starts += 1
        listening, telling = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=work, args=(self.homes[n], *self._words, self.starts, telling), daemon=True
        )
        process.start()
        telling.close()
        self._running[n] = process, listening

    def wait_open(self, n: int) -> None:
        assert self._running[n][1].recv() == "open"

    def kill(self, n: int) -> None:
        process, listening = self._running.pop(n)
        process.kill()
        process.join()
        process.close()
        listening.close()


def run_and_kill(fleet: Fleet, dice: random.Random, *, kills: int, pause: float) -> None:
    size = len(fleet.homes)
    for n in range(size):
        fleet.start(n)
    for n in range(size):
        fleet.wait_open(n)
    for _ in range(kills):
        time.sleep(dice.uniform(0, pause))
        victim = dice.randrange(size)
        fleet.kill(victim)
        fleet.start(victim)
        fleet.wait_open(victim)
    time.sleep(dice.uniform(0, pause))
    for n in range(size):
        fleet.kill(n)


def check_totals(place: Path, vendor: Vendor, *, size: int, kills: int) -> None:
    app = make_app(vendor.authority, Limits(reports=1_000_000, reads=1_000_000))
    with serving(app) as billing:
        fleet = Fleet(place, vendor, billing, size)
        run_and_kill(fleet, random.Random(size), kills=kills, pause=0.3)  # noqa: S311
        recorded: Sums = {}
        for home in fleet.homes:
            client = MeteringClient(billing=billing, api_key=vendor.key)
            machine = Machine(home, vendor.authority.roots_dir, client, RealTime())
            machine.open()
            machine.reporter.attempt()
            assert machine.reporter.endpoint_state.failed == 0, machine.reporter.endpoint_state
            recorded |= machine.recorded()
            machine.close()
    assert sum(tally.entries for tally in recorded.values()) > size
    assert vendor.metered() == recorded


def test_three_appliances_killed_at_random_are_counted_exactly(tmp_path: Path, meter: Vendor) -> None:
    meter.time.now = int(time.time())
    check_totals(tmp_path, meter, size=3, kills=4)


@pytest.mark.slow
def test_ten_appliances_killed_at_random_are_counted_exactly(tmp_path: Path, meter: Vendor) -> None:
    meter.time.now = int(time.time())
    check_totals(tmp_path, meter, size=10, kills=40)
