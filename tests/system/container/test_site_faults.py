"""A site of containers: wrong clocks, an older desk, a lost replica, jobs of the official client, speech."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from azure.ai.textanalytics import RecognizeEntitiesAction, TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential

from appliance.config.products import SPEECH_TO_TEXT
from appliance.pipeline.pipeline import TEXT_RECORDS
from tests.integration.site.test_site import as_wav
from tests.support.desk import until
from tests.support.site import SENTENCE
from tests.support.tones import silence, speak, write_model
from tests.support.usp import PATH
from tests.system.container.conftest import ONLY_PODMAN
from tests.system.container.container_site import ENGLISH, REPLICAS, ContainerSite, settle
from tests.system.container.faketime import Clock, why_no_faketime

pytestmark = [ONLY_PODMAN, pytest.mark.slow]
HOURS, DAY = 3_600, 86_400


@pytest.fixture
def clock(tmp_path: Path) -> Callable[[str], Clock]:
    if why_no_faketime():
        pytest.skip(why_no_faketime())
    return lambda name: Clock(tmp_path / f"clock-{name}")


def replicas(site: ContainerSite) -> dict[str, dict[str, Any]]:
    """What the desk says of each replica."""
    return {one["instance"]: one for one in site.status()["replicas"]}


@pytest.mark.parametrize("hours", [2, -2])
def test_a_replica_whose_clock_is_two_hours_off_is_refused_with_the_number_and_the_others_answer(
    site: ContainerSite, clock: Callable[[str], Clock], tmp_path: Path, hours: int
) -> None:
    site.up("text-1", "text-2")
    site.wait_for_units()
    wrong = clock("text-3").set(hours * HOURS)
    name = site.create("text-3", options=(*ENGLISH, *wrong.words))
    assert site.hammer(20) == 20
    assert site.made.engine.run("wait", name).stdout.strip() != "0"
    said = site.made.engine.logs(name)
    assert "the replica's clock is 7,2" in said or "the replica's clock is 7,1" in said, said
    assert ("ahead of" if hours > 0 else "behind") in said
    assert site.status()["live"] == 2
    assert site.failed == []
    settle(site, tmp_path, "text-1", "text-2")


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_jumps_by_two_hours_under_a_replica_stops_no_request_and_no_sum(
    new_container_site: Callable[..., ContainerSite],
    clock: Callable[[str], Clock],
    tmp_path: Path,
    hours: int,
) -> None:
    site, jumps = new_container_site(lease_s=DAY), clock("text-2")
    site.up("text-1")
    site.start_replicas("text-2", options=(*ENGLISH, *jumps.words))
    site.wait_for_units()
    jumped = site.instance("text-2")
    jumps.set(hours * HOURS)
    assert site.hammer(30) == 30
    time.sleep(3)
    status = site.replica_status("text-2")
    # Effective time follows forward and never runs back: only a clock that ran ahead is a replica's own time.
    assert (status["metering"]["status"] == "Valid") == (hours < 0), status["metering"]
    assert ("7,2" in status["metering"]["message"]) == (hours > 0), status["metering"]
    assert site.failed == []
    jumps.set(0)
    site.hammer(60)
    assert site.failed == []
    site.stop("text-1", "text-2")
    held = site.meter()["open"]
    assert held == 0 or hours > 0
    if held:  # it cannot be given back at a time that the desk refuses
        site.desk_does("write-off", jumped)
    settle(site, tmp_path, lost=held)


@pytest.mark.parametrize("hours", [2, -2])
def test_a_desk_that_starts_with_a_clock_two_hours_off_grants_nothing_wrong(
    new_container_site: Callable[..., ContainerSite], clock: Callable[[str], Clock], hours: int
) -> None:
    site, wrong = new_container_site(lease_s=DAY), clock("desk")
    site.up("text-1", "text-2", desk=wrong.words)
    site.wait_for_units()
    site.hammer(10)
    site.stop("desk")
    wrong.set(hours * HOURS)
    site.start_desk()
    before = site.answered
    site.hammer(10)
    assert site.answered > before, "replicas serve to the end of slice and lease"

    def refused() -> list[bool]:
        said = [site.replica_status(name)["metering"] for name in ("text-1", "text-2")]
        return ["ClockSkew" in str(one) or "7,2" in one["message"] for one in said]

    # What the desk's log proves holds against a clock that went back; one that ran ahead is believed.
    if hours > 0:
        until(lambda: all(refused()))
    else:
        time.sleep(25)  # a heartbeat and some
        assert not any(refused())
    assert site.failed == []


def test_a_replica_that_is_lost_with_its_volume_is_written_off_and_the_others_go_on(
    site: ContainerSite, tmp_path: Path
) -> None:
    site.up(*REPLICAS)
    site.wait_for_units()
    lost = site.instance("text-3")

    def lose() -> None:
        site.made.engine.run("rm", "--force", "--volumes", "--time", "0", site.made.name("text-3"))

    assert site.hammer(20, lose) == 20
    # Podman's name service drops look-ups for seconds while containers come and go; replicas ask again.
    for name in ("text-1", "text-2"):
        until(lambda name=name: site.replica_status(name)["metering"]["failedAttempts"] == 0)
    held = replicas(site)[lost]["units"][TEXT_RECORDS]
    site.desk_does("write-off", lost)
    about = replicas(site)[lost]
    assert about["state"] == "Lost"
    assert about["units"][TEXT_RECORDS]["lost"] == held["allowed"] - held["counted"]
    site.hammer(120)
    assert site.failed == []
    settle(site, tmp_path, "text-1", "text-2", lost=about["units"][TEXT_RECORDS]["lost"])


@pytest.mark.parametrize("plan", [20_000])
def test_every_job_of_the_official_client_ends_and_is_billed_once_though_a_replica_is_killed(
    site: ContainerSite, tmp_path: Path
) -> None:
    site.up(*REPLICAS)
    site.wait_for_units()
    site.answered, before = 0, settled_charge(site)
    client = TextAnalyticsClient(f"http://127.0.0.1:{site.made.port}", AzureKeyCredential("unused"))
    text = f"{SENTENCE} " * 40
    documents, records = [text] * 25, 25 * -(-len(text) // 1_000)
    jobs = [
        client.begin_analyze_actions(documents, actions=[RecognizeEntitiesAction()], polling_interval=1)
        for _ in range(9)
    ]
    site.made.kill("text-1")
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda job: list(job.result()), jobs))
    site.made.engine.run("start", site.made.name("text-1"))
    site.made.engine.wait_ready(site.made.name("text-1"))
    for pages in results:
        assert [one.is_error for (one,) in pages] == [False] * len(documents)
        assert all("Angela Merkel" in {entity.text for entity in one.entities} for (one,) in pages)
    settle(site, tmp_path, *REPLICAS)
    assert site.meter()["charged"] == before + len(jobs) * records


def settled_charge(site: ContainerSite) -> int:
    """Wait until everything is reported, and return what is charged."""
    seen = [-1]

    def same() -> bool:
        time.sleep(3)
        seen.append(site.meter()["charged"])
        return seen[-1] == seen[-2]

    until(same)
    return seen[-1]


def test_the_seconds_of_a_speech_replica_are_counted_by_its_desk(
    new_container_site: Callable[..., ContainerSite], images: dict[str, str], tmp_path: Path
) -> None:
    meter = SPEECH_TO_TEXT.meter
    site = new_container_site(
        meters={meter: 60}, service="speechtotext", images={"offline-appliance:0.1.0": images["speech"]}
    )
    model = write_model(tmp_path / "tones")
    for entry in (model, *model.rglob("*")):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    site.up("speech-1", options=("-e", "Mounts__Model=/model", "-v", f"{model}:/model:ro"))
    sound = as_wav(np.concatenate((speak("turn left"), silence(8.0))))

    def ask() -> int:
        with site.client(timeout=60) as client:
            return recognize(client, sound)

    until(lambda: ask() == 200)
    once = settled_charge(site)
    codes = [ask() for _ in range(20)]
    assert set(codes) == {200, 403}, codes
    answered = 1 + codes.count(200)
    settle(site, tmp_path, "speech-1")
    assert site.meter()["charged"] == answered * once <= 60
    assert site.status()["plan"]["meters"][0]["name"] == meter


def recognize(client: httpx2.Client, sound: bytes) -> int:
    reply = client.post(
        PATH.format(mode="interactive"),
        params={"language": "en-US"},
        content=sound,
        headers={"Content-Type": "audio/wav"},
    )
    return reply.status_code


@pytest.mark.parametrize("plan", [400])
def test_a_desk_whose_volume_is_put_back_says_so_and_the_sums_stay_right(
    new_container_site: Callable[..., ContainerSite], plan: int, tmp_path: Path
) -> None:
    site = new_container_site(meters={TEXT_RECORDS: plan}, lease_s=60)
    made = site.made
    site.up("text-1", "text-2")
    site.wait_for_units()
    site.hammer(20)
    site.stop("desk")
    shutil.copytree(made.home / "desk", made.home / "older")
    site.start_desk()
    site.wait_for_units()
    before = granted(site)
    # A desk that is put back can know it by what it granted since, and by nothing else.
    until(lambda: site.hammer(20) and any(granted(site)[of] > units for of, units in before.items()))
    site.stop("desk")
    put_back(made.home / "older", made.home / "desk")
    site.start_desk()
    until(lambda: site.status()["grantsFrom"] is not None)
    until(lambda: "the desk was put back to an older state" in made.engine.logs(made.name("desk")))
    meter = site.meter()
    assert meter["charged"] + meter["open"] <= plan
    # Once the lease period is over, it grants again, and has learnt from the replicas what it had forgotten.
    until(lambda: site.status()["grantsFrom"] is None, seconds=120)
    site.wait_for_units()
    site.hammer(plan)
    assert site.failed == []
    settle(site, tmp_path, "text-1", "text-2", told=("desk-restored",))
    assert site.meter()["charged"] == plan


def granted(site: ContainerSite) -> dict[str, int]:
    """What each replica may use, as the desk knows it."""
    return {of: one["units"][TEXT_RECORDS]["allowed"] for of, one in replicas(site).items() if one["units"]}


def put_back(older: Path, place: Path) -> None:
    """Put a copy of a directory in its place, with the owner of each file."""
    owner = place.stat()
    for entry in list(place.iterdir()):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(older, place, dirs_exist_ok=True)
    for entry in (place, *place.rglob("*")):
        shutil.chown(entry, owner.st_uid, owner.st_gid)
