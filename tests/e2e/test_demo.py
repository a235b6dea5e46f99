"""The newcomer's two commands end well and say what they did."""

import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.support.forked_process import run_forked_text
from tests.support.paths import ROOT
from tests.support.site import clean_environ


def demo(*words: str, home: Path) -> "subprocess.CompletedProcess[str]":
    environ = clean_environ() | {"HOME": str(home), "TMPDIR": str(home)}
    return run_forked_text("appliance", ["demo", "--port", "0", *words], environ=environ)


@pytest.mark.e2e
def test_the_tour_shows_licence_entities_usage_and_audit_and_cleans_up(tmp_path: Path) -> None:
    done = demo("--once", home=tmp_path)
    assert done.returncode == 0, done.stderr
    for expected in ("Demo customer", "Marie Duval", "TextRecords", "verif", "http://127.0.0.1:"):
        assert expected in done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("appliance-demo-*")) == []


@pytest.mark.e2e
def test_the_tour_of_the_speech_service_hears_the_recording_that_comes_with_it(tmp_path: Path) -> None:
    done = demo("--once", "--speech", home=tmp_path)
    assert done.returncode == 0, done.stderr
    for expected in (
        "example.wav  He might even have been made amiable himself.",
        "AudioSeconds  4",
        "4 seconds of audio",
        "verified: ",
        "curl --data-binary @FILE.wav",
    ):
        assert expected in done.stdout


@pytest.mark.e2e
def test_a_model_of_ones_own_is_tried_without_a_vendor(tmp_path: Path) -> None:
    folder = ROOT / "appliance" / "bundled" / "ner-en"
    done = demo("--once", "--json", f"Mounts:Model={folder}", "ProjectName=own", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["answers"]) == 6


@pytest.mark.e2e
def test_a_setting_that_nothing_reads_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = demo("Mounts:Modell=x", home=tmp_path)
    assert done.returncode == 78
    assert "Mounts:Modell" in done.stderr


def test_a_port_that_is_taken_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = demo("--once", "--port", str(port), "--home", str(tmp_path / "home"), home=tmp_path)
    assert done.returncode == 1
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])
    error, hint = done.stderr.splitlines()
    assert error == f"error: port {port} is taken"
    assert "--port" in hint


@pytest.mark.slow
@pytest.mark.e2e
def test_one_json_object_can_be_asked_for_and_a_home_used_again(tmp_path: Path) -> None:
    for turn in (1, 2):
        done = demo("--once", "--json", "--home", str(tmp_path / "home"), home=tmp_path)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert len(shown["answers"]) == 6
        assert shown["usage"]["meters"][0]["quantity"] == 6 * turn
        assert shown["audit"]["exit_code"] == 0
        assert shown["license"]["state"] == "Valid"
    assert (tmp_path / "home" / "license" / "license.note").exists()


@pytest.mark.e2e
def test_it_serves_until_interrupted_and_then_ends_in_order(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "appliance", "demo", "--port", "0", "--home", str(tmp_path / "home")]
    url = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environ()) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready: "):
                url = line.split()[1]
                break
        with urllib.request.urlopen(f"{url}/ready", timeout=5) as reply:  # noqa: S310
            assert reply.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        watchdog.cancel()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{url}/ready", timeout=5)  # noqa: S310
