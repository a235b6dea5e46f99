"""The operators' page over HTTP: who may ask, what is told, and what it changes; a real service each time."""

import csv
import hashlib
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.products import SPEECH_TO_TEXT
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.evidence.verify.verify import verify
from license.licenses.request import open_request
from license.trust.roots import load_roots
from tests.support import disks
from tests.support.operators import CALLER, KEYS, OPERATOR, answer, notes, operator, refusal, told
from tests.support.paths import ENGLISH
from tests.support.site import SENTENCE, Service, Site

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[tuple[Site, Service]]:
    site = Site(tmp_path_factory.mktemp("admin") / "site", vendor)
    site.issue(meters={TEXT_RECORDS: 1_000})
    service = site.start(*KEYS)
    yield site, service
    site.close()


def test_there_is_no_such_page_without_an_operators_key(site: Site) -> None:
    site.issue()
    service = site.start(f"ApiKeys:one={CALLER}")
    with service.client(headers={"Ocp-Apim-Subscription-Key": CALLER}) as client:
        assert client.get("/admin").status_code == 404
        assert client.get("/admin/api/overview").status_code == 404
    assert service.stop() == 0


def test_an_operators_key_without_access_control_is_refused_at_start(site: Site) -> None:
    site.issue()
    done = site.run(f"OperatorKeys:Ada={OPERATOR}")
    assert done.returncode == 78
    assert "OperatorKeys need access control" in done.stderr
    assert OPERATOR not in done.stderr


def test_the_overview_says_how_the_service_stands(opened: tuple[Site, Service]) -> None:
    with operator(opened[1]) as client:
        assert answer(client).status_code == 200
        body = told(client, "overview")
        assert body["apiStatus"] == "Valid"
        first, second = body["words"]["license"]
        assert first.startswith("The licence ends on ")
        assert first.endswith(" days.")
        assert "requests are refused; records, export and installing a licence keep working" in second
        assert body["words"]["report"].startswith("The next usage report is due on ")
        (plan,) = body["words"]["plan"]
        assert " of 1,000 TextRecords are used (0 %), until " in plan
        assert body["ledger"]["healthy"]
        assert body["ledger"]["reserve"]
        assert body["ledger"]["freeBytes"] > 0
        assert body["clock"]["state"] == "ok"
        assert "seen" not in body["clock"]
        assert body["connections"]["open"] >= 1
        assert body["memory"]["resident"] > 50 << 20
        (model,) = told(client, "models")["models"]
        assert (model["project"], model["deployment"], model["state"]) == ("demo", "production", "ready")
        assert model["bytes"] == sum(path.stat().st_size for path in ENGLISH.iterdir())
        assert model["changed"]
        assert (model["measure"], model["percent"]) == ("F1", 72.1)
        assert model["scoredOn"] == "mean of six held-out sets of English"
        card = client.get("/admin/api/models/card", params={"project": "demo", "deployment": "production"})
        assert card.text == (ENGLISH / "MODEL_CARD.md").read_text()
        none = client.get("/admin/api/models/card", params={"project": "x", "deployment": "y"})
        assert refusal(none) == (404, "ModelCardNotFound")


def test_a_speech_service_has_the_page_too(site: Site) -> None:
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
    service = site.start("Service=speechtotext", *KEYS)
    with operator(service) as client:
        assert "of 1,000 AudioSeconds are used" in told(client, "overview")["words"]["plan"][0]
        (model,) = told(client, "models")["models"]
        assert model["bytes"] > 1 << 20
        assert model["card"]
        assert (model["measure"], model["percent"] > 0) == ("WER", True)
        assert client.post("/admin/api/support").status_code == 200
    assert service.stop() == 0


def test_the_hour_counts_answers_and_not_those_who_look_at_the_service(opened: tuple[Site, Service]) -> None:
    with operator(opened[1]) as client:
        before = sum(point["requests"] for point in told(client, "history")["points"])
        for _ in range(3):
            assert answer(client).status_code == 200
            client.get("/status")
        points = told(client, "history")["points"]
    assert sum(point["requests"] for point in points) == before + 3
    assert points[-1]["memory"] > 50 << 20
    assert points[-1]["connections"] >= 1


