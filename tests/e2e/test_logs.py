"""Logs of a real run: JSON on disk with request ids, and never a word of a document."""

import json

import pytest

from tests.support.site import SENTENCE, VERSION, Site

pytestmark = pytest.mark.e2e


def test_the_log_on_disk_is_json_and_holds_no_text(site: Site) -> None:
    site.issue()
    service = site.start(
        "Logging:Disk:Format=json",
        "Logging:LogLevel:Default=Trace",
        "Logging:Console:LogLevel:Default=Information",
    )
    bodies = [
        {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}},
        {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "Merkel", "text": 5}]}},
        {"kind": SENTENCE},
    ]
    with service.client() as client:
        for body in bodies:
            client.post("/language/:analyze-text", params=VERSION, json=body)
    assert service.stop() == 0
    (file,) = site.output.glob("customner/*/logs/customner.json")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert any(line["message"].startswith("ready: ") for line in lines)
    assert any(line["message"] == f"Now listening on: {service.url}" for line in lines)
    for text in (file.read_text(), service.text()):
        assert "Merkel" not in text
        assert "Reuters" not in text


def test_a_disk_log_without_an_output_mount_is_a_wrong_setting(site: Site) -> None:
    site.issue()
    words = [
        word for word in site.command("Logging:Disk:Format=json") if not word.startswith("Mounts:Output")
    ]
    import subprocess

    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "Logging:Disk:Format=json needs an output mount" in done.stderr


def test_a_format_that_is_not_known_is_refused(site: Site) -> None:
    done = site.run("Logging:Disk:Format=xml")
    assert done.returncode == 78
    assert "expected json" in done.stderr
