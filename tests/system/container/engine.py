"""A container engine of this machine, and the images that the tests run.

Podman with runc is what Debian has. Its settings lie in a file of our own: crun refuses a machine with both
versions of cgroups, and limits above those of this process cannot be set without privileges. Base image and
wheels are kept outside the tree.
"""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.paths import ROOT
from tests.system.boot.bundles import build

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "offline-appliance"
PACKAGES: Final = "podman buildah runc conmon netavark aardvark-dns iptables"
BASE: Final = "localhost/offline-appliance-base"
READY_SECONDS: Final = 60


def why_not() -> str:
    """Why no container can be run here; empty if one can."""
    if os.geteuid() != 0:
        return "needs root: podman's bridge and cgroups"
    if any(shutil.which(program) is None for program in ("podman", "buildah", "runc")):
        return f"needs a container engine: apt-get install --no-install-recommends {PACKAGES}"
    if shutil.which("mmdebstrap") is None and not (CACHE / "base.tar").exists():
        return "needs a base image: apt-get install mmdebstrap"
    if not (Path(sys.executable).parent / "cyclonedx-py").exists():
        return "needs pip install --no-deps --require-hashes -r requirements-bundle.lock"
    return ""


@dataclass
class Engine:
    """The program `podman` or `docker`, as its user types it.

    Attributes:
        name: The program.
        host: Address of this machine, as the containers see it.
        environ: What the program needs in its environment.
    """

    name: str = "podman"
    host: str = "10.88.0.1"
    environ: dict[str, str] = field(default_factory=dict)

    def run(
        self, *words: str, check: bool = True, timeout: float = 300
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [self.name, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def inspect(self, name: str) -> Any:
        return json.loads(self.run("inspect", name).stdout)[0]

    def logs(self, name: str) -> str:
        done = self.run("logs", name, check=False)
        return done.stdout + done.stderr

    def remove(self, name: str) -> None:
        self.run("rm", "--force", name, check=False)

    def health_check(self, image: str) -> list[str]:
        """Return the words of an image's health check."""
        about = self.inspect(image)
        check: list[str] = (about.get("Healthcheck") or about["Config"]["Healthcheck"])["Test"]
        assert check[0] == "CMD"
        return check[1:]

    @contextlib.contextmanager
    def running(self, name: str, *words: str) -> Iterator[str]:
        """Run a container in the background, wait until it is ready, and stop it at the end."""
        self.remove(name)
        self.run("run", "-d", "--name", name, *words)
        try:
            self.wait_ready(name)
            yield name
            self.run("stop", "--time", "30", name)
        finally:
            self.remove(name)

    def wait_ready(self, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            asked = self.run("exec", name, "appliance", "health", check=False)
            if asked.returncode == 0:
                return
            state = self.inspect(name)["State"]
            assert state["Running"], f"it ended with {state['ExitCode']}: {self.logs(name)[-3000:]}"
            time.sleep(0.1)
        raise AssertionError(f"{name} is not ready: {asked.stdout}{asked.stderr}{self.logs(name)[-3000:]}")


def make_engine() -> Engine:
    """Return podman with settings that hold on this machine."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return Engine(environ={"CONTAINERS_CONF": str(make_settings(CACHE / "containers.conf"))})


def make_settings(file: Path) -> Path:
    """Write settings of podman that hold on this machine."""
    files, processes = (
        resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    processes = processes if 0 < processes < 32768 else 32768
    file.write_text(
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
    )
    return file


def make_base(engine: Engine) -> None:
    """Make the base image, unless it is there or can be loaded from the cache."""
    script = ROOT / "packaging/image/base.sh"
    label = hashlib.sha256(script.read_bytes()).hexdigest()[:16]
    archive = CACHE / f"base-{label}.tar"
    if not archive.exists():
        made = archive.with_suffix(".part.tar")  # its ending tells mmdebstrap what to write
        subprocess.run(["sh", str(script), str(made)], check=True, capture_output=True, timeout=600)
        made.rename(archive)
    if engine.run("image", "exists", f"{BASE}:{label}", check=False).returncode != 0:
        engine.run("import", str(archive), f"{BASE}:{label}")
    engine.run("tag", f"{BASE}:{label}", BASE)


def make_bundle(place: Path) -> Path:
    """Build the bundle that the images are made of."""
    wheels = CACHE / "wheels"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    words = ["--no-deb", "--pythons", python]
    return build(place, *words, *(["--wheels", str(wheels)] if wheels.is_dir() else []))


def unpack(bundle: Path, place: Path) -> Path:
    """Unpack a bundle into a folder, keep its wheels for the next time, and return the folder."""
    subprocess.run(["tar", "-xf", str(bundle), "-C", str(place), "--strip-components=1"], check=True)
    keep_wheels(place / "wheels", CACHE / "wheels")
    return place


def build_images(engine: Engine, unpacked: Path, *words: str) -> str:
    """Run the program that `make image` runs, and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "packaging/image/build.py"), str(unpacked), "--base", BASE, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **engine.environ},
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_images(engine: Engine, unpacked: Path, targets: str) -> dict[str, str]:
    """Build the images from a bundle, and return what each target's image is called."""
    said = build_images(engine, unpacked, "--no-archive", "--targets", targets)
    names = [line.split()[0] for line in said.splitlines()]
    return dict(zip(targets.split(","), names, strict=True))


def with_roots(engine: Engine, images: dict[str, str], roots: Path, context: Path) -> dict[str, str]:
    """Put a vendor's root keys into images, and return what these are called."""
    for key in roots.glob("*.vkey"):
        (context / key.name).write_bytes(key.read_bytes())
    made = {}
    for target, name in images.items():
        (context / "Containerfile").write_text(f"FROM {name}\nCOPY *.vkey /etc/appliance/roots.d/\n")
        made[target] = f"localhost/oa-tests/{target}"
        words = ["--format", "docker", "--network", "none", "-q", "-t", made[target], str(context)]
        done = subprocess.run(
            ["buildah", "bud", *words], capture_output=True, text=True, check=False,
            env={**os.environ, **engine.environ},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return made


def copy_images(podman: Engine, other: Engine, names: Sequence[str], scratch: Path) -> None:
    """Carry images to another engine in the archive that is for a machine without registry."""
    archive = scratch / "images.tar"
    form = ["--format", "docker-archive", "--multi-image-archive"]
    podman.run("save", *form, "-o", str(archive), *names)
    archive.chmod(0o644)
    other.run("load", "-i", str(archive))
    archive.unlink()


def keep_wheels(made: Path, kept: Path) -> None:
    """Keep what was fetched for the next time; this software itself is built anew each time."""
    kept.mkdir(parents=True, exist_ok=True)
    for wheel in made.glob("*.whl"):
        if not wheel.name.startswith("offline_appliance") and not (kept / wheel.name).exists():
            shutil.copyfile(wheel, kept / wheel.name)
