"""The bundle as a file: built twice, verified with openssl, its list of parts, what its installer refuses."""

import email
import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from license.authority.authority import Authority
from tests.support.locks import environment_of, read_pins, unmet
from tests.support.paths import ROOT
from tests.system.boot.bundles import build, why_no_bundle

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
VERIFY = (
    "openssl pkeyutl -verify -rawin -pubin -inkey {key} -in SHA256SUMS -sigfile SHA256SUMS.sig"
    " && sha256sum -c --quiet --strict SHA256SUMS"
)
SCRIPTS = [ROOT / "packaging/install.sh", *sorted((ROOT / "packaging/debian").glob("p*"))]

needs_bundle = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_no_bundle()), reason=why_no_bundle()),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A signed bundle, unpacked, and the public half of the key."""

    bundle: Path
    top: Path
    words: tuple[str, ...]
    public: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    home = tmp_path_factory.mktemp("bundle")
    key, public = home / "release.pem", home / "release.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    with Authority.create(home / "authority") as vendor:
        words = ("--key", str(key), "--roots", str(vendor.roots_dir))
    bundle = build(home / "one", *words)
    with tarfile.open(bundle) as archive:
        archive.extractall(home / "unpacked", filter="data")
    top = next((home / "unpacked").iterdir())
    return Built(bundle=bundle, top=top, words=words, public=public)


def run(directory: Path, script: str) -> int:
    return subprocess.run(["sh", "-c", script], cwd=directory, capture_output=True, check=False).returncode


class TestABundle:
    pytestmark = needs_bundle

    def test_has_the_same_bytes_when_it_is_built_again(self, built: Built, tmp_path: Path) -> None:
        again = build(tmp_path, *built.words, "--wheels", str(built.top / "wheels"))
        sums = [hashlib.sha256(bundle.read_bytes()).hexdigest() for bundle in (built.bundle, again)]
        assert sums[0] == sums[1]

    @pytest.mark.parametrize("python", PYTHONS)
    def test_carries_all_that_its_wheels_need(self, built: Built, python: str) -> None:
        needs = {}
        for wheel in (built.top / "wheels").glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
                metadata = email.message_from_bytes(archive.read(name))
            key = (str(canonicalize_name(metadata["Name"])), str(metadata["Version"]))
            needs[key] = metadata.get_all("Requires-Dist") or []
        environment = environment_of(python)
        pins = read_pins(built.top / f"requirements-{python}.txt", environment)
        assert unmet(["offline-appliance"], pins, environment, lambda *key: needs[key]) == []

    def test_is_verified_by_openssl_and_any_change_is_seen(self, built: Built) -> None:
        verify = VERIFY.format(key=built.public)
        assert run(built.top, verify) == 0
        for name in ("install.sh", "SHA256SUMS"):
            file = built.top / name
            whole = file.read_bytes()
            file.write_bytes(whole + b"\n")
            assert run(built.top, verify) != 0
            file.write_bytes(whole)

    def test_names_every_wheel_in_its_list_of_parts(self, built: Built) -> None:
        sbom = json.loads((built.top / "sbom.cdx.json").read_text())
        assert sbom["bomFormat"] == "CycloneDX"
        named = {(one["name"].lower().replace("_", "-"), one["version"]) for one in sbom["components"]}
        wheels = {tuple(wheel.name.split("-")[:2]) for wheel in built.top.glob("wheels/*.whl")}
        brought = {(name.lower().replace("_", "-"), version) for name, version in wheels}
        assert {one for one in brought if one[0] != "pip"} <= named

    def test_holds_a_wheel_by_its_hash_for_each_python(self, built: Built) -> None:
        assert (built.top / "PYTHONS").read_text().split() == PYTHONS
        for python in PYTHONS:
            lines = (built.top / f"requirements-{python}.txt").read_text().splitlines()
            assert all("--hash=sha256:" in line for line in lines)
            tag = f"cp{python.replace('.', '')}"
            for name in ("onnxruntime", "numpy", "uvloop"):
                version = (
                    next(line for line in lines if line.startswith(f"{name}==")).split()[0].split("==")[1]
                )
                assert list(built.top.glob(f"wheels/{name}-{version}-{tag}-{tag}-*.whl"))

    def test_holds_a_package_that_dpkg_reads(self, built: Built) -> None:
        package = next(built.top.glob("offline-appliance_*_amd64.deb"))
        said = subprocess.run(
            ["dpkg-deb", "--info", package], capture_output=True, text=True, check=True
        ).stdout
        assert "Package: offline-appliance" in said
        assert "python3 (>= 3.11~), python3 (<< 3.12~)" in said
        files = subprocess.run(
            ["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True
        ).stdout
        owners = {line.split()[1] for line in files.splitlines()}
        assert owners == {"root/root"}
        assert "drwx------ root/root         0" in next(
            line for line in files.splitlines() if line.endswith("./etc/appliance/credentials/")
        )

    def test_refuses_a_python_that_it_has_no_wheels_for(self, built: Built, tmp_path: Path) -> None:
        old = tmp_path / "python3.9"
        old.write_text("#!/bin/sh\necho 3.9\n")
        old.chmod(0o755)
        words: list[str | Path] = [
            "sh",
            built.top / "install.sh",
            "--prefix",
            tmp_path / "prefix",
            "--no-units",
            "--python",
            old,
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert f"is Python 3.9, and this bundle has wheels for {' '.join(PYTHONS)}" in done.stderr
        assert "hint: " in done.stderr
        assert not (tmp_path / "prefix").exists()

    def test_damaged_on_the_way_is_not_installed(self, built: Built, tmp_path: Path) -> None:
        wheel = next(built.top.glob("wheels/click-*.whl"))
        whole = wheel.read_bytes()
        wheel.write_bytes(whole[:-1])
        words: list[str | Path] = [
            "sh",
            built.top / "install.sh",
            "--prefix",
            tmp_path / "prefix",
            "--no-units",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        wheel.write_bytes(whole)
        assert done.returncode == 1
        assert "files of this bundle are damaged" in done.stderr
        assert not (tmp_path / "prefix").exists()


def test_the_installer_refuses_what_it_does_not_know() -> None:
    done = subprocess.run(
        ["sh", ROOT / "packaging/install.sh", "--force"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--uninstall" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_read_by_the_plainest_shell(script: Path) -> None:
    shell = shutil.which("dash") or "sh"
    checked = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
