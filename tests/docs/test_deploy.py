"""Image and manifests, as far as they can be judged without an engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.paths import ROOT

DEPLOY = ROOT / "docs" / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
MANIFESTS = (DEPLOY / "kubernetes.yaml").read_text()


def tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_the_image_runs_as_a_user_with_no_name_on_the_host() -> None:
    assert re.search(r"^USER 10001$", CONTAINERFILE, re.MULTILINE)
    assert CONTAINERFILE.index("USER 10001") > CONTAINERFILE.rindex("RUN ")


def test_image_and_manifests_ask_what_the_service_answers() -> None:
    assert '["appliance", "health"]' in CONTAINERFILE
    (maker,) = (one for one in yaml.safe_load_all(MANIFESTS) if one["kind"] == "StatefulSet")
    (container,) = maker["spec"]["template"]["spec"]["containers"]
    asked = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
    # A pod without units or licence is there to say so: a Service without pods refuses connections.
    waits = "/ready?exclude=license"
    assert asked == {"startupProbe": waits, "readinessProbe": waits, "livenessProbe": "/status"}


def test_there_is_one_replica_as_there_is_one_key() -> None:
    assert "replicas: 1\n" in MANIFESTS
    assert "readOnlyRootFilesystem: true" in MANIFESTS


def test_hadolint_has_no_complaint() -> None:
    done = subprocess.run(
        [tool("hadolint"), str(DEPLOY / "Containerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["kubernetes.yaml", "license-request.yaml"])
def test_the_manifests_are_valid(name: str) -> None:
    done = subprocess.run(
        [tool("kubernetes-validate"), "--strict", str(DEPLOY / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_request_is_made_on_the_volume_that_is_served_from() -> None:
    request = (DEPLOY / "license-request.yaml").read_text()
    claim = request.partition("---\n")[0].partition("apiVersion")[2]
    assert claim in MANIFESTS
    assert "Mounts:State=/data/state" in request
    assert "Mounts__State, value: /data/state" in MANIFESTS
