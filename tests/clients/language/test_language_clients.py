"""Releases of the official clients, and Java and curl with their defaults, against a running service.

Each release has a folder of its own, installed once from a lock. What each of them got is compared with the
table in `docs/compatibility.md`.
"""

import json
import re
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.support.clients import INSTALL_SECONDS, install, run, tool
from tests.support.locks import environment_of, read_pins, unmet
from tests.support.paths import ROOT
from tests.support.site import Service
from tests.support.wire import ANALYZE, BODY

pytestmark = pytest.mark.e2e
HERE = ROOT / "tests" / "clients" / "language"
PROGRAMS = ROOT / "tests" / "clients" / "programs"
PAGE = ROOT / "docs" / "compatibility.md"
CALLS = ("entities", "job", "custom", "refusal")
NAMES = ["Angela Merkel", "Reuters", "Berlin"]
PYTHON = sorted(path.stem for path in (HERE / "python").glob("*.txt"))
PYTHON_ROW = "azure-ai-textanalytics (Python)"
JAVASCRIPT = {
    "language-text-1.0.0": ("@azure/ai-language-text (JavaScript)", "1.0.0"),
    "language-text-1.1.0": ("@azure/ai-language-text (JavaScript)", "1.1.0"),
    "text-analytics-5.0.1": ("@azure/ai-text-analytics (JavaScript)", "5.0.1"),
    "text-analytics-5.1.0": ("@azure/ai-text-analytics (JavaScript)", "5.1.0"),
}


def table() -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the page: calls by client and version."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 + len(CALLS) and re.match(r"\d", cells[1]):
            found[cells[0], cells[1]] = dict(zip(CALLS, cells[3:], strict=True))
    return found


def measured(found: dict[str, Any]) -> dict[str, str]:
    """What a client got, as the page writes it."""
    row = {}
    for call in CALLS:
        got = found.get(call, "-")
        if call == "refusal":
            good = isinstance(got, str) and re.match(r"(HttpResponseError|RestError): ", got) is not None
        else:
            good = got == NAMES
        row[call] = got if got == "-" else "yes" if good else f"no: {got}"
    return row


@pytest.mark.timeout(INSTALL_SECONDS + 120)
@pytest.mark.parametrize("version", PYTHON)
def test_a_release_of_the_python_client_gets_what_the_page_says(service: Service, version: str) -> None:
    lock = HERE / "python" / f"{version}.txt"
    folder = Path(sys.prefix) / "language-clients" / version
    words = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    install(
        folder,
        [lock],
        [sys.executable, "-m", "pip", "install", *words, "--target", str(folder), "-r", str(lock)],
    )
    environment = environment_of(f"{sys.version_info.major}.{sys.version_info.minor}")
    installed = {
        str(canonicalize_name(one.metadata["Name"])): one for one in distributions(path=[str(folder)])
    }
    lacking = unmet(
        [f"azure-ai-textanalytics=={version}"],
        read_pins(lock, environment),
        environment,
        lambda name, _: installed[name].requires or [],
    )
    assert lacking == []
    printed = run([sys.executable, str(HERE / "python" / "client.py"), service.url], PYTHONPATH=str(folder))
    assert measured(json.loads(printed)) == table()[PYTHON_ROW, version]


@pytest.fixture(scope="module")
def javascript() -> Path:
    """The folder of the JavaScript clients."""
    npm = tool("npm", "npm")
    tool("node", "nodejs")
    folder = Path(sys.prefix) / "language-clients" / "javascript"
    locks = [HERE / "javascript" / name for name in ("package.json", "package-lock.json")]
    install(folder, locks, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    return folder


@pytest.mark.timeout(INSTALL_SECONDS + 120)
@pytest.mark.parametrize("package", JAVASCRIPT)
def test_a_release_of_a_javascript_client_gets_what_the_page_says(
    service: Service, javascript: Path, package: str
) -> None:
    program = str(HERE / "javascript" / "client.mjs")
    printed = run([tool("node", "nodejs"), program, str(javascript), package, service.url + "/"])
    assert measured(json.loads(printed)) == table()[JAVASCRIPT[package]]


def test_every_row_of_the_page_is_measured() -> None:
    assert set(table()) == {(PYTHON_ROW, version) for version in PYTHON} | set(JAVASCRIPT.values())
    locked = json.loads((HERE / "javascript" / "package-lock.json").read_text())["packages"]
    for package, (_, version) in JAVASCRIPT.items():
        assert locked[f"node_modules/{package}"]["version"] == version
        assert locked[f"node_modules/{package}"]["integrity"]


def test_javas_client_with_its_defaults_is_answered(service: Service) -> None:
    java = tool("java", "default-jdk-headless")
    lines = run([java, str(PROGRAMS / "Ask.java"), service.url + ANALYZE, BODY.decode()]).splitlines()
    assert len(lines) == 3
    for line in lines:
        status, _, body = line.partition(" ")
        entities = json.loads(body)["results"]["documents"][0]["entities"]
        assert (status, [one["text"] for one in entities]) == ("200", NAMES)


def test_curl_that_offers_http_2_is_answered(service: Service) -> None:
    curl = tool("curl", "curl")
    words = ["--silent", "--show-error", "--http2", "-H", "Content-Type: application/json"]
    printed = run([curl, *words, "--data-binary", BODY.decode(), service.url + ANALYZE])
    entities = json.loads(printed)["results"]["documents"][0]["entities"]
    assert [one["text"] for one in entities] == NAMES
