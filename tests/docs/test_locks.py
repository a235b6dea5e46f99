"""The locks are complete: they are installed with --no-deps, so no later release can break a new one."""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.support.locks import environment_of, read_pins, unmet
from tests.support.paths import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
ROOTS = {
    "requirements.lock": PROJECT["project"]["dependencies"] + GROUPS["build"],
    "requirements-dev.lock": PROJECT["project"]["dependencies"] + GROUPS["build"] + GROUPS["dev"],
    "requirements-bundle.lock": GROUPS["bundle"],
}


def requires(name: str, version: str) -> list[str]:
    """What an installed package needs; numpy has two pins, and one is here."""
    return distribution(name).requires or []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", ROOTS)
def test_a_lock_pins_all_that_its_packages_need(lock: str, python: str) -> None:
    if lock == "requirements-bundle.lock":
        try:
            distribution("cyclonedx-bom")
        except PackageNotFoundError:
            pytest.skip(f"needs pip install --no-deps --require-hashes -r {lock}; make test-boot does that")
    environment = environment_of(python)
    pins = read_pins(ROOT / lock, environment)
    assert unmet(ROOTS[lock], pins, environment, requires) == []


def test_what_is_installed_here_is_what_the_lock_pins() -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = read_pins(ROOT / "requirements-dev.lock", environment_of(python))
    installed = {str(canonicalize_name(one.metadata["Name"])): one.version for one in distributions()}
    assert {name: installed.get(name) for name in pins} == pins


def test_the_walk_follows_extras_and_markers_and_tells_what_is_not_pinned() -> None:
    needs = {
        ("a", "1.0"): ["b[mail]>=2", "windows-only; sys_platform == 'win32'"],
        ("b", "2.1"): ["c<3; extra == 'mail'", "d; extra == 'other'", "e; python_version < '3.12'"],
        ("c", "3.0"): [],
    }
    pins = {"a": "1.0", "b": "2.1", "c": "3.0"}
    found = unmet(["a"], pins, environment_of("3.11"), lambda name, version: needs[name, version])
    assert sorted(found) == ["b needs c<3, and the lock has 3.0", "b needs e, and the lock has none"]
    found = unmet(["a"], {**pins, "c": "2.9"}, environment_of("3.12"), lambda *key: needs.get(key, []))
    assert found == []


def test_a_line_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("click>=8 \\\n    --hash=sha256:00\n")
    with pytest.raises(ValueError, match="does not pin 'click>=8"):
        read_pins(lock, environment_of("3.11"))
