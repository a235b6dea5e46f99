"""A licence's life at a running service: the way in, the renewal, the end; real processes and real HTTP."""

import json
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from license.encoding.strict import parse_time
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.forked_process import run_forked_text
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, VERSION, Service, Site, clean_environ

BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
JOBS = "/language/analyze-text/jobs"
BUNDLED = ROOT / "appliance" / "bundled" / "ner-en"


def ask(client: httpx2.Client, text: str = SENTENCE) -> httpx2.Response:
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": text}]}}
    return client.post("/language/:analyze-text", params=VERSION, json=body)


def until(claim: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def says(service: Service, words: str) -> bool:
    return words in service.text()


def starts_as_printed(site: Site, printed: str) -> None:
    """Paste the printed commands into a shell, with another port behind the last one."""
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    log = site.home / "pasted.log"
    script = " && ".join([*commands[:-1], f"exec {commands[-1]} Http:Host=127.0.0.1 Http:Port=0"])
    with log.open("wb") as output:
        process = subprocess.Popen(["sh", "-c", script], stdout=output, stderr=output, env=clean_environ())
    service = Service(process, log)
    site.running.append(service)
    service.wait_ready()
    with service.client() as client:
        assert ask(client).status_code == 200
    assert service.stop() == 0


@pytest.mark.e2e
def test_round_trip_over_http(site: Site, vendor: Authority, billing: str) -> None:
    key = vendor.create_resource(customer="Test customer", meters={TEXT_RECORDS: 12_000}).key2
    done = site.operate("license", "download", "Eula=accept", f"Billing={billing}", f"ApiKey={key}")
    assert done.returncode == 0, done.stderr
    assert "12,000 until" in done.stdout
    starts_as_printed(site, done.stdout)
    assert verify(site.output, load_roots(vendor.roots_dir)).exit_code == 0


@pytest.mark.e2e
def test_round_trip_over_http_with_a_model_package(site: Site, vendor: Authority, billing: str) -> None:
    vendor.create_line("ner-en/7")
    vendor.pack(BUNDLED, line="ner-en/7", release="1.0.0", name="ner-en", task="ner")
    created = vendor.create_resource("with-model", customer="Test customer", meters={TEXT_RECORDS: 12_000})
    vendor.grant("with-model", "ner-en/7")
    words = ("Eula=accept", f"Billing={billing}", f"ApiKey={created.key1}")
    models = f"Mounts:Model={site.home / 'models'}"
    done = site.operate("license", "download", "--model", "ner-en/7", *words, models)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Models +ner-en/7$", done.stdout, re.MULTILINE)
    assert sorted(path.suffix for path in (site.home / "models").iterdir()) == [".age", ".note", ".note"]
    starts_as_printed(site, done.stdout)
    again = site.operate("license", "download", "--model", "ner-en/8", *words, models)
    assert again.returncode != 0
    assert "ner-en/8" in again.stderr


@pytest.mark.e2e
def test_round_trip_by_files_only(site: Site, vendor: Authority, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    assert site.operate("license", "request", "-o", str(stick / "request.note")).returncode == 0
    created = vendor.create_resource(customer="Test customer", meters={TEXT_RECORDS: 12_000})
    windows = stick / "request.txt"  # it passes a jump host on its way
    windows.write_bytes(b"\xef\xbb\xbf" + (stick / "request.note").read_bytes().replace(b"\n", b"\r\n"))
    issue = [*("issue", str(windows), "--resource", created.resource.name), "--home", str(vendor.home)]
    issue += ["--out", str(stick / "delivery")]
    issued = run_forked_text("license.authority.cli.main", issue, environ=clean_environ())
    assert issued.returncode == 0, issued.stderr
    for note in (stick / "delivery").iterdir():
        note.write_bytes(b"\xef\xbb\xbf" + note.read_bytes().replace(b"\n", b"\r\n"))
    both = b"".join(note.read_bytes() for note in sorted((stick / "delivery").iterdir()))
    done = site.operate("license", "install", "-", stdin=both)
    assert done.returncode == 0, done.stderr
    starts_as_printed(site, done.stdout)
    assert verify(site.output, load_roots(vendor.roots_dir)).exit_code == 0


@pytest.mark.e2e
def test_a_licence_replaced_while_running_is_taken_over_without_a_restart(site: Site, tmp_path: Path) -> None:
    first = site.issue()
    service = site.start()
    assert service.status()["license"]["id"] == first.id
    bad = (site.license / "license.note").read_bytes().replace(b"Test customer", b"Best customer")
    (site.license / "zz.note").write_bytes(bad)
    service.reload()
    until(lambda: bool(service.status()["license"]["refused"]))
    (refused,) = service.status()["license"]["refused"]
    assert (refused["code"], Path(refused["file"]).name) == ("Forged", "zz.note")
    assert service.status()["license"]["id"] == first.id
    renewed = site.issue(into=tmp_path / "stick")
    stop, codes = threading.Event(), Counter[int]()

    def call() -> None:
        with service.client() as client:
            while not stop.is_set():
                codes[ask(client).status_code] += 1

    caller = threading.Thread(target=call)
    caller.start()
    done = site.operate("license", "install", str(tmp_path / "stick"))
    assert done.returncode == 0, done.stderr
    service.reload()
    until(lambda: bool(service.status()["license"]["id"] == renewed.id))
    stop.set()
    caller.join()
    assert set(codes) == {200}
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0


@pytest.mark.slow
@pytest.mark.e2e
def test_a_renewal_that_waits_takes_over_on_its_first_second(site: Site, tmp_path: Path) -> None:
    present = site.issue()
    service = site.start()
    begins = int(time.time()) + 12
    tolerant = present.clock.__class__(tolerance_s=0, max_gap_d=45)
    renewed = site.issue(into=tmp_path / "stick", changes={"not_before": begins, "clock": tolerant})
    assert site.operate("license", "install", str(tmp_path / "stick")).returncode == 0
    service.reload()
    until(lambda: "next" in service.status()["license"])
    assert service.status()["license"]["id"] == present.id
    time.sleep(max(0.0, begins + 0.5 - time.time()))
    service.reload()
    until(lambda: bool(service.status()["license"]["id"] == renewed.id))
    assert "next" not in service.status()["license"]


@pytest.mark.slow
@pytest.mark.e2e
def test_a_thousand_requests_across_the_end_are_served_and_recorded_or_403(site: Site) -> None:
    service = site_that_ends(site, seconds=6)
    answers: list[tuple[int, str, float]] = []

    def call(count: int) -> None:
        with service.client() as client:
            for _ in range(count):
                reply = ask(client)
                answers.append((reply.status_code, reply.headers.get("Usage-Record", ""), time.time()))
                time.sleep(0.01)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, [125] * 8))
        while not any(code == 403 for code, _, _ in answers):  # a machine too fast: the end is still ahead
            list(callers.map(call, [125] * 8))
    end = json.loads(site.operate("license", "show", "--json").stdout)["license"]["terminates"]
    codes = Counter(code for code, _, _ in answers)
    assert set(codes) == {200, 403}, codes
    assert sum(codes.values()) >= 1_000
    served = {receipt for code, receipt, _ in answers if code == 200}
    assert len(served) == codes[200]
    assert "" not in served
    with service.client() as client:
        refused = ask(client)
        assert refused.status_code == 403
        assert refused.json()["error"]["innererror"]["code"] == "Expired"
        assert end in refused.text
        usage = client.get("/records/usage-logs/").json()
        assert client.get("/ready").status_code == 503
    assert usage["meters"][0]["quantity"] == codes[200]
    assert service.status()["apiStatus"] == "Expired"
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0
    assert [f.code for f in report.findings if f.code in ("expired", "grace")] == []