def test_the_log_is_told_without_anybodys_text(opened: tuple[Site, Service]) -> None:
    with operator(opened[1]) as client:
        lines = told(client, "log")["lines"]
    assert any(line["message"].startswith("Now listening on") for line in lines)
    assert {"timestamp", "level", "category", "message"} <= set(lines[0])
    assert SENTENCE not in json.dumps(lines)
    assert OPERATOR not in json.dumps(lines)


def test_usage_is_told_by_month_and_as_a_table(opened: tuple[Site, Service]) -> None:
    with operator(opened[1]) as client:
        assert answer(client).status_code == 200
        rows = told(client, "usage")["rows"]
        assert [row["month"] for row in rows] == [time.strftime("%Y-%m", time.gmtime()), "total"]
        assert rows[0]["meter"] == TEXT_RECORDS
        assert rows[0]["quantity"] == rows[1]["quantity"] >= 1
        table = client.get("/admin/api/usage.csv")
        assert table.headers["Content-Disposition"] == 'attachment; filename="usage.csv"'
        (day,) = csv.DictReader(io.StringIO(table.text))
        assert int(float(day["ConsumedQuantity"])) == rows[0]["quantity"]


def test_the_export_that_leaves_is_the_one_that_was_shown(
    opened: tuple[Site, Service], tmp_path: Path
) -> None:
    site, service = opened
    with operator(service) as client:
        assert answer(client).status_code == 200
        assert refusal(client.get(f"/admin/api/export/{'0' * 64}")) == (404, "ExportNotFound")
        shown = client.post("/admin/api/export").json()
        assert answer(client).status_code == 200, "usage goes on meanwhile"
        taken = client.get(f"/admin/api/export/{shown['sha256']}")
    assert taken.headers["Content-Type"] == "application/zip"
    assert hashlib.sha256(taken.content).hexdigest() == shown["sha256"]
    assert len(taken.content) == shown["bytes"]
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        for info in archive.infolist():
            assert f"==> {info.filename}  {info.file_size:,} bytes" in shown["text"]
            assert archive.read(info).decode().replace("\r\n", "\n").rstrip("\n") in shown["text"]
    (tmp_path / "usage.zip").write_bytes(taken.content)
    assert verify(tmp_path / "usage.zip", load_roots(site.vendor.roots_dir)).exit_code == 0
    journal = next(site.output.rglob("exports.jsonl")).read_text().splitlines()
    last = json.loads(journal[-1])
    assert (last["sha256"], last["note"]) == (shown["sha256"], "from the page, by ada")


def test_a_renewal_is_carried_through_the_page_alone(site: Site, tmp_path: Path) -> None:
    site.issue(meters={TEXT_RECORDS: 1_000})
    service = site.start(*KEYS)
    with operator(service) as client:
        request = client.get("/admin/api/license/request")
        assert request.headers["Content-Disposition"] == 'attachment; filename="request.note"'
        assert open_request(request.content).product == "ner"
        before = told(client, "overview")["license"]
        site.issue(into=tmp_path / "answer", meters={TEXT_RECORDS: 5_000})
        upload = notes(tmp_path / "answer")
        dry = client.post("/admin/api/license/check", content=upload).json()
        changed = {row["what"]: (row["now"], row["then"]) for row in dry["changes"] if row["changed"]}
        assert changed["included units"] == ("1,000 TextRecords", "5,000 TextRecords")
        assert not dry["same"]
        assert told(client, "overview")["license"] == before, "a look changes nothing"

        done = client.post("/admin/api/license/install", content=upload.replace(b"\n", b"\r\n"))
        assert done.json()["inForce"], done.text
        after = told(client, "overview")
        assert after["license"]["serial"] > before["serial"]
        assert after["plan"]["meters"][0]["included"] == 5_000
        assert any("installed by operator ada" in line["message"] for line in told(client, "log")["lines"])
        again = client.post("/admin/api/license/check", content=upload).json()
        assert again["same"]
    assert (site.license / "license.note").read_bytes() == (tmp_path / "answer/license.note").read_bytes()
    assert service.stop() == 0


def test_a_directory_that_is_closed_to_the_service_leaves_the_command(
    opened: tuple[Site, Service], tmp_path: Path
) -> None:
    site, service = opened
    site.issue(into=tmp_path / "answer")
    (site.license / "license.note").rename(tmp_path / "kept")
    (site.license / "license.note").mkdir()
    try:
        with operator(service) as client:
            reply = client.post("/admin/api/license/install", content=notes(tmp_path / "answer"))
    finally:
        (site.license / "license.note").rmdir()
        (tmp_path / "kept").rename(site.license / "license.note")
    assert refusal(reply) == (409, "Unwritable")
    assert "sudo appliance license install license.note issuer.note" in reply.json()["error"]["message"]


