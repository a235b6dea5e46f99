"""The package for Debian 12: the program laid out in full, so that `dpkg --verify` can check every file.

Each version has a directory of its own, and the link /opt/appliance/venv leads to the present one: a service
that is finishing its requests during an upgrade never reads files of another version.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from common import ROOT, run
from wheels import PIP, platform_words

PYTHON = "3.11"
"""The Python of Debian 12."""

_SCRIPTS = {"appliance": "appliance.cli.main", "license": "license.authority.cli.main"}


def build(out: Path, top: Path, *, version: str, epoch: int, scratch: Path) -> Path:
    """Build the package from an assembled bundle, and return its path.

    Args:
        out: The directory it goes to.
        top: The bundle: wheels, requirements, units, docs.
        version: Version of the program.
        epoch: Unix second that every file bears.
        scratch: A directory that is deleted afterwards.
    """
    stage = scratch / "deb"
    venv = stage / "opt/appliance" / f"venv-{version}"
    _program(venv, top)
    link = stage / "opt/appliance/venv"
    link.symlink_to(venv.name)
    _link(stage / "usr/bin/appliance", "/opt/appliance/venv/bin/appliance")
    shutil.copytree(top / "share", stage / "opt/appliance/share")
    _units(stage, top)
    conffiles = _settings(stage, top)
    _about(stage)
    _control(stage, version=version, conffiles=conffiles)
    _plain_modes(stage)
    target = out / f"offline-appliance_{debian_version(version)}_amd64.deb"
    run(
        "dpkg-deb", "--root-owner-group", "-Zzstd", "-z6", "--threads-max=2", "--build", str(stage),
        str(target), SOURCE_DATE_EPOCH=str(epoch),
    )  # fmt: skip
    return target


def debian_version(version: str) -> str:
    """Return a version as Debian sorts it: a pre-release before its release."""
    return re.sub(r"(a|b|rc|\.dev)(\d+)$", r"~\1\2", version)


def _program(venv: Path, top: Path) -> None:
    """Lay out a virtual environment as it stands on the target, where its files will belong to root."""
    packages = venv / f"lib/python{PYTHON}/site-packages"
    run(
        *PIP, "install", "-q", "--no-index", "--no-deps", "--no-compile", "--no-warn-conflicts",
        "--find-links", str(top / "wheels"), "--require-hashes", *platform_words(PYTHON),
        "--target", str(packages), "-r", str(top / f"requirements-{PYTHON}.txt"),
        PIP_ROOT_USER_ACTION="ignore",
    )  # fmt: skip
    shutil.rmtree(packages / "bin", ignore_errors=True)
    (venv / "bin").mkdir()
    (venv / f"bin/python{PYTHON}").symlink_to(f"/usr/bin/python{PYTHON}")
    for name in ("python", "python3"):
        (venv / "bin" / name).symlink_to(f"python{PYTHON}")
    (venv / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    )
    for name, module in _SCRIPTS.items():
        script = venv / "bin" / name
        python = f"/opt/appliance/{venv.name}/bin/python"
        script.write_text(f"#!{python}\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n")
        script.chmod(0o755)
    # By content, not by time: the files of a package bear one time only. Some libraries carry files that are
    # no Python of this version and never imported.
    subprocess.run(
        [
            *(_interpreter(), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(packages), "-p", f"/opt/appliance/{venv.name}/lib/python{PYTHON}/site-packages"),
            str(packages),
        ],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        check=False,
    )


def _interpreter() -> str:
    """Return a Python of the target's version, which compiles for it."""
    if sys.version.startswith(f"{PYTHON}."):
        return sys.executable
    found = shutil.which(f"python{PYTHON}")
    if found is None:
        raise SystemExit(f"the package for Debian 12 needs python{PYTHON} here, or leave it out: --no-deb")
    return found


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _units(stage: Path, top: Path) -> None:
    units = stage / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for path in sorted((top / "systemd").iterdir()):
        if path.suffix in {".service", ".socket"}:
            shutil.copyfile(path, units / path.name)
    for kind in ("tmpfiles", "sysusers"):
        place = stage / f"usr/lib/{kind}.d"
        place.mkdir(parents=True)
        shutil.copyfile(top / f"systemd/appliance.{kind}", place / "appliance.conf")


def _settings(stage: Path, top: Path) -> list[str]:
    """Put settings and roots into /etc, and return what dpkg must not overwrite."""
    settings = stage / "etc/appliance"
    for name in ("license", "roots.d", "credentials"):
        (settings / name).mkdir(parents=True)
    files = [settings / "appliance.env"]
    shutil.copyfile(top / "systemd/appliance.env", files[0])
    roots = top / "roots.d"
    for key in sorted(roots.iterdir()) if roots.is_dir() else []:
        files.append(settings / "roots.d" / key.name)
        shutil.copyfile(key, files[-1])
    return [f"/{file.relative_to(stage)}" for file in files]


def _about(stage: Path) -> None:
    about = stage / "usr/share/doc/offline-appliance"
    about.mkdir(parents=True)
    shutil.copyfile(ROOT / "LICENSE.md", about / "copyright")
    packed = gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0)
    (about / "changelog.gz").write_bytes(packed)


def _control(stage: Path, *, version: str, conffiles: Iterable[str]) -> None:
    files = sorted(path for path in stage.rglob("*") if path.is_file() and not path.is_symlink())
    control = stage / "DEBIAN"
    control.mkdir()
    for script in ("preinst", "postinst", "prerm", "postrm"):
        shutil.copyfile(ROOT / "packaging/debian" / script, control / script)
    size = sum(file.stat().st_size for file in files) // 1024
    text = (ROOT / "packaging/debian/control").read_text()
    (control / "control").write_text(
        text.replace("@VERSION@", debian_version(version)).replace("@SIZE@", str(size))
    )
    (control / "conffiles").write_text("".join(f"{name}\n" for name in conffiles))
    sums = (
        f"{hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}  {file.relative_to(stage)}\n"
        for file in files
    )
    (control / "md5sums").write_text("".join(sums))


def _plain_modes(stage: Path) -> None:
    """Let no mode depend on who builds: directories and programs 0755, files 0644, secrets 0700."""
    for path in [stage, *stage.rglob("*")]:
        if not path.is_symlink():
            program = path.is_dir() or (path.stat().st_mode & 0o100 and path.parent.name == "bin")
            path.chmod(0o755 if program or path.name in {"preinst", "postinst", "prerm", "postrm"} else 0o644)
    (stage / "etc/appliance/credentials").chmod(0o700)
