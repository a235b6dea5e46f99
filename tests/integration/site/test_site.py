"""One plan that blocks, three replicas, one desk: real processes, real sockets, a vendor out of reach."""

import asyncio
import io
import time
import wave as wavefile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from appliance.config.products import SPEECH_TO_TEXT
from appliance.ledger.read.reports import usage_by_day
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.ingest import ingest_bundle
from tests.support.desk import DeskSite, Replica, until
from tests.support.forked_process import run_forked_text
from tests.support.site import NO_TLS, SENTENCE, VERSION, Service, clean_environ
from tests.support.tones import RATE, silence, speak, wave, write_model
from tests.support.usp import PATH

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
    async with httpx2.AsyncClient(timeout=60, trust_env=False, verify=NO_TLS) as client:

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
    assert set(refused) <= {"SliceUsedUp", "OutOfQuota"}
    for service in services:
        assert service.stop() == 0
    assert sum(map(recorded, site.replicas)) == answered
    status = site.status()
    assert [replica["state"] for replica in status["replicas"]] == ["Left"] * 3
    assert site.meter() | {"charged": answered, "lost": 0, "open": 0} == site.meter()
    export = site.export(tmp_path / "site.zip")
    words = ("usage", "verify", str(export), "--roots", str(vendor.roots_dir))
    verified = run_forked_text("appliance", words, environ=clean_environ())
    assert verified.returncode == 0, verified.stdout
    taken = ingest_bundle(vendor, export)
    assert taken.report.exit_code == 0, taken.report.findings
    assert [account.used.billed for account in taken.accounts] == [answered]


@pytest.mark.e2e
def test_replicas_serve_through_kills_of_one_of_them_and_of_their_desk(
    new_desk: Callable[..., DeskSite], vendor: Authority, tmp_path: Path
) -> None:
    site = new_desk()
    services = start_site(site, 2, units=1_000)
    first, second = services
    until(lambda: ask(first) == 200 and ask(second) == 200)
    first.kill()
    assert ask(second) == 200
    site.desks[-1].kill()
    until(lambda: second.status()["metering"]["failedAttempts"] > 0)
    assert ask(second) == 200  # to the end of slice and lease
    assert second.status()["apiStatus"] == "CouldNotConnect"
    site.start(port=site.port)
    until(lambda: second.status()["apiStatus"] == "Valid")
    assert ask(second) == 200
    told = second.status()["metering"]["site"]
    assert told["desk"] == site.status()["desk"]
    assert told["units"][TEXT_RECORDS] > 0
    again = site.replicas[0].start()
    until(lambda: ask(again) == 200)
    for service in (again, second):
        assert service.stop() == 0
    answered = sum(map(recorded, site.replicas))
    until(lambda: site.meter()["charged"] == answered)
    assert site.meter()["open"] == site.meter()["lost"] == 0
    taken = ingest_bundle(vendor, site.export(tmp_path / "site.zip"))
    # The desk was killed, and says so; nothing else is found.
    assert {finding.code for finding in taken.report.findings} <= {"cut-off"}
    assert [account.used.billed for account in taken.accounts] == [answered]


@pytest.mark.e2e
def test_a_site_of_the_speech_service_divides_its_seconds(
    new_desk: Callable[..., DeskSite], tmp_path: Path
) -> None:
    site = new_desk(product="speech", service="speechtotext")
    site.buy(60, meter=SPEECH_TO_TEXT.meter, tier="DC0")
    site.set_up()
    site.start()
    model = tmp_path / "tones"
    write_model(model)
    speech = ("Service=speechtotext", f"Mounts:Model={model}")
    services = [site.replica().start(*speech) for _ in range(2)]
    sound = as_wav(np.concatenate((speak("turn left"), silence(8.0))))
    codes: list[int] = []
    for number in range(24):
        service = services[number % 2]
        with service.client() as client:
            reply = client.post(
                PATH.format(mode="interactive"),
                params={"language": "en-US"},
                content=sound,
                headers={"Content-Type": "audio/wav"},
            )
            codes.append(reply.status_code)
        time.sleep(0.1)
    assert set(codes) <= {200, 403, 503}
    assert 200 in codes
    assert {403, 503} & set(codes)
    for service in services:
        assert service.stop() == 0
    used = sum(map(recorded, site.replicas))
    assert 0 < used <= 60
    assert site.meter()["charged"] == used


def as_wav(samples: Any) -> bytes:
    data = io.BytesIO()
    with wavefile.open(data, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(RATE)
        opened.writeframes(wave(samples))
    return data.getvalue()


def ask(service: Service) -> int:
    with service.client() as client:
        return client.post(ROUTE, params=VERSION, json=BODY).status_code
