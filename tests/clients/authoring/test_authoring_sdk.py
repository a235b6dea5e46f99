"""`azure-ai-textanalytics-authoring` drives the authoring API, from import to exported model.

That client needs another release of `azure-ai-textanalytics` than the other tests, so it has a lock and a
folder of its own, and runs as a program of its own.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.e2e.authoring.conftest import KEY, Start, write_project
from tests.support.locks import environment_of, read_pins, unmet
from tests.support.paths import ROOT

LOCK = ROOT / "requirements-authoring.lock"


@pytest.fixture(scope="module")
def sdk() -> Path:
    """The folder of the client, installed from its lock once and kept beside the environment's packages."""
    folder = Path(sys.prefix) / "authoring-client"
    mark = folder / LOCK.name
    if mark.exists() and mark.read_bytes() == LOCK.read_bytes():
        return folder
    words = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--upgrade",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(folder), "-r", str(LOCK)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        pytest.skip(f"the client cannot be installed here: {reason[:200]}")
    mark.write_bytes(LOCK.read_bytes())
    return folder


def test_the_lock_of_the_client_pins_all_that_its_packages_need(sdk: Path) -> None:
    needs = {
        (str(canonicalize_name(one.metadata["Name"])), one.version): one.requires or []
        for one in distributions(path=[str(sdk)])
    }
    for python in ("3.11", "3.14"):
        environment = environment_of(python)
        pins = read_pins(LOCK, environment)
        roots = ["azure-ai-textanalytics-authoring"]
        assert unmet(roots, pins, environment, lambda name, version: needs[name, version]) == []


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_the_official_client_imports_trains_deploys_and_exports(
    sdk: Path, start: Start, documents: Path, tmp_path: Path
) -> None:
    service, author = start(f"Authoring:Documents={documents}")
    path = tmp_path / "project.json"
    path.write_text(json.dumps(write_project(documents)))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("client.py")), service.url, KEY, str(path)],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "PYTHONPATH": str(sdk)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["project"] == "client"
    assert found["kind"] == "CustomEntityRecognition"
    assert found["trained"] == "m1"
    assert found["f1"] > 0.7
    assert found["model"] == found["deployment"] == found["exported"]
    assert found["models"] == ["m1"]
    assert found["deployments"] == ["prod"]
    assert found["exports"] == ["v1"]
    assert "model.onnx" in found["files"]
    assert found["versions"] == ["fast", "best", "auto", "2022-05-01"]
    assert author.call("GET", "/language/authoring/analyze-text/projects").json()["value"] == []
