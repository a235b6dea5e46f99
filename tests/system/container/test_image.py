"""What the image is: small, described, checked by its engine, and bound by the limits it is given."""

import json
import re

from tests.support.paths import ROOT
from tests.system.container.engine import BASE, Engine
from tests.system.container.host import Host
from tests.system.container.test_text_lines import DISCONNECTED

IMPORTS = """
import importlib, importlib.metadata as metadata
names = set()
for one in metadata.distributions():
    for file in one.files or ():
        if (len(file.parts), file.name) == (2, "__init__.py") or (len(file.parts), file.suffix) == (1, ".so"):
            names.add(file.parts[0].split(".")[0])
for name in sorted(names):
    importlib.import_module(name)
    print(name)
"""
OURS_MB = 20
"""What a release ships that changes nothing but itself."""


def test_it_says_what_it_is(podman: Engine, built: dict[str, str]) -> None:
    about = podman.inspect(built["text"])
    labels = about["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "offline-appliance"
    assert labels["org.opencontainers.image.version"] in (ROOT / "pyproject.toml").read_text()
    assert about["Config"]["User"] == "10001"
    done = podman.run(
        "run", "--rm", "--entrypoint", "cat", built["text"], "/opt/appliance/share/sbom.cdx.json"
    )
    bill = json.loads(done.stdout)
    names = {part["name"] for part in bill["components"]}
    assert {"onnxruntime", "starlette"} <= names
    assert not names & {"onnx", "hf-xet", "huggingface-hub"}


def test_the_bill_of_materials_names_the_packages_of_the_base(podman: Engine, built: dict[str, str]) -> None:
    """As dpkg has them; `purl` is what scanners for known faults go by."""
    show = "cat /opt/appliance/share/sbom.cdx.json; echo; cat /var/lib/dpkg/status"
    done = podman.run("run", "--rm", "--entrypoint", "sh", built["text"], "-c", show)
    bill, _, status = done.stdout.partition("\n\n")
    parts = {part["name"]: part for part in json.loads(bill)["components"]}
    installed = dict(re.findall(r"(?m)^Package: (.*)\n(?:.*\n)*?Version: (.*)$", status))
    assert installed.keys() <= parts.keys()
    assert parts["libc6"]["version"] == installed["libc6"]
    assert parts["libc6"]["purl"].startswith(f"pkg:deb/debian/libc6@{installed['libc6'].split('+')[0]}")
    assert parts["libc6"]["purl"].endswith("?arch=amd64&distro=debian-12")
    assert "perl-base" not in parts


def test_every_package_in_it_can_be_imported(podman: Engine, built: dict[str, str]) -> None:
    """What was left out of them they do without. Some fall back in silence, as uvicorn without uvloop."""
    done = podman.run("run", "--rm", "--entrypoint", "python", built["text"], "-c", IMPORTS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uvloop" in done.stdout
    assert "onnxruntime" in done.stdout


def test_text_and_speech_are_the_same_layers(podman: Engine, built: dict[str, str]) -> None:
    layers = [podman.inspect(built[name])["RootFS"]["Layers"] for name in ("text", "speech")]
    shared = len(podman.inspect(BASE)["RootFS"]["Layers"]) + 3
    assert layers[0][:shared] == layers[1][:shared]
    sizes = [
        int(entry["size"])
        for entry in json.loads(podman.run("history", "--format", "json", built["text"]).stdout)
    ]
    assert sorted(sizes)[-4] < OURS_MB * 1_000_000  # after base, dependencies and models


def test_the_limits_of_the_container_are_what_sessions_and_doctor_go_by(host: Host) -> None:
    """More sessions than fit are taken only if they are asked for; then log and doctor warn."""
    host.license()
    line = host.line(DISCONNECTED, 1).replace("--memory 4g --cpus 4", "--memory 512m --cpus 1")
    name, terminal = host.serve(line + " Engine:Sessions=32")
    assert "32 sessions may need more memory than there is" in terminal.text()
    said = host.engine.run("exec", name, "appliance", "doctor", check=False).stdout
    assert "1 usable core" in said
    assert "of 512 MiB" in said
    assert "for 32 sessions" in said


def test_the_health_check_follows_port_and_certificate(host: Host) -> None:
    host.license()
    # openssl of this machine; the image has none to spare.
    import subprocess

    certificate = host.home / "license" / "server.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=text", "-days", "2"]
    subprocess.run(
        [*words, "-keyout", certificate, "-out", f"{certificate}.crt"], check=True, capture_output=True
    )
    certificate.write_text(certificate.read_text() + (host.home / "license" / "server.pem.crt").read_text())
    certificate.chmod(0o644)
    line = host.line(DISCONNECTED, 1) + " Http:Port=5443 Tls:Certificate=/license/server.pem"
    name, _ = host.serve(line)
    done = host.engine.run("exec", name, *host.engine.health_check(host.images["text"]))
    assert "127.0.0.1:5443 is ready" in done.stdout


def test_training_needs_the_image_that_has_onnx(host: Host) -> None:
    host.license()
    line = host.line(DISCONNECTED, 1) + " Authoring:Enabled=True ApiKeys:one=0123456789abcdef0123456789abcdef"
    ended = host.run(line)
    assert ended.code == 1, ended.text
    assert "use the image offline-appliance/authoring" in ended.text
    assert "Traceback" not in ended.text
