"""What callers of the service see while its disk fails: 503 with `Retry-After`, and afterwards answers."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from license.authority.authority import Authority
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support import disks
from tests.support.site import SENTENCE, VERSION, Service, Site

BODY = {
    "kind": "EntityRecognition",
    "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    disks.require_mounts()
    with Authority.create(tmp_path / "vendor") as vendor:
        site = Site(tmp_path / "site", vendor)
        yield site
        site.close()


def ask(client: httpx2.Client) -> httpx2.Response:
    return client.post("/language/:analyze-text", params=VERSION, json=BODY)


def ask_until(client: httpx2.Client, status: int, receipts: list[str], *, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reply = ask(client)
        if reply.status_code == 200:
            receipts.append(reply.headers["Usage-Record"])
        if reply.status_code == status:
            return reply
        time.sleep(0.0 if status == 503 else 0.1)
    raise AssertionError(f"no {status} within {seconds} seconds")


def refused_and_back(site: Site, service: Service, receipts: list[str], *, fault: Any, cure: Any) -> None:
    with service.client() as client:
        ask_until(client, 200, receipts)
        fault()
        reply = ask_until(client, 503, receipts)
        error = reply.json()["error"]
        assert (error["code"], error["innererror"]["code"]) == ("ServiceUnavailable", "UsageStoreUnavailable")
        assert int(reply.headers["Retry-After"]) >= 1
        assert "Usage-Record" not in reply.headers
        ready = client.get("/ready")
        assert ready.status_code == 503
        assert "UsageStoreUnavailable" in ready.json()["message"]
        assert client.get("/status").json()["ledger"]["healthy"] is False
        counted = client.get("/records/usage-logs/").json()["meters"][0]["quantity"]
        assert counted >= len(receipts), "reports go on"
        cure()
        ask_until(client, 200, receipts)
        assert client.get("/ready").status_code == 200
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0, report.findings
    assert sum(tally.quantity for tally in report.totals.values()) >= len(receipts)
    assert len(receipts) == len(set(receipts))


@pytest.mark.e2e
def test_a_full_disk_is_told_to_callers_and_ends_with_its_cause(site: Site) -> None:
    with disks.tmpfs(site.output, megabytes=24):
        site.issue()
        filler = site.output / "filler"
        refused_and_back(site, site.start(), [], fault=lambda: disks.fill(filler), cure=filler.unlink)


@pytest.mark.e2e
def test_a_disk_that_turns_read_only_is_told_to_callers_and_ends_with_its_cause(
    site: Site, tmp_path: Path
) -> None:
    below = tmp_path / "below"
    with disks.tmpfs(below, megabytes=60), disks.ext4(below, site.output):
        site.issue()
        refused_and_back(
            site,
            site.start(),
            [],
            fault=lambda: disks.turn_read_only(site.output),
            cure=lambda: disks.mount_again(below, site.output),
        )
