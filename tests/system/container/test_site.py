"""docs/deploy/site/compose.yaml as containers: desk, replicas, HAProxy, PostgreSQL, a plan that blocks."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from tests.support.desk import until
from tests.support.site import VERSION
from tests.system.container.composed import PLACE
from tests.system.container.conftest import ONLY_PODMAN
from tests.system.container.container_site import (
    JOB,
    REPLICAS,
    ContainerSite,
    all_succeed,
    asks_on,
    settle,
)
from tests.system.container.engine import Engine

pytestmark = ONLY_PODMAN


def test_a_site_answers_its_plan_through_haproxy_whatever_replica_is_killed(
    site: ContainerSite, tmp_path: Path
) -> None:
    site.up(*REPLICAS)
    site.wait_for_units()
    job = site.post_job()
    until(lambda: site.poll(job) == "succeeded")
    assert {site.poll(job) for _ in range(12)} == {"succeeded"}
    site.answered += 1
    assert site.hammer(30, meanwhile=lambda: site.made.kill("text-1")) == 30
    assert site.failed == []
    assert site.poll(job) == "succeeded"
    site.hammer(60)
    assert site.failed == []
    assert site.answered <= site.plan
    assert {code for code, _ in site.refused} <= {403, 503}, "a refusal is the service's own, not the proxy's"
    # Started again with its own state, the killed one reports, and what it held is for all.
    site.made.engine.run("start", site.made.name("text-1"))
    until(lambda: site.meter()["open"] == 0 or site.ask(attempts=1))
    settle(site, tmp_path, *REPLICAS)


def test_podman_plays_the_pod_of_the_chart_that_prints_the_request(
    engine: Engine, images: dict[str, str], vendor: Authority, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Podman knows no Job: the pod of one is played as it stands, with its claim as a volume."""
    name = f"oa-{free_port()}"
    text = (PLACE / "request.yaml").read_text()
    text = text.replace("registry.example.com/offline-appliance:0.1.0", f"{images['text']}:latest")
    made = {one["kind"]: one for one in yaml.safe_load_all(text.replace("appliance-desk", name))}
    template = made["Job"]["spec"]["template"]
    about = {**template["metadata"], "name": name}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]}
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(yaml.safe_dump_all([made["PersistentVolumeClaim"], pod]))
    try:
        engine.run("kube", "play", str(manifest))
        assert engine.run("wait", f"{name}-request").stdout.strip() == "0", engine.logs(f"{name}-request")
        request = engine.run("logs", f"{name}-request").stdout
        resource = vendor.create_resource(name, customer="Acme Ltd", meters={TEXT_RECORDS: 100}).resource
        issued = vendor.issue(resource, request.encode(), terms=Terms(site=3))
        assert issued.license.site is not None
    finally:
        engine.run("kube", "down", str(manifest), check=False)
        engine.run("volume", "rm", "--force", name, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [5_000])
def test_no_request_and_no_job_is_lost_when_a_part_is_killed_paused_or_cut_off(
    site: ContainerSite, tmp_path: Path
) -> None:
    made = site.made

    def pause_the_desk() -> None:
        made.engine.run("pause", made.name("desk"))
        time.sleep(10)
        made.engine.run("unpause", made.name("desk"))

    def kill(service: str) -> None:
        made.kill(service)
        time.sleep(1)
        made.engine.run("start", made.name(service))

    site.up(*REPLICAS)
    site.wait_for_units()
    jobs = [asks_on(site, pause_the_desk)]
    jobs.append(asks_on(site, lambda: kill("desk")))
    jobs.append(asks_on(site, lambda: kill("haproxy")))
    made.cut("text-2")
    jobs.append(asks_on(site, lambda: time.sleep(5)))
    made.cut("text-2", off=False)

    made.kill("postgres")
    assert site.hammer(20) == 20, "requests need no jobs"
    with site.client(timeout=120) as client:
        refused = client.post("/language/analyze-text/jobs", params=VERSION, json=JOB)
    assert refused.status_code == 503, refused.text
    made.engine.run("start", made.name("postgres"))
    all_succeed(site, jobs)
    settle(site, tmp_path, *REPLICAS)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [5_000])
def test_replicas_come_and_go_under_load_and_no_request_or_job_fails(
    site: ContainerSite, tmp_path: Path
) -> None:
    made = site.made

    def restart(replica: str) -> None:
        site.stop(replica)
        made.engine.run("start", made.name(replica))
        made.engine.wait_ready(made.name(replica))

    site.up(*REPLICAS)
    site.wait_for_units()
    jobs = [asks_on(site, partial(restart, replica), requests=100) for replica in REPLICAS]
    jobs.append(asks_on(site, lambda: site.start_replicas("text-4", "text-5", "text-6")))
    until(lambda: site.status()["live"] == 6)
    lost = site.instance("text-6")
    made.kill("text-6")
    made.engine.run("rm", "--force", "--volumes", made.name("text-6"))
    jobs.append(asks_on(site, lambda: site.stop("text-5", "text-4", "text-3", "text-2"), requests=150))
    all_succeed(site, jobs)
    site.stop("text-1")
    # Whoever was lost, or did not reach the desk at its stop, is written off; the others gave back theirs.
    states = {one["instance"]: one["state"] for one in site.status()["replicas"]}
    assert states[lost] == "Live", "until it is written off, or its lease has ended"
    held = site.meter()["open"]
    for instance, state in states.items():
        if state == "Live":
            site.desk_does("write-off", instance)
    settle(site, tmp_path, lost=held)
