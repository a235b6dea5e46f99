"""The units on a booted system: what only a running systemd shows."""

import json
import time
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.support.site import SENTENCE
from tests.system.boot.conftest import VENV, Container, install_tree

pytestmark = [pytest.mark.e2e, pytest.mark.boot]

BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
ASK = (
    "curl -sSf -m 60 -H 'Content-Type: application/json' --data @/srv/body.json "
    "'http://127.0.0.1:5000/language/:analyze-text?api-version=2023-04-01'"
)
WATCHDOG = "[Service]\nWatchdogSec=4s\n"


def found(answer: str) -> set[str]:
    entities = json.loads(answer)["results"]["documents"][0]["entities"]
    return {entity["text"] for entity in entities}


def licensed(container: Container, home: Path) -> None:
    """Install, and let the download unit bring a licence from a vendor on the container's own loopback."""
    install_tree(container)
    container.write("/srv/body.json", json.dumps(BODY))
    container.write("/etc/systemd/system/appliance.service.d/test.conf", WATCHDOG)
    with Authority.create(home / "authority") as vendor:
        for root in vendor.roots_dir.glob("*.vkey"):
            container.write(f"/etc/appliance/roots.d/{root.name}", root.read_text())
        key = vendor.create_resource(
            customer="Test", product="ner", tier="DC0", meters={TEXT_RECORDS: 1_000_000}
        ).key1
    container.copy(home / "authority", "/srv/authority")
    the_download_unit_brings_a_licence(container, key)


@pytest.mark.timeout(600)
def test_the_units_on_a_booted_system(container: Container, tmp_path: Path) -> None:
    licensed(container, tmp_path)
    the_first_request_starts_the_service(container)
    the_exposure_is_small(container)
    a_restart_under_load_drops_no_request(container, restarts=2)
    a_hung_service_is_restarted(container, times=1)
    the_sandbox_holds(container)
    the_doctor_finds_nothing_that_fails(container)
    a_caller_needs_a_key_where_one_is_set(container)
    every_command_of_the_runbooks_works(container, tmp_path)
    a_second_instance_lives_beside_the_first(container, tmp_path)
    the_ledger_verifies(container)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_stops_under_load_and_twenty_hung_loops(container: Container, tmp_path: Path) -> None:
    licensed(container, tmp_path)
    the_first_request_starts_the_service(container)
    a_restart_under_load_drops_no_request(container, restarts=100)
    a_hung_service_is_restarted(container, times=20)
    the_ledger_verifies(container)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_failed_disk_is_checked_and_mounted_anew_under_the_running_service(
    container: Container, tmp_path: Path
) -> None:
    licensed(container, tmp_path)
    container.run("systemctl start appliance.socket appliance.service; systemctl stop appliance.service")
    output = "/var/lib/private/appliance/output"
    mount = f"mount -o loop,errors=remount-ro /srv/image {output}"
    # The image of an nspawn container has no loop devices in its /dev.
    device = container.run(
        "set -e; for n in 0 1 2 3 4 5 6 7; do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done; "
        "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237; truncate -s 64M /srv/image; "
        "mkfs.ext4 -q -E lazy_itable_init=0,nodiscard /srv/image; "
        f"mv {output} /srv/before; mkdir {output}; {mount}; cp -a /srv/before/. {output}; sync; "
        f"chown --reference=/var/lib/private/appliance {output}; chmod 0700 {output}; "
        f"systemctl start appliance.service; findmnt -no SOURCE {output}",
    ).stdout
    assert found(container.run(ASK).stdout) >= {"Berlin"}
    process = container.show("MainPID")
    (Path("/sys/fs/ext4") / Path(device.strip()).name / "trigger_fs_error").write_text("1")
    assert container.run(ASK, check=False).returncode, "nothing is answered that cannot be recorded"
    # The service lets go of its files once it has noticed; fsck says 1 where it mended something.
    container.run(
        f"for n in $(seq 20); do umount {output} && break; sleep 0.5; done; fsck.ext4 -p -f /srv/image; "
        f"[ $? -le 1 ] && sleep 3 && ls -A {output} && {mount} && sleep 2"
    )
    assert found(container.run(ASK).stdout) >= {"Berlin"}
    assert container.show("MainPID") == process
    the_ledger_verifies(container)


