"""A refusal arrives although its caller was still sending: 413, 401, 404, 429, at callers of every kind."""

import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.support.site import Service, Site
from tests.support.wire import ANALYZE, head, wire

pytestmark = pytest.mark.e2e

TIMES = 100
SIZE = 6 << 20
KEY = "0123456789abcdef"
PROGRAMS = ROOT / "tests" / "clients" / "programs"
QUICK_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A short program is not worth a thorough compilation nor threads that collect garbage."""
CASES = {
    "413": (ANALYZE, {"Ocp-Apim-Subscription-Key": KEY}),
    "401": (ANALYZE, {}),
    "404": ("/no/such/path", {"Ocp-Apim-Subscription-Key": KEY}),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    site = Site(tmp_path_factory.mktemp("guarded") / "site", vendor)
    site.issue()
    yield site.start(f"ApiKeys:one={KEY}")
    site.close()


def by_urllib(url: str, headers: dict[str, str]) -> list[str]:
    found = []
    for _ in range(TIMES):
        request = urllib.request.Request(url, data=b"x" * SIZE, headers=headers)  # noqa: S310 (http)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 (http)
                found.append(str(reply.status))
        except urllib.error.HTTPError as error:
            found.append(str(error.code) if b'"error"' in error.read() else "no body")
        except OSError as error:
            found.append(repr(error))
    return found


def by_program(*words: str) -> Callable[[str, dict[str, str]], list[str]]:
    def run(url: str, headers: dict[str, str]) -> list[str]:
        program = shutil.which(words[0])
        if program is None:
            pytest.skip(f"{words[0]} is not installed: apt-get install {words[1]}")
        named = [f"{name}: {value}" for name, value in headers.items()]
        done = subprocess.run(
            [program, *words[2:], url, str(TIMES), str(SIZE), *named],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.split("\n")[:-1]

    return run


CALLERS = {
    "urllib": by_urllib,
    "node": by_program("node", "nodejs", str(PROGRAMS / "refused.mjs")),
    "java": by_program("java", "default-jdk-headless", *QUICK_JAVA, str(PROGRAMS / "Refused.java")),
}


@pytest.mark.parametrize(
    ("case", "caller"),
    [
        # One refusal shows what Java's client does with them; the others reach it at night.
        pytest.param(case, caller, marks=[pytest.mark.slow] if caller == "java" and case != "413" else [])
        for case in CASES
        for caller in CALLERS
    ],
)
def test_every_refusal_of_a_body_under_way_arrives(guarded: Service, caller: str, case: str) -> None:
    path, headers = CASES[case]
    assert CALLERS[caller](guarded.url + path, headers) == [case] * TIMES


@pytest.mark.parametrize(
    "caller", [pytest.param(name, marks=[pytest.mark.slow] if name == "java" else []) for name in CALLERS]
)
def test_refusals_of_a_full_queue_arrive(full: Service, caller: str) -> None:
    statuses = CALLERS[caller](full.url + ANALYZE, {"Content-Type": "application/json"})
    assert set(statuses) <= {"400", "415", "429"}  # in between the queue has room, and the body is read
    assert statuses.count("429") > TIMES // 2


def test_what_is_read_past_has_an_end(guarded: Service) -> None:
    with wire(guarded.url) as one:
        one.send(head("POST", ANALYZE, Content_Length=1 << 40))
        assert one.reply().status == 401
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            for _ in range(200):
                one.send(b"x" * (1 << 20))


def test_a_connection_is_usable_after_a_body_that_nobody_wanted(guarded: Service) -> None:
    with wire(guarded.url) as one:
        for _ in range(3):
            one.send(head("POST", "/no/such/path", Ocp_Apim_Subscription_Key=KEY, Content_Length=SIZE))
            one.send(b"x" * SIZE)
            assert one.reply().status == 404


def test_a_caller_that_waits_for_leave_to_send_hears_the_refusal(guarded: Service, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed: apt-get install curl")
    body = tmp_path / "body"
    body.write_bytes(b"x" * SIZE)
    words = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect: 100-continue"]
    done = subprocess.run(
        [curl, *words, "--data-binary", f"@{body}", guarded.url + ANALYZE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "401")
