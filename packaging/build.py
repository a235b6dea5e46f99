"""Build the bundle: one tar that installs the service on a server without network.

    python packaging/build.py --out dist [--key release.pem] [--roots DIRECTORY]

Network is needed here, for the wheels that requirements.lock names by hash. The same commit and lock give the
same bytes: SOURCE_DATE_EPOCH or the time of the commit is the time of every file.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

import deb
import wheels
from common import ROOT, run, tracked

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE.md", "SECURITY.md")


def main() -> None:
    """Build what the command line asks for."""
    options = _options()
    version = options.version or tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    name = f"offline-appliance-{version}-linux-x86_64"
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _commit_time())
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch) / name
        (top / "wheels").mkdir(parents=True)
        _wheels(top, options.pythons, options.wheels, version=version, epoch=epoch)
        _files(top, options.roots)
        _sbom(top, Path(scratch), version=version, epoch=epoch)
        if not options.no_deb:
            deb.build(top, top, version=version, epoch=epoch, scratch=Path(scratch))
        _sums(top, options.key)
        target = options.out / f"{name}.tar"
        _tar(top, target, epoch)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB  sha256 {digest}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--key", type=Path, help="Ed25519 private key in PEM, to sign with")
    parser.add_argument("--roots", type=Path, help="directory of the vendor's *.vkey, to be installed")
    parser.add_argument("--wheels", type=Path, help="folder with wheels that need not be fetched")
    parser.add_argument(
        "--pythons",
        type=lambda text: text.split(","),
        default=PYTHONS,
        help=f"versions of Python to bring wheels for (default {','.join(PYTHONS)})",
    )
    parser.add_argument("--version", help="call this build so, instead of what pyproject.toml says")
    parser.add_argument("--no-deb", action="store_true", help="leave the package for Debian 12 out")
    options = parser.parse_args()
    if not options.no_deb and deb.PYTHON not in options.pythons:
        parser.error(f"the package for Debian 12 needs the wheels for Python {deb.PYTHON}; or say --no-deb")
    return options


def _commit_time() -> str:
    return run("git", "-C", str(ROOT), "log", "-1", "--format=%ct").strip()


def _wheels(top: Path, pythons: Sequence[str], have: Path | None, *, version: str, epoch: int) -> None:
    """Bring the wheels together, with a list of hashes for each version of Python."""
    directory = top / "wheels"
    files = wheels.fetch(directory, pythons, have)
    own = wheels.build_own(directory, version=version, epoch=epoch)
    for file in files.values():
        wheels.pin(file, directory, own)
    (top / "PYTHONS").write_text(" ".join(files) + "\n")


def _files(top: Path, roots: Path | None) -> None:
    shutil.copyfile(ROOT / "packaging" / "install.sh", top / "install.sh")
    (top / "image").mkdir()
    for name in ("layers.py", "elf.py"):
        shutil.copyfile(ROOT / "packaging/image" / name, top / "image" / name)
    share = [*tracked("docs", "systemd"), *PAGES]
    for name in share:
        for place in (
            (top / name, top / "share" / name) if name.startswith("systemd/") else (top / "share" / name,)
        ):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place)
    for key in sorted(roots.glob("*.vkey")) if roots is not None else []:
        (top / "roots.d").mkdir(exist_ok=True)
        shutil.copyfile(key, top / "roots.d" / key.name)


def _sbom(top: Path, scratch: Path, *, version: str, epoch: int) -> None:
    """Describe every wheel in CycloneDX; the time is that of the content, and there is no serial number."""
    tool = shutil.which("cyclonedx-py", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if tool is None:
        raise SystemExit("cyclonedx-py is missing: pip install cyclonedx-bom")
    project = scratch / "pyproject.toml"
    project.write_text(wheels.project_text(version))
    parts: dict[str, set[str]] = {}
    for file in top.glob("requirements-*.txt"):
        for line in file.read_text().splitlines():
            what, *hashes = line.split()
            parts.setdefault(what, set()).update(hashes)
    together = scratch / "requirements.txt"
    together.write_text("".join(f"{what} {' '.join(sorted(parts[what]))}\n" for what in sorted(parts)))
    run(
        tool, "requirements", str(together), "--output-reproducible", "--of", "JSON",
        "--sv", "1.6", "-o", str(top / "sbom.cdx.json"), "--pyproject", str(project),
        SOURCE_DATE_EPOCH=str(epoch),
    )  # fmt: skip
    text = (top / "sbom.cdx.json").read_text()
    (top / "sbom.cdx.json").write_text(re.sub(re.escape(str(scratch)), ".", text))


def _sums(top: Path, key: Path | None) -> None:
    files = sorted(path for path in top.rglob("*") if path.is_file())
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(top)}\n" for path in files
    )
    (top / "SHA256SUMS").write_text(sums)
    if key is not None:
        run(
            "openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key),
            "-in", str(top / "SHA256SUMS"), "-out", str(top / "SHA256SUMS.sig"),
        )  # fmt: skip


def _tar(top: Path, target: Path, epoch: int) -> None:
    """Write a tar whose bytes depend on nothing but the files: order, owner, mode and time are fixed."""
    with tarfile.open(target, mode="w", format=tarfile.PAX_FORMAT) as archive:
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


if __name__ == "__main__":
    main()
