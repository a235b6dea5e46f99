"""With the network cut the service starts and answers, and it never tries to leave the machine."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.site import SENTENCE, Site, clean_environ

TELEMETRY_SECONDS = 14  # onnxruntime's own first attempt was measured at 9.4 s

# What belongs to a connected run means nothing beside a licence.
ONLINE = ("Billing=http://192.0.2.1", "ApiKey=0123456789abcdef", "HTTP_PROXY=http://192.0.2.1:3128")

CLIENT = """
import json, sys, time, urllib.request
log, seconds, sentence = sys.argv[1], float(sys.argv[2]), sys.argv[3]
for _ in range(600):
    text = open(log, errors="replace").read()
    if " ready: " in text:
        url = text.partition(" ready: ")[2].split()[0]
        break
    time.sleep(0.1)
body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": sentence}]}}
url += "/language/:analyze-text?api-version=2023-04-01"
request = urllib.request.Request(url, json.dumps(body).encode())
deadline = time.time() + seconds
while True:
    reply = json.load(urllib.request.urlopen(request))
    if time.time() > deadline:
        break
    time.sleep(1)
print(json.dumps(reply))
"""


def have(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


@pytest.mark.e2e
@pytest.mark.boot
@pytest.mark.skipif(not have("unshare", "strace", "ip"), reason="needs unshare, strace and ip (iproute2)")
def test_with_the_network_cut_it_answers_and_never_tries_to_leave(site: Site, tmp_path: Path) -> None:
    probe = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("this user may not make a network namespace")
    site.issue()
    trace, log, client = tmp_path / "trace", tmp_path / "log", tmp_path / "client.py"
    client.write_text(CLIENT)
    traced = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace)]
    service = " ".join(f"'{word}'" for word in [*traced, *site.command(*ONLINE)])
    caller = " ".join(
        f"'{word}'" for word in [sys.executable, str(client), str(log), str(TELEMETRY_SECONDS), SENTENCE]
    )
    script = f"ip link set lo up && {{ {service} >'{log}' 2>&1 & }} && {caller}; pkill -TERM -P $!; wait"
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=90,
        env=clean_environ(),
        check=False,
    )
    assert done.returncode in (0, 143), done.stderr + log.read_text()
    entities = json.loads(done.stdout)["results"]["documents"][0]["entities"]
    assert {e["text"] for e in entities} == {"Angela Merkel", "Reuters", "Berlin"}
    attempts = [line for line in trace.read_text().splitlines() if re.search(r"AF_INET6?|sin6?_", line)]
    assert attempts == []


@pytest.mark.e2e
@pytest.mark.boot
@pytest.mark.skipif(not have("strace"), reason="needs strace")
def test_the_trace_would_see_an_attempt(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    attempt = "import socket; s = socket.socket(); s.settimeout(0.1); s.connect_ex(('127.0.0.1', 9))"
    subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(trace), sys.executable, "-c", attempt],
        check=True,
        timeout=30,
    )
    time.sleep(0.05)
    assert "AF_INET" in trace.read_text()
