"""The index of docs/errors.md against the program: every code has a row, and no row is left over."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import appliance
import license.authority.cli.common
from appliance.cli.errors import DOWNLOAD_EXITS, EXIT_CONFIGURATION, EXIT_FAILED, EXIT_IO, EXIT_TRY_LATER
from appliance.errors import ApplianceError
from license.errors import LicenseError
from license.evidence.tool import command
from license.licenses.validity import State
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
ABSTRACT = {"ApplianceError", "LicenseError", "AuthorityError", "DownloadError"}
"""Never raised under their own codes."""
NEEDS_TORCH = ("torch", "train_best", "speech.training.tune", "train_custom", "__main__")
CODE = re.compile(r"[A-Z][A-Za-z]+|40[145]")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> set[str]:
    """What stands in backticks in the first column of the tables."""
    firsts = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    return set(re.findall(r"`([^`]+)`", firsts))


def classes(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for below in base.__subclasses__():
        yield from classes(below)


def class_codes() -> set[str]:
    for package in (appliance, license):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(word in module.name for word in NEEDS_TORCH):
                importlib.import_module(module.name)
    found = {cls for base in (ApplianceError, LicenseError) for cls in classes(base)}
    return {str(vars(cls).get("code", "")) for cls in found} - ABSTRACT - {""}


def literals(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and CODE.fullmatch(part.value):
            yield part.value


def named_codes(*folders: str, calls: frozenset[str]) -> set[str]:
    """Codes that stand in the source: `code="…"`, `inner=("…", …)`, and first words of the calls named."""
    seen: set[str] = set()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                for keyword in node.keywords:
                    if keyword.arg == "code":
                        seen.update(literals(keyword.value))
                    elif keyword.arg == "inner" and isinstance(keyword.value, ast.Tuple):
                        seen.update(literals(keyword.value.elts[0]))
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in calls:
                    seen.update(code for part in node.args[:2] for code in literals(part))
    return seen


API_CALLS = frozenset({"Problem", "not_found", "error_object", "_batch_problem"})


def license_codes() -> set[str]:
    return class_codes() | named_codes("license", "appliance/licensing", calls=frozenset())


def test_every_code_of_an_error_has_a_row_and_every_row_is_a_code() -> None:
    listed = rows(section("Codes of commands and services")) | rows(section("Codes of the vendor's service"))
    states = {state.value for state in State}
    assert license_codes() - listed - rows(section("Codes of the HTTP APIs")) - states == set()
    http = set(re.findall(r'\("([A-Z]\w+)"', (ROOT / "license/serving/replies.py").read_text("utf-8")))
    assert listed - license_codes() - http == set()


def test_every_code_of_the_apis_has_a_row_and_every_row_is_a_code() -> None:
    listed = rows(section("Codes of the HTTP APIs"))
    found = named_codes("appliance/api", "appliance/server", calls=API_CALLS) | {"404", "405"}
    known = found | class_codes() | {state.value for state in State} | {"OutOfQuota"}
    assert found - listed - rows(section("Codes of commands and services")) == set()
    assert {code for code in listed if CODE.fullmatch(code)} - known - source_words() == set()


def test_every_code_of_a_desk_has_a_row_and_every_row_is_a_code() -> None:
    listed = rows(section("Codes of the desk of a site"))
    named = named_codes("appliance/site", calls=frozenset())
    assert named - listed - class_codes() == set()
    text = "".join(
        (ROOT / name).read_text("utf-8")
        for name in ("appliance/server/desk.py", "license/serving/replies.py")
    )
    first = set(re.findall(r'[(=] ?"([A-Z][A-Za-z]+)"', text))
    assert listed - named - first == set()
    assert {"Busy", "RequestTimeout", "TooLarge", "BadRequest"} <= listed


def source_words() -> set[str]:
    """Quoted words in the source of the APIs: codes that are passed on by a name."""
    text = "".join(path.read_text("utf-8") for path in Path(ROOT / "appliance").rglob("*.py"))
    return set(re.findall(r'"([A-Z][A-Za-z]+)"', text))


def test_every_exit_status_has_a_row() -> None:
    listed = {int(word) for word in rows(section("Exit status")) if word.isdecimal()}
    own = {EXIT_CONFIGURATION, EXIT_FAILED, EXIT_IO, EXIT_TRY_LATER, *DOWNLOAD_EXITS.values()}
    others = {
        value
        for module in (command, license.authority.cli.common)
        for name, value in vars(module).items()
        if name.startswith("EXIT_")
    }
    assert listed == {0, 1, 2} | own | others


def test_every_row_leads_to_a_page() -> None:
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            assert re.search(r"\]\([\w./-]+\.md(#[\w-]+)?\) \|$", line), line
