"""Model packages at a running service: opened with the licence, in memory, and by nobody else."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.config.identity import load_identity
from license.authority.authority import Authority
from license.crypto import age
from license.licenses.terms import ModelKey
from license.models.keys import bind_identity
from license.models.package import PackageFiles, pack
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, VERSION, Service, Site

MODEL = ROOT / "appliance" / "bundled" / "ner-en"
LINE = "ner-en/3"


class Line:
    """A vendor's model line: its age identity, and the releases encrypted to it."""

    def __init__(self, vendor: Authority, home: Path, name: str = LINE) -> None:
        self.vendor = vendor
        self.home = home
        self.name = name
        self.identity = age.new_identity()
        home.mkdir()

    def release(self, number: str, *, into: Path) -> PackageFiles:
        into.mkdir(exist_ok=True)
        keyring = self.vendor.keyring
        manifest, files = pack(
            MODEL,
            self.home,
            recipient=age.recipient_of(self.identity),
            signer=keyring.issuer,
            issuer_note=keyring.issuer_note,
            line=self.name,
            release=number,
            name="ner-en",
            task="ner",
            now=int(time.time()),
        )
        assert manifest.line == self.name
        for path in (files.package, files.manifest, files.issuer):
            shutil.copy(path, into / path.name)
        return PackageFiles.beside(into / files.package.name)

    def key(self, site: Site, license_id: str) -> ModelKey:
        hpke = load_identity(site.state).hpke
        assert hpke is not None
        return bind_identity(self.identity, train=self.name, license_id=license_id, to=hpke.public)


@pytest.fixture
def line(vendor: Authority, tmp_path: Path) -> Line:
    return Line(vendor, tmp_path / "line")


def licensed_for(site: Site, *lines: Line) -> str:
    """Install a licence whose identifier is known beforehand, for the key is wrapped for that identifier."""
    license_id = f"01TEST{time.time_ns()}"
    keys = tuple(line.key(site, license_id) for line in lines)
    site.issue(changes={"id": license_id, "models": keys})
    return license_id


def found(service: Service) -> list[str]:
    with service.client() as client:
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
        reply = client.post("/language/:analyze-text", params=VERSION, json=body)
    assert reply.status_code == 200, reply.text
    return [entity["text"] for entity in reply.json()["results"]["documents"][0]["entities"]]


def model(service: Service) -> dict[str, Any]:
    with service.client() as client:
        only: dict[str, Any] = client.get("/status").json()["models"][0]
    return only


def needles() -> list[bytes]:
    """Pieces of the model in clear that no other file here holds."""
    data = (MODEL / "model.onnx").read_bytes()
    middle = len(data) // 2
    return [data[middle : middle + 64], (MODEL / "tokenizer.json").read_bytes()[2_000:2_064]]


def holding(directories: list[Path], pieces: list[bytes]) -> list[Path]:
    hits = []
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                hits += [path for piece in pieces if piece in data]
    return hits


