"""One plan that blocks, three replicas, one desk: real processes, real sockets, a vendor out of reach."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from appliance.ledger.read.reports import usage_by_day
from license.authority.authority import Authority
from license.authority.ingest import ingest_bundle
from tests.support.desk import DeskSite, Replica, until
from tests.support.site import SENTENCE, VERSION, Service, clean_environ

ROUTE = "/language/:analyze-text"
BODY = {
    "kind": "EntityRecognition",
    "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
}


def recorded(replica: Replica) -> int:
    return sum(tally.billed for used in usage_by_day(replica.output) for tally in used.sums.values())


async def hammer(urls: list[str], requests: int) -> tuple[int, list[Any]]:
    """Ask all replicas at once, each request again where another may have units; return the answers."""
    answered, refused = 0, []
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:

        async def ask(number: int) -> None:
            nonlocal answered
            for attempt in range(12):
                url = urls[(number + attempt) % len(urls)]
                reply = await client.post(f"{url}{ROUTE}", params=VERSION, json=BODY)
                if reply.status_code == 200:
                    answered += 1
                    return
                refused.append(reply.json()["error"]["innererror"]["code"])
                if reply.status_code == 403:
                    return
                await asyncio.sleep(0.25)

        await asyncio.gather(*(ask(number) for number in range(requests)))
    return answered, refused


def start_site(site: DeskSite, replicas: int, units: int = 100, **options: Any) -> list[Service]:
    site.buy(units)
    site.set_up(**options)
    site.start()
    return [site.replica().start() for _ in range(replicas)]


@pytest.mark.e2e
def test_a_plan_of_100_units_answers_100_on_three_replicas_and_the_vendor_takes_the_site_in_clean(
    new_desk: Callable[..., DeskSite], vendor: Authority, tmp_path: Path
) -> None:
    site = new_desk()
    services = start_site(site, 3)
    answered, refused = asyncio.run(hammer([service.url for service in services], 130))
    assert answered <= 100
    assert answered >= 90
    assert set(refused) <= {"SliceUsedUp", "OutOfQuota"}
    for service in services:
        assert service.stop() == 0
    assert sum(map(recorded, site.replicas)) == answered
    status = site.status()
    assert [replica["state"] for replica in status["replicas"]] == ["Left"] * 3
    assert site.meter() | {"charged": answered, "lost": 0, "open": 0} == site.meter()
    export = site.export(tmp_path / "site.zip")
    verified = subprocess.run(
        [sys.executable, "-m", "appliance", "usage", "verify", str(export), "--roots", str(vendor.roots_dir)],
        capture_output=True,
        text=True,
        env=clean_environ(),
        check=False,
    )
    assert verified.returncode == 0, verified.stdout
    taken = ingest_bundle(vendor, export)
    assert taken.report.exit_code == 0, taken.report.findings
    assert [account.used.billed for account in taken.accounts] == [answered]
    until(lambda: True)
