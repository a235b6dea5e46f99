"""What probes are told where a caller would be refused: by `/ready` alone, and without the licence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.integration.site.test_site import ask, start_site
from tests.support.desk import DeskSite, until
from tests.support.site import Service, Site

pytestmark = pytest.mark.e2e


def probe(service: Service, query: str = "", **headers: str) -> tuple[int, str]:
    with service.client() as client:
        reply = client.get(f"/ready{query}", headers=headers)
    body = reply.json()
    return reply.status_code, body["message"] if "message" in body else body["error"]["innererror"]["message"]


LICENCE_OUT = "?exclude=license"


def test_a_replica_without_units_stays_in_a_service_that_knows_no_second_choice(
    new_desk: Callable[..., DeskSite],
) -> None:
    site = new_desk()
    (service,) = start_site(site, 1, units=3)
    until(lambda: ask(service) == 200)
    assert probe(service, LICENCE_OUT)[0] == 200
    until(lambda: ask(service) == 403)
    assert probe(service)[0] == 503
    assert probe(service, LICENCE_OUT) == (
        200,
        "The service has started, and says itself whether and why it refuses a query.",
    )
    # Its lease lets it start while the desk is away, and it has heard nothing in this run: another is better.
    site.desks[-1].kill()
    assert service.stop() == 0
    again = site.replicas[0].start()
    code, message = probe(again, LICENCE_OUT)
    assert (code, message.partition(":")[0]) == (503, "CouldNotConnect")


def test_a_probe_with_a_slip_is_told_so(tmp_path: Path, vendor: Authority) -> None:
    site = Site(tmp_path, vendor)
    site.issue(meters={TEXT_RECORDS: 1}, overage="block")
    service = site.start()
    try:
        assert probe(service, "?exclude=licence") == (400, "exclude is license.")
        assert ask(service) == 200
        assert ask(service) == 403
        assert (probe(service)[0], probe(service, LICENCE_OUT)[0]) == (503, 200)
    finally:
        site.close()


def test_a_stranger_reads_no_more_of_it(tmp_path: Path, vendor: Authority) -> None:
    site = Site(tmp_path, vendor)
    site.issue(meters={TEXT_RECORDS: 1}, overage="block")
    service = site.start("ApiKeys:reader=0123456789abcdef0123456789abcdef")
    try:
        assert probe(service, LICENCE_OUT)[0] == 200
        assert probe(service)[1] == "License is valid, no action needed."
        key = {"Ocp-Apim-Subscription-Key": "0123456789abcdef0123456789abcdef"}
        assert "says itself" in probe(service, LICENCE_OUT, **key)[1]
    finally:
        site.close()
