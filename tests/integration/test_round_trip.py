"""From the vendor's first command to a model opened on the machine, over real HTTP and by files alone."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from license.authority.authority import Authority
from license.authority.cli.main import main
from license.authority.http.app import make_app
from license.client.licenses import download_license
from license.client.packages import download_package, list_models
from license.crypto.ed25519 import SigningKey, load_signing_key
from license.crypto.hpke import HpkeKey
from license.errors import EpochTooLow, NoModelKey, WrongMachine
from license.licenses.directory import load_directory, save_license
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.verify import AuthenticLicense
from license.models.keys import identity_for
from license.models.package import open_package, read_manifest
from license.trust.roots import load_roots

METER = "CognitiveServices.Ner.Container.TextRecords"
FIRST, SECOND = {"model.onnx": b"first" * 99}, {"model.onnx": b"second" * 99}


def write_model(directory: Path, content: dict[str, bytes]) -> Path:
    directory.mkdir()
    for name, data in content.items():
        (directory / name).write_bytes(data)
    return directory


class Machine:
    """The isolated side: its keys, the roots it was installed with, and what it has seen."""

    def __init__(self, home: Path, roots: Path) -> None:
        self.licenses, self.models = home / "license", home / "models"
        for directory in (self.licenses, self.models):
            directory.mkdir(parents=True)
        shutil.copytree(roots, home / "roots.d")
        self.roots = load_roots(home / "roots.d")
        self.key = SigningKey.generate("offline-appliance/instance")
        self.hpke = HpkeKey.generate()
        self.epoch = self.serial = 0

    @property
    def vkey(self) -> str:
        return self.key.verifying.vkey

    def request(self, now: int) -> bytes:
        wanted = LicenseRequest(
            instance=self.vkey, product="ner", software="test 1", created=now, hpke=self.hpke.public
        )
        return sign_request(wanted, self.key)

    def license(self) -> AuthenticLicense:
        found = load_directory(
            self.licenses,
            roots=self.roots,
            product="ner",
            instance_vkey=self.vkey,
            min_serial=self.serial,
            min_epoch=self.epoch,
        )
        self.serial, self.epoch = found.license.serial, found.delegation.epoch
        return found

    def open(self, name: str) -> dict[str, bytes]:
        licence = self.license()
        manifest = read_manifest(self.models / name, roots=self.roots, issuer_note=licence.issuer_note)
        identity = identity_for(licence.license, manifest.line, self.hpke)
        return dict(open_package(self.models / f"{name}.age", manifest, identity))


def test_a_round_trip_over_http(tmp_path: Path, serve: Callable[..., Any]) -> None:
    with Authority.create(tmp_path / "vendor", name="license.example.com") as vendor:
        vendor.create_line("ner-en/3")
        write_model(tmp_path / "first", FIRST)
        vendor.pack(tmp_path / "first", line="ner-en/3", release="1.0.0", name="ner-en", task="ner")
        sold = vendor.create_resource("acme", customer="Acme", meters={METER: 1_000}, models=("ner-en/3",))
        machine = Machine(tmp_path / "machine", vendor.roots_dir)

        def fetch_license(billing: str) -> None:
            licence = download_license(
                billing=billing,
                api_key=sold.key1,
                request_note=machine.request(vendor.clock()),
                roots=machine.roots,
                product="ner",
                instance_vkey=machine.vkey,
                now=vendor.clock(),
            )
            save_license(machine.licenses, licence)

        def fetch_model(billing: str) -> str:
            manifest, _ = download_package(
                billing=billing,
                api_key=sold.key2,
                line="ner-en/3",
                directory=machine.models,
                roots=machine.roots,
                now=vendor.clock(),
            )
            return manifest.stem

        with serve(make_app(vendor)) as billing:
            fetch_license(billing)
            assert [offer.release for offer in list_models(billing=billing, api_key=sold.key1, now=0)] == [
                "1.0.0"
            ]
            assert machine.open(fetch_model(billing)) == FIRST

            # A new release of the line opens with the licence that is there, also by the next issuer.
            write_model(tmp_path / "second", SECOND)
            vendor.rotate("issuer", load_signing_key(tmp_path / "vendor/keys/root.key"))
            vendor.pack(tmp_path / "second", line="ner-en/3", release="1.0.1", name="ner-en", task="ner")
            before = machine.license()
            assert machine.open(fetch_model(billing)) == SECOND

            # Renewal: more units, a higher serial, the next epoch; then the former pair is refused.
            vendor.add_units("acme", METER, 500)
            fetch_license(billing)
            renewed = machine.license()
            assert renewed.license.plan.units(METER) == 1_500
            assert renewed.license.replaces == before.license.id
            assert (before.delegation.epoch, renewed.delegation.epoch) == (1, 2)
            assert machine.open("ner-en-3-1.0.0") == FIRST
            save_license(machine.licenses, before)
            with pytest.raises(EpochTooLow):
                machine.license()


def run(*words: str) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done.stdout


def through_windows(stick: Path) -> None:
    """Do to the notes on a stick what editors and transfers on a jump host do."""
    for note in stick.glob("*.note"):
        text = note.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
        note.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))


@pytest.mark.slow
def test_the_same_round_trip_by_files_alone(tmp_path: Path) -> None:
    vendor, stick = tmp_path / "vendor", tmp_path / "stick"
    for directory in (vendor, stick):
        directory.mkdir()
    (vendor / "phrase").write_text("correct horse battery\n")
    with contextlib.chdir(vendor):
        run("init", "authority", "--name", "license.example.com", "--passphrase-file", "phrase")
        write_model(vendor / "first", FIRST)
        packing = ("--line", "ner-en/3", "--task", "ner", "--out", str(stick))
        run("pack", "first", "--release", "1.0.0", *packing)
        selling = ("--customer", "Acme", "--meter", f"{METER}=1000", "--model", "ner-en/3", "--approved")
        run("resource", "create", "acme", *selling)
    machine = Machine(tmp_path / "machine", vendor / "authority/roots")

    def carry() -> None:
        through_windows(stick)
        for path in stick.iterdir():
            shutil.copy(
                path, machine.licenses if path.name in ("license.note", "issuer.note") else machine.models
            )

    def renew() -> dict[str, Any]:
        (stick / "request.note").write_bytes(machine.request(1_780_000_000))
        through_windows(stick)
        with contextlib.chdir(vendor):
            run("issue", str(stick / "request.note"), "--resource", "acme", "--out", str(stick))
            said: dict[str, Any] = json.loads(
                run("verify", str(stick), "--roots", "authority/roots", "--json")
            )
        carry()
        return said

    assert renew()["state"] == "Valid"
    assert machine.open("ner-en-3-1.0.0") == FIRST

    write_model(vendor / "second", SECOND)
    with contextlib.chdir(vendor):
        run("pack", "second", "--release", "1.0.1", *packing)
    carry()
    assert machine.open("ner-en-3-1.0.1") == SECOND

    with contextlib.chdir(vendor):
        run("pack", "second", "--line", "ner-en/4", "--release", "1", "--task", "ner", "--out", str(stick))
        run("resource", "add-units", "acme", f"{METER}=500")
    carry()
    with pytest.raises(NoModelKey, match="does not open the model line ner-en/4"):
        machine.open("ner-en-4-1")
    with contextlib.chdir(vendor):
        run("resource", "grant", "acme", "ner-en/4")
        run("rotate", "issuer", "--passphrase-file", "phrase")
    said = renew()
    assert (said["license"]["serial"], said["issuer"]["epoch"]) == (2, 2)
    assert said["license"]["plan"]["meters"] == {METER: 1_500}
    assert machine.open("ner-en-4-1") == SECOND
    assert machine.open("ner-en-3-1.0.0") == FIRST

    # All of it, carried to another machine, opens nothing.
    thief = Machine(tmp_path / "thief", vendor / "authority/roots")
    for source, target in ((machine.licenses, thief.licenses), (machine.models, thief.models)):
        shutil.copytree(source, target, dirs_exist_ok=True)
    with pytest.raises(WrongMachine):
        thief.open("ner-en-4-1")
    thief.key = machine.key
    with pytest.raises(WrongMachine):
        thief.open("ner-en-4-1")
