"""Nothing leaves: every packet that would is counted, by the kernel, in a network that has only loopback.

The default route points at loopback, so that an attempt becomes a packet: without a route it would die before
the counter and prove nothing. onnxruntime mutes its telemetry where `CI` is set and makes its first attempt
after about ten seconds, so the environment is cleaned and the run is longer.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, Site, clean_environ

pytestmark = [pytest.mark.e2e, pytest.mark.boot]

SECONDS = 17
RULES = """
table inet airgap {
  counter escaped { }
  chain out {
    type filter hook output priority 0; policy accept;
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    counter name escaped drop
  }
}
"""
MUTES = (
    "CI",
    "GITHUB_ACTIONS",
    "TF_BUILD",
    "BUILD_ID",
    "JENKINS_URL",
    "ORT_DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
)
UNGUARDED = """
import sys, time, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
time.sleep(float(sys.argv[2]))
"""


def why_not() -> str:
    missing = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        return "needs root, iproute2 and nftables"
    probe = subprocess.run(["ip", "netns", "add", "probe-airgap"], capture_output=True, check=False)
    if probe.returncode:
        return "this root may not make network namespaces"
    subprocess.run(["ip", "netns", "del", "probe-airgap"], check=True)
    return ""


class Gap:
    """A network namespace that counts what tries to leave."""

    def __init__(self, name: str) -> None:
        self.prefix = ("ip", "netns", "exec", name)
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "route", "add", "default", "dev", "lo")
        self.run("ip", "-6", "route", "add", "default", "dev", "lo")
        subprocess.run([*self.prefix, "nft", "-f", "-"], input=RULES, text=True, check=True)

    def run(self, *words: str) -> str:
        return subprocess.run([*self.prefix, *words], capture_output=True, text=True, check=True).stdout

    def escaped(self) -> int:
        found = json.loads(self.run("nft", "-j", "list", "counter", "inet", "airgap", "escaped"))
        return next(int(item["counter"]["packets"]) for item in found["nftables"] if "counter" in item)

    def try_to_leave(self) -> None:
        attempt = "import socket; s = socket.socket(); s.settimeout(0.5); s.connect_ex(('192.0.2.1', 80))"
        self.run(sys.executable, "-c", attempt)

    def close(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture
def gap() -> Iterator[Gap]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    made = Gap(f"airgap{os.getpid()}")
    made.try_to_leave()
    assert made.escaped() > 0, "the counter sees an attempt"
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Authority.create(tmp_path / "vendor") as vendor:
        made = Site(tmp_path / "site", vendor)
        made.issue()
        yield made
        made.close()


@pytest.fixture(autouse=True)
def nothing_mutes_telemetry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in MUTES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def serve_for(seconds: float, gap: Gap, site: Site) -> int:
    """Serve and answer for so long; return how many packets tried to leave."""
    before = gap.escaped()
    service = site.start(prefix=gap.prefix)
    body = json.dumps(
        {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        gap.run(
            *("curl", "-sSf", "-o", "/dev/null", "-H", "Content-Type: application/json", "-d", body),
            f"{service.url}/language/:analyze-text?api-version=2023-04-01",
        )
        time.sleep(1)
    assert service.stop() == 0
    return gap.escaped() - before


@pytest.mark.timeout(120)
def test_the_service_never_tries_to_leave(gap: Gap, site: Site, tmp_path: Path) -> None:
    assert serve_for(SECONDS, gap, site) == 0
    assert not (tmp_path / ".cache").exists(), "no device identifier is left behind either"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_service_never_tries_to_leave_in_a_minute(gap: Gap, site: Site) -> None:
    assert serve_for(60, gap, site) == 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_without_the_guard_the_library_would_try_to_leave(gap: Gap) -> None:
    before = gap.escaped()
    model = ROOT / "appliance/bundled/ner-en/model.onnx"
    subprocess.run(
        [*gap.prefix, sys.executable, "-c", UNGUARDED, str(model), "20"], env=clean_environ(), check=True
    )
    assert gap.escaped() > before, "onnxruntime no longer sends telemetry: the guard may go"
