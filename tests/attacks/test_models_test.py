"""Have the command that tries a model answer texts of one's own, without a licence or after its end."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.registry.smoke_test import SENTENCE
from license.authority.authority import Authority
from tests.e2e.test_packages import Line, licensed_for
from tests.support.paths import ENGLISH
from tests.support.site import Site, clean_environ

SECRET = "Marie Curie of Sorbonne wrote to Henri Poincaré in Paris."
LABELLED = {"id": "1", "text": SECRET, "entities": [{"start": 0, "end": 11, "label": "Person"}]}


@pytest.fixture
def package(tmp_path: Path, vendor: Authority) -> tuple[Site, str]:
    """A site whose library holds an encrypted package of the vendor, and where it is."""
    site = Site(tmp_path / "site", vendor)
    line = Line(vendor, tmp_path / "line")
    licensed_for(site, line)
    release = line.release("1.0.0", into=tmp_path / "stick")
    place = f"Models:Path={tmp_path / 'library'}"
    (tmp_path / "library").mkdir()
    add = site.operate("models", "add", str(release.package), "--project", "names", "--name", "v1", place)
    assert add.returncode == 0, add.stderr
    return site, place


def told(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stdout + done.stderr


def test_a_package_answers_the_fixed_sentence_and_nothing_else(
    package: tuple[Site, str], tmp_path: Path
) -> None:
    site, place = package
    labelled = tmp_path / "mine.jsonl"
    labelled.write_text(json.dumps(LABELLED))
    tried = site.operate("models", "test", "names/v1", place)
    assert f"self-test   {SENTENCE}" in tried.stdout
    for words in (("--text", SECRET), ("--labelled", str(labelled))):
        done = site.operate("models", "test", "names/v1", *words, place, stdin=SECRET.encode())
        assert done.returncode != 0
        assert "Traceback" not in told(done)
        assert "Curie" not in told(done)
        assert "Person" not in told(done)
    assert "only the service answers from it, and counts them" in told(done)


def test_a_plain_model_asked_in_its_own_process_answers_the_fixed_sentence() -> None:
    for text in (SECRET, SECRET * 2_000):
        done = subprocess.run(
            [sys.executable, "-m", "appliance.registry.smoke_test", str(ENGLISH)],
            input=text.encode(),
            capture_output=True,
            timeout=60,
            env=clean_environ(),
            check=False,
        )
        found = json.loads(done.stdout)["found"]
        assert all(word in SENTENCE for word, _, _ in found)
        assert found


def test_a_package_answers_nothing_more_after_its_licence(package: tuple[Site, str], tmp_path: Path) -> None:
    site, place = package
    ends = int(time.time()) + 5
    site.issue(changes={"report_by": ends, "expires": ends, "terminates": ends})
    time.sleep(max(0.0, ends + 1 - time.time()))
    labelled = tmp_path / "mine.jsonl"
    labelled.write_text(json.dumps(LABELLED))
    for words in (("--text", SECRET), ("--labelled", str(labelled))):
        done = site.operate("models", "test", "names/v1", *words, place)
        assert done.returncode != 0
        assert "Person" not in told(done)
