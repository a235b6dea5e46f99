"""What CONTRIBUTING.md and the files of the tools say, against the tree."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.support.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PHONY = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[0].split()


def test_make_alone_lists_every_target_and_makes_nothing() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([\w-]+) +\S", said, re.MULTILINE) == PHONY


def test_the_targets_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`make ([\w-]+)", PAGE)) | set(
        re.findall(r"^    make ([\w-]+)", PAGE, re.MULTILINE)
    )
    assert {"install-dev", "lint", "test", "test-boot", "nightly", "coverage", "lock"} <= named <= set(PHONY)


def test_the_page_has_every_kind_of_test() -> None:
    kinds = {folder.name for folder in (ROOT / "tests").iterdir() if list(folder.rglob("test_*.py"))}
    assert set(re.findall(r"^\| `tests/(\w+)/`", PAGE, re.MULTILINE)) == kinds


def test_the_hooks_call_the_tools_of_make_lint_without_network() -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (local,) = config["repos"]
    assert local["repo"] == "local"
    tools = [hook["entry"].split()[0] for hook in local["hooks"]]
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    assert {Path(tool).parent for tool in tools} == {Path(".venv/bin")}
    lint = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    assert {Path(tool).name for tool in tools} == {
        Path(word).name for word in re.findall(r"(?:-m |bin/)(ruff|mypy|lint-imports)", lint)
    }


def test_editors_break_lines_where_ruff_does() -> None:
    length = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["line-length"]
    assert f"max_line_length = {length}\n" in (ROOT / ".editorconfig").read_text()


def test_security_promises_no_address_and_leads_to_the_threat_model() -> None:
    page = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "(docs/threat-model.md)" in page
    assert "@" not in page