def the_download_unit_brings_a_licence(container: Container, key: str) -> None:
    container.run(
        f"systemd-run -q --unit=authority {VENV}/bin/license serve --home /srv/authority --port 8080"
    )
    container.write(
        "/etc/appliance/download.env", f"Billing=http://127.0.0.1:8080\nApiKey={key}\n", mode="0600"
    )
    container.run(
        "for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8080/ && break; sleep 0.1; done; "
        "systemctl start appliance-download && systemctl stop authority"
    )
    notes = container.run("ls /etc/appliance/license").stdout.split()
    assert {"license.note", "issuer.note"} <= set(notes)
    assert key not in container.journal()


def the_first_request_starts_the_service(container: Container) -> None:
    container.run("systemctl enable --now appliance.socket")
    assert container.show("ActiveState") == "inactive"
    assert found(container.run(ASK).stdout) >= {"Berlin"}
    assert container.show("ActiveState") == "active"
    assert container.show("StatusText").startswith("serving on http://127.0.0.1:5000")


def the_exposure_is_small(container: Container) -> None:
    container.run("systemd-analyze security --threshold=5 --no-pager appliance.service")


def a_caller_needs_a_key_where_one_is_set(container: Container) -> None:
    container.write("/etc/appliance/credentials/ApiKeys__first", "a-key-of-tests\n", mode="0600")
    container.run("systemctl restart appliance.service")
    assert container.run(ASK, check=False).returncode, "no key, no answer"
    assert found(container.run(f"{ASK} -H 'Ocp-Apim-Subscription-Key: a-key-of-tests'").stdout) >= {"Berlin"}
    assert "a-key-of-tests" not in container.journal()
    container.run("rm /etc/appliance/credentials/ApiKeys__first; systemctl restart appliance.service")


def every_command_of_the_runbooks_works(container: Container, home: Path) -> None:
    container.run(f"ln -s {VENV}/bin/appliance /usr/local/bin/appliance; mkdir -p /media/usb")
    bring_delivery(container, home)
    for page in ("backup", "clock", "renewal", "export", "new-hardware", "disk-full", "key-rotation"):
        lines = (ROOT / "docs/runbooks" / f"{page}.md").read_text().splitlines()
        script = "\n".join(line[4:] for line in lines if line.startswith("    "))
        done = container.run(f"set -e -o pipefail\n{script}", check=False)
        assert done.returncode == 0, (
            f"{page}.md: {done.stdout[-2000:]}{done.stderr}{container.journal()[-1500:]}"
        )
    # The last one took the machine's key away: with a licence for the new one it serves again.
    bring_delivery(container, home)
    container.run("appliance license install /media/usb; rm /etc/appliance/credentials/*")
    container.run("systemctl restart appliance.socket appliance.service")
    assert found(container.run(ASK).stdout) >= {"Berlin"}


def a_second_instance_lives_beside_the_first(container: Container, home: Path) -> None:
    several, _, shared_port = (ROOT / "systemd/README.md").read_text().partition("## Several on one port")
    script = "\n".join(line[4:] for line in several.splitlines() if line.startswith("    "))
    drop_in = shared_port.partition("install -D -m 0644 ")[2].partition(" ")[0]
    # A bundle has its units in `share`; here they lie where the tree was copied to.
    copied = drop_in.replace("/opt/appliance/share", "/srv/tree")
    container.run(f"grep -q '^ReusePort=yes$' {copied}")
    prepare, install, enable = script.partition("appliance license install")
    container.run(f"cd /srv; set -e\n{prepare}")
    carry(container, home, request="/srv/request-5001.note")
    settings = "set -a; . /etc/appliance/5001.env; set +a"
    container.run(f"cd /srv; set -e\n{settings}\n{install}{enable}")
    assert found(container.run(ASK.replace(":5000", ":5001")).stdout) >= {"Berlin"}
    assert found(container.run(ASK).stdout) >= {"Berlin"}, "the first goes on"
    users = {container.show("User", unit) for unit in ("appliance.service", "appliance@5001.service")}
    assert len(users) == 2
    container.run("systemctl stop appliance@5001.socket appliance@5001.service")
    container.run("appliance usage verify /var/lib/appliance-5001/output")