def site_that_ends(site: Site, *, seconds: int, grace: int = 0) -> Service:
    """Start a service whose licence ends soon; at least half of those seconds are left."""
    site.issue()
    service = (
        site.start()
    )  # the first start makes ledger and caches; the short licence then counts from ready
    while True:
        end = int(time.time()) + seconds
        short = site.issue(changes={"expires": end, "terminates": end + grace, "report_by": end})
        service.reload()
        while service.status()["license"]["id"] != short.id and time.time() < end:
            time.sleep(0.05)
        if end - time.time() > seconds / 2:
            return service
        seconds *= 2  # a busy machine: most of the time was spent on putting it in force


@pytest.mark.e2e
def test_grace_serves_with_a_warning_and_marked_entries_then_ends_and_is_renewed(
    site: Site, tmp_path: Path
) -> None:
    service = site_that_ends(site, seconds=6, grace=12)
    with service.client() as client:
        assert "Warning" not in ask(client).headers
        until(lambda: bool(service.status()["license"]["state"] == "Grace"))
        reply = ask(client)
        assert reply.status_code == 200
        assert re.match(r'299 - "the licence expired at .*requests are refused', reply.headers["Warning"])
        documents = {"documents": [{"id": "1", "text": SENTENCE}]}
        tasks = [{"kind": "EntityRecognition"}]
        job = client.post(JOBS, params=VERSION, json={"analysisInput": documents, "tasks": tasks})
        assert job.headers["Warning"] == reply.headers["Warning"]
        assert client.get(job.headers["operation-location"]).headers["Warning"] == reply.headers["Warning"]
        until(lambda: bool(service.status()["license"]["state"] == "Expired"))
        assert ask(client).status_code == 403
        assert client.get("/records/usage-logs/").status_code == 200
        assert site.operate("license", "show").returncode == 0
        assert site.operate("license", "check").returncode == 78
        site.issue(into=tmp_path / "stick")
        assert site.operate("license", "install", str(tmp_path / "stick")).returncode == 0
        service.reload()
        until(lambda: ask(client).status_code == 200)
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0
    entries = site.output.rglob("ledger-1.db")
    assert any(b'"g":1' in path.read_bytes() for path in entries)


