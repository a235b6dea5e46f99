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
        timeout=600,
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
    assert {"Date", "Interest"} == categories(ask, service, tmp_path, shell)


def categories(ask: str, service: Service, home: Path, shell: dict[str, str]) -> set[str]:
    """Ask as the page says, wait for the job, and return what it found."""
    assert "http://localhost:5000" in ask
    reply = typed(ask.replace("http://localhost:5000", service.url), home, shell)
    place = re.search(r"^operation-location: (\S+)", reply, re.MULTILINE | re.IGNORECASE)
    assert place, reply
    for _ in range(1_000):
        job = json.loads(typed(f"curl -s {place[1]}", home, shell))
        if job["status"] not in ("running", "notStarted"):
            break
        time.sleep(0.05)
    (document,) = job["tasks"]["items"][0]["results"]["documents"]
    return {one["category"] for one in document["entities"]}


def write_labels(home: Path, form: str) -> None:
    """Write the labels of the example as `train.FORM` and `dev.FORM`, as another tool would have them."""
    folder = ROOT / "docs" / "examples" / "loans"
    documents = json.loads((folder / "project.json").read_text())["assets"]["documents"]
    for name, part in (("train", documents[3:]), ("dev", documents[:3])):
        with (home / f"{name}.{form}").open("w", encoding="utf-8", newline="\n") as file:
            for document in part:
                with (folder / "documents" / document["location"]).open(encoding="utf-8", newline="") as text:
                    content = text.read()
                labels = [label for part in document["entities"] for label in part["labels"]]
                spans = sorted(
                    (one["offset"], one["offset"] + one["length"], one["category"]) for one in labels
                )
                write = {"jsonl": as_jsonl, "conll": as_conll}[form]
                file.write(write(document["location"], content, spans))


def as_jsonl(name: str, text: str, spans: list[tuple[int, int, str]]) -> str:
    entities = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    return json.dumps({"id": name, "text": text, "entities": entities}) + "\n"


def as_conll(_name: str, text: str, spans: list[tuple[int, int, str]]) -> str:
    lines = ["-DOCSTART- O", ""]
    for word in re.finditer(r"\w+|[^\w\s]", text):
        inside = [span for span in spans if span[0] <= word.start() < span[1]]
        begins = any(start == word.start() for start, _, _ in inside)
        tag = f"{'B' if begins else 'I'}-{inside[0][2]}" if inside else "O"
        lines.append(f"{word[0]} {tag}")
        if word[0] == ".":
            lines.append("")
    return "\n".join([*lines, "", ""])


@pytest.mark.e2e
@pytest.mark.slow  # it trains, as the page says
@pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed (Debian: apt-get install curl)"
)
@pytest.mark.parametrize("form", ["conll", "jsonl"])
def test_labels_in_other_formats_come_to_an_answer_as_the_page_says(
    shell: dict[str, str], tmp_path: Path, site: Site, form: str
) -> None:
    site.issue()
    write_labels(tmp_path, form)
    convert, train = (
        next(line.strip() for line in PAGE.splitlines() if line.strip().startswith(beginning))
        for beginning in ("appliance dataset convert", "appliance train contracts")
    )
    assert ".conll" in convert
    typed(convert.replace(".conll", f".{form}"), tmp_path, shell)
    assert re.search(r"^all +(100|[5-9]\d)\.\d", typed(train, tmp_path, shell), re.MULTILINE)
    _, _, *library, _, start, ask = blocks()
    for command in library:
        typed(command.replace("loans-model", "contracts-model"), tmp_path, shell)
    assert "Interest" in categories(ask, serve(start, tmp_path, shell, site), tmp_path, shell)
