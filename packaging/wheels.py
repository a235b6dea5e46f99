"""The wheelhouse: for each version of Python the wheels that the lock names, by their hashes."""

import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import ROOT, run, tracked
from packaging.markers import Marker

MANYLINUX = (
    "manylinux1_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_28_x86_64",
)
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def platform_words(python: str) -> list[str]:
    """Return the words that make pip choose for another interpreter than its own: glibc 2.28, x86-64."""
    tags = [word for tag in MANYLINUX for word in ("--platform", tag)]
    return [*tags, "--python-version", python, "--implementation", "cp", "--only-binary", ":all:"]


def fetch(directory: Path, pythons: Sequence[str], have: Path | None) -> dict[str, Path]:
    """Fetch every wheel for every version of Python, and pip, which the server may not have.

    Args:
        directory: Where they go.
        pythons: Versions such as `3.11`.
        have: A folder with wheels that need not be fetched.

    Returns:
        For each version, the requirements with hashes that hold there.
    """
    near = ["--find-links", str(have)] if have is not None else []
    common = [*PIP, "download", "-q", "--no-deps", "--require-hashes", "-d", str(directory), *near]
    lock = (ROOT / "requirements.lock").read_text()
    files = {}
    for python in pythons:
        files[python] = directory.parent / f"requirements-{python}.txt"
        files[python].write_text("".join(_holding(lock, python)))
        run(*common, *platform_words(python), "-r", str(files[python]))
    pip = directory.parent / "pip.txt"
    pip.write_text(_block((ROOT / "requirements-bundle.lock").read_text(), "pip"))
    run(*common, "--only-binary", ":all:", "-r", str(pip))
    pip.unlink()
    return files


def build_own(directory: Path, *, version: str, epoch: int) -> Path:
    """Build this program's own wheel from the tracked files, and return it."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        for name in [*tracked("appliance", "docs", "license"), "README.md", "LICENSE.md"]:
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
            target.chmod(0o644)
        (source / "pyproject.toml").write_text(project_text(version))
        run(
            *PIP, "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(directory),
            str(source), SOURCE_DATE_EPOCH=str(epoch),
        )  # fmt: skip
    return next(directory.glob("offline_appliance-*.whl"))


def project_text(version: str) -> str:
    """Return pyproject.toml as it reads in that version."""
    text = (ROOT / "pyproject.toml").read_text()
    return re.sub(r'^version = ".*"$', f'version = "{version}"', text, count=1, flags=re.MULTILINE)


def pin(file: Path, directory: Path, own: Path) -> None:
    """Narrow requirements to the one hash of each wheel that was chosen, and add this program itself."""
    have = {hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.glob("*.whl")}
    lines = []
    for block in _blocks(file.read_text()):
        found = sorted(set(re.findall(r"sha256:([0-9a-f]{64})", block)) & have)
        lines.append(f"{block.split()[0]} {' '.join(f'--hash=sha256:{digest}' for digest in found)}\n")
    name, version = own.name.split("-")[:2]
    lines.append(
        f"{name.replace('_', '-')}=={version} --hash=sha256:{hashlib.sha256(own.read_bytes()).hexdigest()}\n"
    )
    file.write_text("".join(sorted(lines)))


def _holding(lock: str, python: str) -> Iterator[str]:
    """Yield the blocks of the lock whose condition holds there, without it: pip would judge by itself."""
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    for block in _blocks(lock):
        if block.startswith("setuptools=="):
            continue  # builds this program; nothing imports it
        head, semicolon, rest = block.partition(";")
        if not semicolon:
            yield block
            continue
        condition, hashes = re.split(r"\s*\\\n", rest, maxsplit=1)
        if Marker(condition.strip()).evaluate(there):
            yield f"{head.rstrip()} \\\n{hashes}"


def _blocks(lock: str) -> list[str]:
    return [found[0] + "\n" for found in re.finditer(r"^\w(?:[^\n]*\\\n)*[^\n]*", lock, re.MULTILINE)]


def _block(lock: str, name: str) -> str:
    found = next((block for block in _blocks(lock) if block.startswith(f"{name}==")), None)
    if found is None:
        raise SystemExit(f"the lock names no {name}")
    return found
