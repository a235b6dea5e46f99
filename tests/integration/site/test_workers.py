"""Several workers on one host under a plan that blocks: the desk divides it among them."""

from pathlib import Path

import httpx2
import pytest

from license.authority.authority import Authority
from tests.support.desk import DeskSite, until
from tests.support.site import NO_TLS
from tests.support.wire import ANALYZE, BODY


@pytest.mark.e2e
def test_workers_of_a_site_use_a_plan_that_blocks_up_to_its_last_unit_and_not_beyond(
    tmp_path: Path, vendor: Authority
) -> None:
    desk = DeskSite(tmp_path / "site", vendor)
    desk.buy(60)
    desk.set_up()
    desk.start()
    try:
        replica = desk.replica()
        service = replica.start("Workers=2", "Engine:Sessions=1", "Engine:BatchTokens=128")
        answered, instances = 0, set()

        def used_up() -> bool:
            nonlocal answered
            with httpx2.Client(base_url=service.url, trust_env=False, verify=NO_TLS, timeout=30) as client:
                reply = client.post(ANALYZE, content=BODY)
            if reply.status_code == 200:
                answered += 1
                instances.add(reply.headers["usage-record"].split("/")[2])
            return answered >= 60 or reply.status_code == 403

        until(used_up, 60)
        for _ in range(10):
            with httpx2.Client(base_url=service.url, trust_env=False, verify=NO_TLS, timeout=30) as client:
                answered += client.post(ANALYZE, content=BODY).status_code == 200
        assert answered == 60
        assert len(instances) == 2
        assert service.stop() == 0
    finally:
        desk.close()
