"""Commits without end and prints each receipt once it has it. Run by test_crash.py, which kills it.

The imports are done once: each line on standard input forks a process that opens the ledger and commits
until it is killed. Writes are shorter than a pipe's buffer, so every line arrives whole.
"""

import asyncio
import os
import sys
from pathlib import Path

from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.ledger import Ledger, UsageRecord
from license.crypto.ed25519 import load_signing_key
from license.licenses.verify import open_license
from license.trust.roots import load_roots


async def commit(ledger: Ledger, worker: int) -> None:
    number = 0
    while True:
        request_id = f"{os.getpid()}-{worker}-{number}"
        use = UsageRecord(meter="Ner.TextRecords", quantity=1, billed=1, request_id=request_id)
        receipt = await ledger.commit([use])
        os.write(1, f"{receipt.first} {request_id}\n".encode())
        number += 1


async def run(ledger: Ledger) -> None:
    await asyncio.gather(*(commit(ledger, worker) for worker in range(8)))


def serve(home: Path) -> None:
    licensed = open_license(
        (home / "license.note").read_bytes(),
        (home / "issuer.note").read_bytes(),
        roots=load_roots(home / "roots"),
    )
    ledger = Ledger.open(
        home / "output" / "customner" / "instance",
        identity=load_signing_key(home / "instance.key"),
        state=home / "state",
        clock=EffectiveClock(),
        license=licensed,
        software="crash test",
    )
    os.write(1, f"open {os.getpid()}\n".encode())
    asyncio.run(run(ledger))


def main(home: Path) -> None:
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            serve(home)
        os.waitpid(child, 0)
        os.write(1, b"killed\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
