"""The wheel alone, as `pip install` takes it, has the pages of `/docs`."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.paths import ROOT

NAMES = "from appliance.api.docs.library import Library, places; l = Library(places()); "
PIP = ("-m", "pip", "--disable-pip-version-check", "-q")


def tracked(*folders: str) -> list[str]:
    found = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, check=True, capture_output=True)
    return [name for name in found.stdout.decode().split("\0") if name]


def test_who_installs_the_wheel_alone_reads_every_page(tmp_path: Path) -> None:
    source = tmp_path / "source"
    kept = [name for name in tracked("appliance", "docs", "license") if "/bundled/" not in name]
    for name in [*kept, "README.md", "LICENSE.md", "pyproject.toml"]:  # without the models: they take long
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    building = [sys.executable, *PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*building, "-w", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    installing = [sys.executable, *PIP, "--python", python, "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(installing, check=True)
    beside = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}  # what it depends on, and not itself
    asked = f"{NAMES}print(*l._known(), sep='\\n'); print(l.search('OutOfQuota')[0].passage.anchor)"
    done = subprocess.run(
        [python, "-c", asked], env=beside, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    *names, anchor = done.stdout.splitlines()
    assert sorted(names) == sorted(name.removeprefix("docs/") for name in tracked("docs"))
    assert anchor == "code-OutOfQuota"
