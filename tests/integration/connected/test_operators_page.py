"""The operators' page of a service that runs connected: a lease, an endpoint, and no licence to install."""

import pytest

from tests.integration.connected.conftest import ConnectedSite
from tests.support.operators import KEYS, answer, operator, refusal, told


@pytest.mark.e2e
def test_a_connected_run_tells_its_endpoint_and_takes_no_licence(connected: ConnectedSite) -> None:
    service = connected.start(*KEYS)
    with operator(service) as client:
        assert answer(client).status_code == 200
        body = told(client, "overview")
        assert body["connected"]
        assert body["metering"]["endpoint"].startswith("http://127.0.0.1")
        assert body["words"]["license"] == [
            "This service runs connected: its lease is renewed by itself as long as it can report."
        ]
        assert body["words"]["report"] == ""
        for step in ("check", "install"):
            reply = client.post(f"/admin/api/license/{step}", content=b"anything")
            assert refusal(reply) == (409, "WrongMode")
        shown = client.post("/admin/api/export")
        assert shown.status_code == 200, shown.text
        assert client.post("/admin/api/support").status_code == 200
    assert service.stop() == 0
