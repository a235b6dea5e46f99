"""Build the bundle: one tar that installs the service on a server without network.

    python packaging/build.py --out dist [--key release.pem] [--roots DIRECTORY]

Network is needed here, for the wheels that requirements.lock names by hash. The same commit and lock give the
same bytes: SOURCE_DATE_EPOCH or the time of the commit is the time of every file.
"""

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANYLINUX = (
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_34_x86_64",
)


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--key", type=Path, help="Ed25519 private key in PEM, to sign with")
    parser.add_argument("--roots", type=Path, help="directory of the vendor's *.vkey, to be installed")
    parser.add_argument("--wheels", type=Path, help="folder with wheels that need not be fetched")
    options = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = f"{project['name']}-{project['version']}-linux-x86_64"
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _commit_time())
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch) / name
        top.mkdir()
        wheels = _wheels(top / "wheels", options.wheels, epoch)
        _requirements(top, wheels)
        _files(top, options.roots)
        _sbom(top, epoch)
        _sums(top, options.key)
        target = options.out / f"{name}.tar"
        _tar(top, target, epoch)
    size = target.stat().st_size / 1e6
    print(f"{target}  {size:.1f} MB  sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


def _commit_time() -> str:
    return _run("git", "-C", str(ROOT), "log", "-1", "--format=%ct").strip()


def _run(*words: str, **environ: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environ})
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:6])} …: {done.stderr[-2000:]}")
    return done.stdout


def _wheels(directory: Path, have: Path | None, epoch: int) -> list[Path]:
    """Fetch what the lock names, hash by hash, and build this package's own wheel."""
    directory.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    near = ["--find-links", str(have)] if have is not None else []
    locked = ROOT / "requirements.lock"
    platform = [word for tag in MANYLINUX for word in ("--platform", tag)]
    common = [*pip, "download", "-q", "--only-binary", ":all:", "-d", str(directory), *near, *platform]
    _run(*common, "--require-hashes", "-r", str(locked))
    _run(*common, "--require-hashes", "-r", str(_pip_alone(directory.parent)))
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        tracked = _run("git", "-C", str(ROOT), "ls-files", "-z", "appliance", "license").split("\0")
        for name in filter(None, [*tracked, "pyproject.toml", "README.md", "LICENSE.md"]):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
            target.chmod(0o644)
        _run(
            *pip, "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(directory),
            str(source), SOURCE_DATE_EPOCH=str(epoch),
        )  # fmt: skip
    for wheel in directory.glob("setuptools-*.whl"):
        wheel.unlink()  # it built the wheel above; nothing imports it
    return sorted(directory.glob("*.whl"))


def _pip_alone(scratch: Path) -> Path:
    """Return a lock of pip alone: the server may have none."""
    lock = (ROOT / "requirements-bundle.lock").read_text()
    found = re.search(r"^pip==(?:[^\n]*\\\n)*[^\n]*", lock, re.MULTILINE)
    if found is None:
        raise SystemExit("requirements-bundle.lock names no pip")
    file = scratch.parent / "pip.txt"
    file.write_text(found[0] + "\n")
    return file


def _requirements(top: Path, wheels: list[Path]) -> None:
    """Write every wheel with its hash; pip itself is used and not installed."""
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        if name != "pip":
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{digest}\n")
    (top / "requirements.txt").write_text("".join(sorted(lines)))
    tags = {match[1] for wheel in wheels for match in [re.search(r"-cp3(\d+)-cp3", wheel.name)] if match}
    (top / "PYTHONS").write_text(" ".join(f"3.{tag}" for tag in sorted(tags, key=int)) + "\n")


def _files(top: Path, roots: Path | None) -> None:
    shutil.copyfile(ROOT / "packaging" / "install.sh", top / "install.sh")
    tracked = _run("git", "-C", str(ROOT), "ls-files", "-z", "docs", "systemd").split("\0")
    share = [*filter(None, tracked), "README.md", "CHANGELOG.md", "LICENSE.md"]
    for name in share:
        place = top / name if name.startswith("systemd/") else top / "share" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place)
    for key in sorted(roots.glob("*.vkey")) if roots is not None else []:
        (top / "roots.d").mkdir(exist_ok=True)
        shutil.copyfile(key, top / "roots.d" / key.name)


def _sbom(top: Path, epoch: int) -> None:
    """Describe every wheel in CycloneDX; the serial number and time are those of the content."""
    tool = shutil.which("cyclonedx-py", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if tool is None:
        raise SystemExit("cyclonedx-py is missing: pip install cyclonedx-bom")
    _run(
        tool, "requirements", str(top / "requirements.txt"), "--output-reproducible", "--of", "JSON",
        "--sv", "1.6", "-o", str(top / "sbom.cdx.json"), "--pyproject", str(ROOT / "pyproject.toml"),
        SOURCE_DATE_EPOCH=str(epoch),
    )  # fmt: skip


def _sums(top: Path, key: Path | None) -> None:
    files = sorted(path for path in top.rglob("*") if path.is_file())
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(top)}\n" for path in files
    )
    (top / "SHA256SUMS").write_text(sums)
    if key is not None:
        _run(
            "openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key),
            "-in", str(top / "SHA256SUMS"), "-out", str(top / "SHA256SUMS.sig"),
        )  # fmt: skip


def _tar(top: Path, target: Path, epoch: int) -> None:
    """Write a tar whose bytes depend on nothing but the files: order, owner, mode and time are fixed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(top.rglob("*")):
            entry = tarfile.TarInfo(f"{top.name}/{path.relative_to(top)}")
            entry.mtime = epoch
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            entry.size, entry.mode = path.stat().st_size, 0o755 if path.suffix == ".sh" else 0o644
            with path.open("rb") as file:
                archive.addfile(entry, file)
    target.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