@pytest.mark.e2e
def test_a_renewal_in_the_middle_of_the_grace_loses_and_mismarks_nothing(site: Site, tmp_path: Path) -> None:
    service = site_that_ends(site, seconds=2, grace=600)
    until(lambda: bool(service.status()["license"]["state"] == "Grace"))
    stop, codes, warned = threading.Event(), Counter[int](), Counter[bool]()

    def call() -> None:
        with service.client() as client:
            while not stop.is_set():
                reply = ask(client, SENTENCE * 60)
                codes[reply.status_code] += 1
                warned["Warning" in reply.headers] += 1

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    until(lambda: warned[True] > 0)
    renewed = site.issue(into=tmp_path / "stick")
    assert site.operate("license", "install", str(tmp_path / "stick")).returncode == 0
    service.reload()
    until(lambda: bool(service.status()["license"]["id"] == renewed.id))
    until(lambda: warned[False] > 0)
    stop.set()
    for caller in callers:
        caller.join()
    assert set(codes) == {200}
    assert set(warned) == {True, False}
    assert service.stop() == 0
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert [(finding.code, finding.message) for finding in report.findings if finding.code == "grace"] == []
    assert report.exit_code == 0


@pytest.mark.e2e
def test_a_service_whose_licence_ended_starts_again_with_its_records_open(site: Site) -> None:
    service = site_that_ends(site, seconds=3)
    until(lambda: bool(service.status()["license"]["state"] == "Expired"))
    assert service.stop() == 0
    again = site.start()
    with again.client() as client:
        assert ask(client).status_code == 403
        assert client.get("/records/usage-logs/").status_code == 200
        assert again.status()["apiStatus"] == "Expired"
        assert "expired at" in again.status()["apiStatusMessage"]
        site.issue()
        again.reload()
        until(lambda: ask(client).status_code == 200)


