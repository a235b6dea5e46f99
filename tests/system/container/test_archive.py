"""What `make image` writes: the same each time, signed, and taken by `podman load`."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.system.container.conftest import ONLY_DOCKER
from tests.system.container.engine import Engine, build_images, make_images

pytestmark = pytest.mark.slow


def test_the_same_bundle_gives_the_same_image_twice(podman: Engine, unpacked: Path) -> None:
    words = ["--no-archive", "--no-cache", "--targets", "text"]
    made = {build_images(podman, unpacked, *words) for _ in range(2)}
    assert len(made) == 1, made


def test_a_signed_archive_is_verified_and_loaded(podman: Engine, unpacked: Path, tmp_path: Path) -> None:
    key, public = tmp_path / "release.pem", tmp_path / "release.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    targets = "text,speech,diagnostic"
    words = ["--out", str(tmp_path), "--key", str(key), "--targets", targets]
    said = build_images(podman, unpacked, *words)
    (archive,) = tmp_path.glob("*-images.tar")
    sums = tmp_path / f"{archive.name}.sha256"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert sums.read_text() == f"{digest}  {archive.name}\n"
    assert digest in said
    check = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", sums]
    subprocess.run([*map(str, check), "-sigfile", f"{sums}.sig"], check=True, capture_output=True)

    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    names = [name for image in manifest for name in image["RepoTags"]]
    made = make_images(podman, unpacked, targets)
    before = {name: podman.inspect(name)["Id"] for name in made.values()}
    assert sorted(names) == sorted(f"localhost/{name}" for name in before)
    podman.run("untag", *[f"localhost/{name}" for name in before][:1])
    podman.run("load", "-i", str(archive))
    assert {name: podman.inspect(name)["Id"] for name in before} == before


def test_the_same_images_give_the_same_archive(podman: Engine, unpacked: Path, tmp_path: Path) -> None:
    digests = set()
    for turn in ("one", "two"):
        (tmp_path / turn).mkdir()
        said = build_images(podman, unpacked, "--out", str(tmp_path / turn), "--targets", "text")
        digests.add(said.split()[-1])
    assert len(digests) == 1


@ONLY_DOCKER
def test_docker_builds_the_same_program(engine: Engine, unpacked: Path) -> None:
    """Its digests differ each time, since it dates layers by its own clock; what it builds does not."""
    said = build_images(engine, unpacked, "--engine", "docker", "--no-archive", "--targets", "text")
    name = said.split()[0]
    assert engine.run("run", "--rm", name, "--version").stdout.startswith("appliance")
    assert engine.health_check(name) == ["appliance", "health"]