def test_an_expired_licence_can_be_looked_at_exported_and_renewed(site: Site, tmp_path: Path) -> None:
    soon = int(time.time()) + 4
    site.issue(changes={"expires": soon, "terminates": soon + 1, "report_by": soon + 1})
    service = site.start(*KEYS)
    with operator(service) as client:
        assert answer(client).status_code == 200
        while told(client, "overview")["apiStatus"] != "Expired":
            assert time.time() < soon + 60
            time.sleep(0.2)
        assert answer(client).status_code == 403
        body = told(client, "overview")
        assert "requests are refused" in body["words"]["license"][0]
        assert body["notices"][0]["code"] == "Expired"
        assert body["words"]["report"].startswith("A usage report was due on ")
        assert client.post("/admin/api/export").status_code == 200
        assert told(client, "usage")["rows"]
        site.issue(into=tmp_path / "answer")
        done = client.post("/admin/api/license/install", content=notes(tmp_path / "answer"))
        assert done.json()["inForce"], done.text
        assert answer(client).status_code == 200
    assert service.stop() == 0


def test_a_plan_that_is_used_up_is_said(site: Site) -> None:
    site.issue(meters={TEXT_RECORDS: 1}, overage="block")
    service = site.start(*KEYS)
    with operator(service) as client:
        assert answer(client).status_code == 200
        assert answer(client).status_code == 403
        body = told(client, "overview")
        assert body["apiStatus"] == "OutOfQuota"
        assert body["words"]["plan"][0].startswith("1 of 1 TextRecords are used (100 %)")
        assert body["words"]["plan"][0].endswith("; then requests are refused.")
        assert told(client, "usage")["rows"]
    assert service.stop() == 0


def test_the_clock_is_confirmed_only_where_it_is_held_and_as_it_was_seen(
    opened: tuple[Site, Service],
) -> None:
    with operator(opened[1]) as client:
        for body in ("", "{}", '{"wall": "1", "uptime": 1, "boot": "x"}', "[" * 5_000):
            assert client.post("/admin/api/clock/accept", content=body).status_code in (400, 413)
        seen = {"wall": int(time.time()), "uptime": 1, "boot": "another"}
        assert refusal(client.post("/admin/api/clock/accept", json=seen)) == (409, "ClockRefusal")


def test_the_support_archive_holds_no_key(opened: tuple[Site, Service]) -> None:
    with operator(opened[1]) as client:
        reply = client.post("/admin/api/support")
    assert reply.status_code == 200, reply.text
    with tarfile.open(fileobj=io.BytesIO(reply.content)) as archive:
        files = {}
        for member in archive:
            file = archive.extractfile(member)
            files[member.name] = b"" if file is None else file.read()
    assert {"appliance-doctor/doctor.txt", "appliance-doctor/settings.json"} <= set(files)
    assert CALLER.encode() not in b"".join(files.values())
    assert OPERATOR.encode() not in b"".join(files.values())


@pytest.fixture
def small_disk(tmp_path: Path, vendor: Authority) -> Iterator[Site]:
    disks.require_mounts()
    site = Site(tmp_path / "small", vendor)
    yield site
    site.close()


def test_a_full_disk_is_said_and_the_export_still_leaves(small_disk: Site, tmp_path: Path) -> None:
    site = small_disk
    with disks.tmpfs(site.output, megabytes=24):
        site.issue()
        service = site.start(*KEYS)
        with operator(service) as client:
            assert answer(client).status_code == 200
            disks.fill(site.output / "filler")
            deadline = time.monotonic() + 60
            while answer(client).status_code != 503:
                assert time.monotonic() < deadline
            body = told(client, "overview")
            assert not body["ledger"]["healthy"]
            assert body["ledger"]["lowSpace"]
            shown = client.post("/admin/api/export")
            assert shown.status_code == 200, shown.text
            assert client.get(f"/admin/api/export/{shown.json()['sha256']}").status_code == 200
            site.issue(into=tmp_path / "answer", meters={TEXT_RECORDS: 5})
            checked = client.post("/admin/api/license/check", content=notes(tmp_path / "answer"))
            assert checked.status_code == 200, checked.text
        service.kill()
