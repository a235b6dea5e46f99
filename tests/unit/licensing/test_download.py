"""The connected moment over real HTTP: what is saved and printed, and one exit code for each status word."""

import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import Result

from appliance.cli.errors import DOWNLOAD_EXITS
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.support.site import Site

Operate = Callable[..., Result]
PAGE = ROOT / "docs" / "licence.md"


@pytest.fixture
def key(vendor: Authority) -> str:
    return vendor.create_resource(customer="Test customer", meters={TEXT_RECORDS: 12_000}).key1


def download(operate: Operate, billing: str, key: str, *words: str) -> Result:
    given = ("Eula=accept", f"Billing={billing}", f"ApiKey={key}", *words)
    return operate("license", "download", *given)


def test_a_download_saves_as_readable_as_the_directory_and_prints_table_and_command(
    operate: Operate, site: Site, billing: str, key: str
) -> None:
    site.license.chmod(0o750)
    result = download(operate, billing, key)
    assert result.exit_code == 0, result.output
    for words in ("Test customer", "ner", "in 365 days", "12,000 until", "Models"):
        assert words in result.stdout
    assert [oct(path.stat().st_mode & 0o777) for path in site.license.iterdir()] == ["0o640"] * 2
    command = shlex.split(result.stdout.strip().splitlines()[-1])
    assert f"Mounts:License={site.license}" in command
    assert f"Mounts:Output={site.output}" in command
    assert f"Mounts:State={site.state}" in command
    assert not any(word.startswith(("ApiKey", "Billing")) for word in command)


def test_a_program_reads_where_the_licence_lies_what_it_says_and_what_to_run(
    operate: Operate, site: Site, billing: str, key: str
) -> None:
    facts = json.loads(download(operate, billing, key, "--json").stdout)
    assert facts["saved"] == str(site.license / "license.note")
    assert facts["license"]["customer"] == "Test customer"
    assert facts["state"] == "Valid"
    assert facts["packages"] == []
    assert f"Mounts:License={site.license}" in shlex.split(facts["run"][-1])


def test_the_start_parameter_does_the_same(operate: Operate, site: Site, billing: str, key: str) -> None:
    words = ("Eula=accept", f"Billing={billing}", f"ApiKey={key}", "DownloadLicense=True")
    result = operate("serve", *words)
    assert result.exit_code == 0, result.output
    assert "From now on no network is needed" in result.stdout


def test_an_output_directory_that_is_not_there_is_made_by_the_printed_commands(
    operate: Operate, site: Site, billing: str, key: str
) -> None:
    result = download(operate, billing, key, f"Mounts:Output={site.home / 'else where'}")
    make, serve = result.stdout.strip().splitlines()[-2:]
    assert shlex.split(make) == ["install", "-d", "-m", "0700", str(site.home / "else where")]
    assert shlex.split(serve)[-1] == f"Mounts:Output={site.home / 'else where'}"


def test_without_the_eula_nothing_is_asked(operate: Operate, billing: str, key: str) -> None:
    result = operate("license", "download", f"Billing={billing}", f"ApiKey={key}")
    assert result.exit_code == 78
    assert "Missing EULA=accept" in result.stderr


def test_a_wrong_key_is_invalid(operate: Operate, site: Site, billing: str) -> None:
    result = download(operate, billing, "0" * 32)
    assert result.exit_code == 10
    assert "hint: " in result.stderr
    assert list(site.license.iterdir()) == []


def test_nobody_there_is_could_not_connect(operate: Operate) -> None:
    result = download(operate, "http://127.0.0.1:1", "key")
    assert result.exit_code == 12
    assert "nobody listens" in result.stderr


def test_a_licence_that_cannot_be_saved_is_not_asked_for(
    operate: Operate, site: Site, vendor: Authority, billing: str, key: str
) -> None:
    def issued() -> int:
        return sum(len(vendor.store.notes(resource.name)) for resource in vendor.store.resources())

    before = issued()
    site.license.rmdir()
    missing = download(operate, billing, key)
    site.license.write_text("a file")
    no_directory = download(operate, billing, key)
    for result in (missing, no_directory):
        assert result.exit_code not in {0, *DOWNLOAD_EXITS.values()}
        assert f"error: cannot write the licence to {site.license}: " in result.stderr
        assert "Requesting" not in result.stderr
    assert issued() == before


class _Authority(BaseHTTPRequestHandler):
    """Answers every request with the status word that the path begins with."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        word = self.path.split("/")[1]
        body = json.dumps({"status": word, "error": {"message": f"the authority says {word}"}}).encode()
        self.send_response(503 if word in ("CouldNotConnect", "BillingEndpointBusy", "Unknown") else 403)
        self.send_header("Retry-After", "17")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


WORDS = {
    "Invalid": 10,
    "Mismatch": 11,
    "CouldNotConnect": 12,
    "OutOfQuota": 13,
    "BillingEndpointBusy": 14,
    "ContainerUseUnauthorized": 15,
    "Unknown": 16,
}


@pytest.mark.parametrize(("word", "code"), WORDS.items())
def test_each_status_word_has_its_exit_code_sentence_and_next_step(
    operate: Operate, site: Site, authority: str, word: str, code: int
) -> None:
    result = download(operate, f"{authority}/{word}", "key")
    assert result.exit_code == code
    assert f"error: the authority says {word}" in result.stderr
    assert re.search(r"hint: .+ \(the authority asks to wait 17 s\)", result.stderr)
    assert list(site.license.iterdir()) == []


def test_no_two_refusals_of_a_download_share_an_exit_code() -> None:
    assert len(set(DOWNLOAD_EXITS.values())) == len(DOWNLOAD_EXITS)


def test_the_page_lists_every_exit_code_of_a_download() -> None:
    page = PAGE.read_text()
    for error, code in DOWNLOAD_EXITS.items():
        assert re.search(rf"\| {code} \| `{error.code}`", page), (error, code)
