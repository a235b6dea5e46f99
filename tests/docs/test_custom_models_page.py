"""The tutorial of docs/custom-models.md as it stands in the page, from labelled files to curl."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.site import Service, Site, clean_environ

PAGE = (ROOT / "docs" / "custom-models.md").read_text()
TUTORIAL = PAGE.partition("## From labelled files to curl")[2].partition("\n## ")[0]


def blocks() -> Iterator[str]:
    """The tutorial's pieces of indented code."""
    for paragraph in re.split(r"\n(?=\S)|\n\n(?=    )", TUTORIAL):
        code = [line[4:] for line in paragraph.splitlines() if line.startswith("    ")]
        if code:
            yield "\n".join(code)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has `appliance` in PATH and stands in the repository's folder."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "appliance"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m appliance "$@"\n')
    program.chmod(0o755)
    environ = clean_environ()
    return {**environ, "PATH": f"{program.parent}:{environ['PATH']}", "PYTHONPATH": os.fspath(ROOT)}


def typed(command: str, home: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def serve(command: str, home: Path, environ: dict[str, str], site: Site) -> Service:
    """Start what the page says; only mounts and port are other ones, and the vendor's roots are named."""
    for printed, real in (
        ("appliance serve", f"exec appliance serve --roots {site.vendor.roots_dir} Http:Port=0"),
        ("/etc/appliance/license", str(site.license)),
        ("/var/lib/appliance/output", str(site.output)),
    ):
        assert printed in command
        command = command.replace(printed, real)
    log = site.home / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-euc", f"{command} Mounts:State={site.state}"],
            cwd=home,
            env=environ,
            stdout=output,
            stderr=output,
        )
    site.running.append(Service(process, log))
    return site.running[-1].wait_ready()


@pytest.mark.e2e
@pytest.mark.slow  # it trains, as the page says
@pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed (Debian: apt-get install curl)"
)
def test_every_command_of_the_tutorial_does_what_the_page_says(
    shell: dict[str, str], tmp_path: Path, site: Site
) -> None:
    site.issue()
    check, train, *library, show, start, ask = blocks()
    assert show == "appliance demo Models:Path=models"  # serves until Ctrl-C; tests/e2e/test_demo.py runs it
    assert "no mistake" in typed(check, tmp_path, shell)
    examined = typed(train, tmp_path, shell)
    assert re.search(r"^all +[89]\d\.\d", examined, re.MULTILINE), examined
    assert {"MODEL_CARD.md", "evaluation.json"} <= {one.name for one in (tmp_path / "loans-model").iterdir()}
    said = "".join(typed(command, tmp_path, shell) for command in library)
    assert "added loans/v1" in said
    assert "Charles Babbage" in said, "models test asks one fixed sentence"
    service = serve(start, tmp_path, shell, site)
    assert "http://localhost:5000" in ask
    reply = typed(ask.replace("http://localhost:5000", service.url), tmp_path, shell)
    place = re.search(r"^operation-location: (\S+)", reply, re.MULTILINE | re.IGNORECASE)
    assert place, reply
    for _ in range(1_000):
        job = json.loads(typed(f"curl -s {place[1]}", tmp_path, shell))
        if job["status"] not in ("running", "notStarted"):
            break
        time.sleep(0.05)
    (document,) = job["tasks"]["items"][0]["results"]["documents"]
    assert {one["category"] for one in document["entities"]} == {"Date", "Interest"}
