"""A connected appliance without a model, to be killed at any instant: uses, reports, and never ends."""

import random
from multiprocessing.connection import Connection
from pathlib import Path

from license.client.metering import MeteringClient
from tests.integration.connected.conftest import Machine, RealTime


def work(home: Path, roots: Path, billing: str, key: str, seed: int, told: Connection) -> None:
    dice = random.Random(seed)  # noqa: S311
    machine = Machine(home, roots, MeteringClient(billing=billing, api_key=key, timeout_s=20), RealTime())
    machine.open()
    told.send("open")
    while True:
        machine.use(*(dice.randint(1, 9) for _ in range(dice.randint(1, 20))))
        machine.reporter.attempt()
