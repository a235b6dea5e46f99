"""One resource of the free tier, and six throw-away machines that ask for licences of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.forked_process import run_forked_text
from tests.support.site import Site, clean_environ

MACHINES, ALLOWED = 6, 2


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[Authority, str]]:
    """A vendor whose own process offers licences, and its address."""
    with Authority.create(tmp_path / "authority") as authority:
        command = [sys.executable, "-m", "license.authority.cli.main", "serve", "--port", "0"]
        with subprocess.Popen(
            [*command, "--home", str(authority.home)], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            yield authority, process.stderr.readline().rpartition(" ")[2].strip()
            process.terminate()


def typed(authority: Authority, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the vendor."""
    environ = {**os.environ, "LICENSE_HOME": str(authority.home)}
    return run_forked_text("license.authority.cli.main", words, environ=environ)


def test_of_six_machines_two_get_licences_by_download_file_or_lease(
    serving: tuple[Authority, str], tmp_path: Path
) -> None:
    authority, billing = serving
    made = typed(
        authority, "resource", "create", "free", "--customer", "Acme", "--tier", "F0", "--approved",
        "--max-instances", str(ALLOWED),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "warning" not in made.stderr
    key = made.stdout.rpartition(" ")[2].strip()
    sites = [Site(tmp_path / f"machine-{number}", authority) for number in range(MACHINES)]
    words = ("Eula=accept", f"Billing={billing}", f"ApiKey={key}")
    done = [site.operate("license", "download", *words) for site in sites[:4]]
    assert [each.returncode == 0 for each in done] == [True, True, False, False]
    assert "limited to 2 machines, and these have licences: " in done[2].stderr
    assert sites[0].operate("license", "download", *words).returncode == 0, "a renewal is none too many"

    request = tmp_path / "request.note"
    asked = sites[4].operate("license", "request", "--out", str(request))
    assert asked.returncode == 0, asked.stderr
    issued = typed(
        authority, "issue", str(request), "--resource", "free", "--out", str(tmp_path / "delivery")
    )
    assert issued.returncode == 1
    assert "license resource limit free 3" in issued.stderr

    unmounted = [word for word in sites[5].command(*words) if not word.startswith("Mounts:License")]
    connected = subprocess.run(
        unmounted, capture_output=True, text=True, timeout=60, env=clean_environ(), check=False
    )
    assert connected.returncode != 0
    assert "limited to 2 machines" in connected.stderr

    assert len(authority.store.machines("free")) == ALLOWED
    assert typed(authority, "resource", "limit", "free", "3").returncode == 0
    assert sites[2].operate("license", "download", *words).returncode == 0


def test_without_a_limit_the_vendor_is_warned(serving: tuple[Authority, str]) -> None:
    authority, _ = serving
    free = typed(authority, "resource", "create", "free", "--customer", "Acme", "--tier", "F0")
    assert "warning: free is free and not limited to a number of machines" in free.stderr
    bearer = ("--meter", f"{TEXT_RECORDS}=5", "--overage", "block", "--binding", "any")
    blocking = typed(authority, "resource", "create", "paid", "--customer", "Acme", *bearer)
    assert "warning: the plan of paid blocks, and a bearer licence counts anew" in blocking.stderr