@pytest.mark.e2e
def test_an_admitted_task_is_finished_past_the_end_and_a_later_one_is_refused(site: Site) -> None:
    service = site_that_ends(site, seconds=5)
    documents = [{"id": str(n), "language": "en", "text": SENTENCE * 40} for n in range(10)]
    tasks = [{"kind": "EntityRecognition", "taskName": f"task {n}"} for n in range(6)]
    replies: list[httpx2.Response] = []
    with service.client() as client:
        body = {"analysisInput": {"documents": documents}, "tasks": tasks}
        while parse_time(service.status()["license"]["terminates"]) - time.time() > 2:
            time.sleep(0.1)
        while not replies or replies[-1].status_code == 202:  # across the end, with some waiting
            replies.append(client.post(JOBS, params=VERSION, json=body))
            time.sleep(0.5)
    refused = [reply.json()["error"]["innererror"]["code"] for reply in replies if reply.status_code != 202]
    succeeded = 0
    with service.client() as client:
        for reply in replies:
            location = reply.headers.get("operation-location", "")
            while location and (job := client.get(location).json())["status"] in ("running", "notStarted"):
                time.sleep(0.1)
            if location:
                succeeded += job["tasks"]["completed"]
                refused += [error["code"] for error in job["errors"]]
        usage = client.get("/records/usage-logs/").json()
    assert succeeded >= 1
    assert set(refused) == {"Expired"}, "the end came in the middle"
    assert usage["meters"][0]["quantity"] == succeeded * sum(-(-len(d["text"]) // 1_000) for d in documents)
    assert verify(site.output, load_roots(site.vendor.roots_dir)).exit_code in (0, 1)


@pytest.mark.e2e
def test_a_plan_that_blocks_answers_403_at_its_limit_and_more_units_open_it(site: Site) -> None:
    site.issue(meters={TEXT_RECORDS: 10}, overage="block")
    service = site.start()
    with service.client() as client:
        with ThreadPoolExecutor(4) as callers:
            codes = Counter(reply.status_code for reply in callers.map(lambda _: ask(client), range(30)))
        assert codes == {200: 10, 403: 20}
        refused = ask(client)
        assert refused.json()["error"]["innererror"]["code"] == "OutOfQuota"
        assert client.get("/records/usage-logs/").json()["meters"][0]["quantity"] == 10
        body = service.status()
        assert (body["plan"]["meters"][0]["used"], body["plan"]["meters"][0]["percent"]) == (10, 100)
        assert "Quota" in [notice["code"] for notice in body["notices"]]
        assert body["apiStatus"] == "OutOfQuota"
        ready = client.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["message"].startswith("OutOfQuota: the plan's 10 units of ")
        service.reload()
        until(lambda: "are refused with 403 OutOfQuota" in service.text())
        site.issue(meters={TEXT_RECORDS: 15}, overage="block")
        service.reload()
        until(lambda: ask(client).status_code == 200)
        assert client.get("/ready").status_code == 200
        assert service.status()["apiStatus"] == "Valid"
        codes = Counter(ask(client).status_code for _ in range(8))
        assert codes == {200: 4, 403: 4}


@pytest.mark.e2e
def test_a_plan_that_records_warns_and_goes_on(site: Site) -> None:
    site.issue(meters={TEXT_RECORDS: 10})
    service = site.start()
    with service.client() as client:
        for announced in (8, 9, 10):
            while service.status()["plan"]["meters"][0]["used"] < announced:
                assert ask(client).status_code == 200
            service.reload()
            said = f"{announced} of the 10 units"
            until(partial(says, service, said))
        assert ask(client).status_code == 200
    assert service.status()["plan"]["meters"][0]["percent"] == 110


@pytest.mark.e2e
def test_terms_in_whole_days_expire_as_the_vendor_issued_them(site: Site) -> None:
    found = site.issue(terms=Terms(days=20, grace_days=3, report_days=10))
    service = site.start()
    body = service.status()
    assert body["license"]["state"] == "Expiring"
    assert body["apiStatus"] == "Valid"
    assert body["license"]["daysLeft"] == 20
    assert [notice["code"] for notice in body["notices"]] == ["Expiring", "ReportDue"]
    assert found.terminates > found.expires
    until(lambda: re.search(r"the licence ends on .*, in 20 days", service.text()) is not None)