@pytest.mark.e2e
def test_a_package_is_served_from_memory_and_nothing_in_clear_touches_a_disk(
    site: Site, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name in ("TMPDIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(scratch))
    licensed_for(site, line)
    line.release("1.0.0", into=site.home / "models")
    assert holding([MODEL], needles()), "the pieces are telling"
    service = site.start(f"Mounts:Model={site.home / 'models'}")
    assert found(service) == ["Angela Merkel", "Reuters", "Berlin"]
    assert model(service)["release"] == "1.0.0"
    assert holding([site.home, scratch, Path("/dev/shm")], needles()) == []  # noqa: S108 (looked at only)
    opened = [str(link.readlink()) for link in Path(f"/proc/{service.process.pid}/fd").iterdir()]
    assert not [name for name in opened if "(deleted)" in name and "ledger" not in name]
    assert service.stop() == 0
    assert holding([site.home, scratch, Path("/dev/shm")], needles()) == []  # noqa: S108 (looked at only)


@pytest.mark.e2e
def test_a_new_release_of_the_line_opens_with_the_old_licence(site: Site, line: Line) -> None:
    licensed_for(site, line)
    models = site.home / "models"
    line.release("1.0.0", into=models)
    newer = line.release("1.10.0", into=models)
    line.release("1.9.0", into=models)
    done = site.operate("license", "check", "--model", str(newer.package))
    assert done.returncode == 0, done.stderr
    assert "opens (ner-en/3 1.10.0)" in done.stdout
    service = site.start(f"Mounts:Model={models}")
    assert model(service)["release"] == "1.10.0"


@pytest.mark.e2e
def test_a_new_line_names_line_licence_and_next_step_and_leaves_the_old_release_serving(
    site: Site, line: Line, vendor: Authority, tmp_path: Path
) -> None:
    license_id = licensed_for(site, line)
    models = site.home / "models"
    line.release("1.0.0", into=models)
    other = Line(vendor, tmp_path / "other", "ner-en/4").release("1.0.0", into=site.home / "new")
    done = site.operate("license", "check", "--model", str(other.package))
    assert done.returncode == 78
    for words in ("ner-en/4", license_id, "it opens ner-en/3", "hint: ask the vendor"):
        assert words in done.stderr
    refused = site.run(f"Mounts:Model={other.package.parent}")
    assert refused.returncode == 78
    assert f"licence {license_id}" in refused.stderr
    assert "does not open the model line ner-en/4" in refused.stderr
    for path in (other.package, other.manifest, other.issuer):
        shutil.copy(path, models / path.name)
    service = site.start(f"Mounts:Model={models}")
    assert found(service)
    assert "a model package is not used: licence" in service.text()


@pytest.mark.e2e
def test_a_licence_on_another_machine_opens_nothing(new_site: Callable[..., Site], line: Line) -> None:
    one, clone = new_site("one"), new_site("clone")
    licensed_for(one, line)
    line.release("1.0.0", into=clone.home / "models")
    for note in one.license.iterdir():
        shutil.copy(note, clone.license / note.name)
    load_identity(clone.state)
    shutil.copy(one.state / "instance.key", clone.state / "instance.key")  # even with the signing key
    refused = clone.run(f"Mounts:Model={clone.home / 'models'}")
    assert refused.returncode == 78
    assert "was wrapped for another machine" in refused.stderr


@pytest.mark.e2e
@pytest.mark.parametrize("place", [0.0, 0.3, 0.9])
def test_a_package_with_a_flipped_bit_is_damaged(site: Site, line: Line, place: float) -> None:
    licensed_for(site, line)
    files = line.release("1.0.0", into=site.home / "models")
    data = bytearray(files.package.read_bytes())
    data[int(place * len(data))] ^= 1
    files.package.write_bytes(data)
    done = site.operate("license", "check", "--model", str(files.package))
    assert done.returncode == 78
    assert "copy or download the package again" in done.stderr


@pytest.mark.e2e
def test_the_lines_of_packages_at_hand_are_asked_for(site: Site, line: Line) -> None:
    line.release("1.0.0", into=site.home / "models")
    words = ("license", "request", "-o", "-", f"Mounts:Model={site.home / 'models'}")
    done = site.operate(*words)
    assert '"ner-en/3"' in done.stdout


@pytest.mark.e2e
def test_a_plain_folder_needs_no_key(site: Site) -> None:
    site.issue()
    done = site.operate("license", "check", "--model", str(MODEL))
    assert done.returncode == 0, done.stderr
    assert "needs no key" in done.stdout


@pytest.mark.e2e
def test_a_package_is_taken_into_the_library_as_it_is_and_only_with_its_licence(
    site: Site, line: Line, tmp_path: Path
) -> None:
    files = line.release("1.0.0", into=tmp_path / "stick")
    library = tmp_path / "library"
    library.mkdir()
    place = f"Models:Path={library}"
    add = ("models", "add", str(files.package), "--project", "names", "--name", "v1", place)
    site.issue()
    refused = site.operate(*add)
    assert refused.returncode != 0
    assert LINE in refused.stderr, refused.stderr
    assert not any(library.rglob("*.age"))
    licensed_for(site, line)
    whole = files.package.read_bytes()
    files.package.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    damaged = site.operate(*add)
    assert damaged.returncode != 0
    assert "Traceback" not in damaged.stderr
    files.package.write_bytes(whole)
    added = site.operate(*add)
    assert added.returncode == 0, added.stderr
    assert "added names/v1" in added.stdout
    assert holding([library], needles()) == []
    tried = site.operate("models", "test", "names/v1", place)
    assert "Person: Charles Babbage" in tried.stdout, tried.stdout + tried.stderr
    service = site.start(place)
    assert model(service)["name"] == "ner-en"