def bring_delivery(container: Container, home: Path) -> None:
    """Carry a request out to the vendor, and licence, issuer note and root key back in."""
    container.run("appliance license request -o /srv/request.note")
    carry(container, home, request="/srv/request.note")


def carry(container: Container, home: Path, *, request: str) -> None:
    asked = container.run(f"cat {request}").stdout.encode()
    with Authority.open(home / "authority") as vendor:
        bought = vendor.create_resource(
            customer="Test", product="ner", tier="DC0", meters={TEXT_RECORDS: 2_000_000}
        )
        issued = vendor.issue(bought.resource, asked)
        root = next(vendor.roots_dir.glob("*.vkey")).read_text()
    container.write("/media/usb/license.note", issued.note.decode())
    container.write("/media/usb/issuer.note", issued.issuer_note.decode())
    container.write("/media/usb/root-new.vkey", root)


def a_restart_under_load_drops_no_request(container: Container, *, restarts: int) -> None:
    load = container.start("exec python3 /srv/tree/tests/system/boot/caller.py 6")
    time.sleep(1)
    for _ in range(restarts):
        # Not the unit's own limit on failures: these are asked for.
        container.run("systemctl reset-failed appliance.service; systemctl restart appliance.service")
        time.sleep(0.5)
    container.run("touch /srv/enough")
    said, _ = load.communicate(timeout=90)
    outcomes = json.loads(said.splitlines()[-1])["outcomes"]
    assert set(outcomes) == {"200"}, outcomes
    assert container.show("Result") == "success"


def a_hung_service_is_restarted(container: Container, *, times: int) -> None:
    for _ in range(times):
        first = container.show("MainPID")
        container.run(f"systemctl reset-failed appliance.service; kill -STOP {first}")
        assert found(container.run(ASK).stdout) >= {"Berlin"}, "a caller waits and is answered"
        assert container.show("MainPID") != first
    assert container.journal().count("Watchdog timeout") == times


def the_sandbox_holds(container: Container) -> None:
    container.run("systemctl stop appliance.socket appliance.service")
    container.run(
        "cp -r /srv/tree/tests/system/boot /opt/probe && "
        f"sed -e 's#^ExecStart=.*#ExecStart={VENV}/bin/python /opt/probe/probe.py#' "
        "-e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^Watchdog/d' -e '/^Requires/d' -e '/^After/d' "
        "/etc/systemd/system/appliance.service > /etc/systemd/system/probe.service && "
        "systemctl daemon-reload && systemctl start probe.service"
    )
    lines = container.journal("probe.service").splitlines()
    assert sum(line.startswith("ok ") for line in lines) > 15
    assert not [line for line in lines if line.startswith("BAD")]


def the_doctor_finds_nothing_that_fails(container: Container) -> None:
    container.run("rm /etc/appliance/download.env; systemctl start appliance.socket appliance.service")
    report = json.loads(container.run(f"{VENV}/bin/appliance doctor --json").stdout)
    assert report["failed"] == 0
    passed = {one["check"] for one in report["findings"] if one["level"] == "pass"}
    assert {"trust roots", "identity", "licence", "ledger", "model", "port", "secrets"} <= passed


def the_ledger_verifies(container: Container) -> None:
    container.run("systemctl stop appliance.socket appliance.service")
    verified = container.run(f"{VENV}/bin/appliance usage verify /var/lib/appliance/output", check=False)
    assert verified.returncode == 0, verified.stdout
    errors = [
        line for line in container.journal().splitlines() if "onnxruntime" in line or "Traceback" in line
    ]
    assert errors == []
