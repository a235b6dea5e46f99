"""What README.md says to type works on a Debian that has nothing else, and with every pip that is in use."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.system.boot.fresh import Debian, why_not

pytestmark = pytest.mark.slow

PIPS = {"23.0.1": (3, 11), "24.0": (3, 13), "newest": (4, 0)}
"""Debian 12 brings the first of them. With the newest Python that each of them knows."""


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def debian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    if why_not():
        pytest.skip(why_not())
    made = Debian(request.param, tmp_path_factory.mktemp("debian") / "root")
    yield made
    made.remove()


def test_make_run_shows_the_whole_loop(debian: Debian) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    code, said = debian.run(f"make run ARGS='--once --port {port}'")
    assert code == 0, said[-3000:]
    assert "verified: " in said


@pytest.mark.timeout(5400)
def test_make_test_passes_and_names_the_package_that_a_skipped_test_wants(debian: Debian) -> None:
    code, said = debian.run("make test ARGS=-rs")
    assert code == 0, said[-10_000:]
    assert re.search(r"^\d+ passed, \d+ skipped in ", said, re.MULTILINE)
    assert "apt-get install curl" in said


@pytest.mark.parametrize("version", PIPS)
def test_the_lock_is_installed_by_a_pip_of_this_version(version: str, tmp_path: Path) -> None:
    if sys.version_info[:2] > PIPS[version]:
        pytest.skip(f"pip {version} does not run on this Python")
    python = str(tmp_path / "venv" / "bin" / "python")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wanted = ["--upgrade", "pip"] if version == "newest" else [f"pip=={version}"]
    lock = ["--no-deps", "--require-hashes", "-r", str(ROOT / "requirements-dev.lock")]
    try:
        for words in (
            [sys.executable, "-m", "venv", str(tmp_path / "venv")],
            [*pip, "install", *wanted],
            [*pip, "install", *lock],
            [*pip, "check"],
        ):
            done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    finally:
        shutil.rmtree(tmp_path / "venv", ignore_errors=True)
