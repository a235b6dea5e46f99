"""Models from the vendor's catalogue, listed, downloaded and served by the container's start parameters."""

import json
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
import uvicorn
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.config.products import SPEECH_TO_TEXT
from license.authority.authority import Authority
from license.authority.http.app import make_app
from license.authority.models.describe import describe
from license.models.manifest import Manifest
from tests.e2e.speech.test_rest import ASKED, wav
from tests.support.display import write_pauses, write_rules
from tests.support.site import Site
from tests.support.tones import write_model
from tests.support.usp import PATH

LINE = "tones/1"
DAY = "[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8}"


class Shop(NamedTuple):
    """A vendor's network address, the keys of a customer's two resources, and what is on offer."""

    url: str
    models: str
    licences: str
    offers: dict[str, Manifest]


def pack(vendor: Authority, folder: Path, line: str, **more: str) -> Manifest:
    """Pack a folder as `license pack` does."""
    about = describe(folder, line=line, release=None, task=None, name=None)
    return vendor.pack(
        folder,
        line=line,
        release=about.release,
        name=about.name,
        task=about.task,
        language=about.language,
    )[0]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Shop]:
    place = tmp_path_factory.mktemp("shop")
    lines = (LINE, "rules-en/1", "pauses-en/1", "klaenge/1")
    for line in lines:
        vendor.create_line(line)
    offers = {
        "old": pack(vendor, write_model(place / "old"), LINE),
        "new": pack(vendor, write_model(place / "new", release="1.0.1"), LINE),
        "german": pack(vendor, write_model(place / "de", language="de-DE", line="klaenge/1"), "klaenge/1"),
        "rules": pack(vendor, write_rules(place / "rules", line="rules-en/1"), "rules-en/1"),
        "pauses": pack(vendor, write_pauses(place / "pauses", line="pauses-en/1"), "pauses-en/1"),
    }
    sold = {
        tier: vendor.create_resource(
            f"acme-{tier.lower()}",
            customer="Acme Ltd",
            product="speech",
            tier=tier,
            meters={SPEECH_TO_TEXT.meter: 1_000},
            approved=tier == "DC0",
            models=lines,
        ).key1
        for tier in ("S0", "DC0")
    }
    server = uvicorn.Server(uvicorn.Config(make_app(vendor), host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Shop(f"http://127.0.0.1:{port}", sold["S0"], sold["DC0"], offers)
    server.should_exit = True
    thread.join()


def type_(vendor: Authority, *words: str) -> Result:
    """Type a command into this process."""
    at = 2 if words[0] == "models" else 0
    name = words[:at] or ("serve",)
    given = [*name, "--roots", str(vendor.roots_dir), "Eula=accept", *words[at:]]
    return CliRunner().invoke(main, given)


def asking(shop: Shop, *words: str, key: str = "") -> list[str]:
    return ["Service=speechtotext", f"Billing={shop.url}", f"ApiKey={key or shop.models}", *words]


def test_base_models_are_listed_in_the_lines_operators_know(vendor: Authority, shop: Shop) -> None:
    result = type_(vendor, *asking(shop, "BaseModelLocale=en-US"))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Checking available base model for en-us"
    assert re.fullmatch(rf"{DAY} \[Info\] Searching available base models for en-us", lines[1])
    model = re.compile(
        rf"{DAY} \[Info\] \[Base model\] Locale: en-us, "
        r"CreatedDate: \d{4}-\d\d-\d\dT[\d:]{8}Z, Id: ([0-9a-f-]{36})"
    )
    ids = [match.group(1) for match in map(model.fullmatch, lines[2:-1]) if match is not None]
    assert ids == [shop.offers["old"].id, shop.offers["new"].id]
    assert re.match(rf"{DAY} \[Fatal\] Please run this tool again and assign --modelId", lines[-1])


def test_display_models_are_listed_where_their_types_are_chosen(vendor: Authority, shop: Shop) -> None:
    result = type_(vendor, *asking(shop, "BaseModelLocale=en-US", "FullDisplay"))
    assert "[Wfstitn model] Locale: en-us, CreatedDate: " in result.stdout
    assert shop.offers["rules"].id in result.stdout
    assert shop.offers["pauses"].id in result.stdout
    assert shop.offers["german"].id not in result.stdout


def test_a_program_reads_the_models_of_a_locale_and_the_packages_that_were_downloaded(
    vendor: Authority, shop: Shop, tmp_path: Path
) -> None:
    result = type_(
        vendor, "models", "download", *asking(shop, "BaseModelLocale=en-US", "FullDisplay")[1:], "--json"
    )
    assert result.exit_code == 0, result.output
    offers = {offer["id"]: offer for offer in json.loads(result.stdout)}
    new = shop.offers["new"]
    assert (offers[new.id]["type"], offers[new.id]["line"], offers[new.id]["sha256"]) == (
        "Base",
        new.line,
        new.sha256,
    )
    assert offers[shop.offers["rules"].id]["type"] == "Wfstitn"
    words = asking(shop, f"ModelId={new.id}", f"Mounts:Model={tmp_path}", "--json")[1:]
    brought = json.loads(type_(vendor, "models", "download", *words).stdout)
    assert brought == {"packages": [str(tmp_path / f"{new.stem}.age")]}


@pytest.mark.parametrize("name", ["id", "line", "release"])
def test_the_command_downloads_what_it_is_named(
    vendor: Authority, shop: Shop, tmp_path: Path, name: str
) -> None:
    wanted = shop.offers["old" if name == "release" else "new"]
    said = {"id": wanted.id.upper(), "line": LINE, "release": f"{LINE}/{wanted.release}"}[name]
    words = asking(shop, f"ModelId={said}", f"Mounts:Model={tmp_path / 'models'}")[1:]
    result = type_(vendor, "models", "download", *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(tmp_path / f"models/{wanted.stem}.age")]
    assert len(list((tmp_path / "models").iterdir())) == 3


def test_the_newest_display_models_are_downloaded_and_nothing_is_served(
    vendor: Authority, shop: Shop, tmp_path: Path
) -> None:
    words = asking(shop, "DisplayLocale=en-US", "Wfstitn", "Punct", f"Mounts:Model={tmp_path}")
    result = type_(vendor, *words)
    assert result.exit_code == 0, result.output
    assert "there is no Punct model for en-US" in result.stderr
    assert [path.name for path in tmp_path.glob("*.age")] == [f"{shop.offers['rules'].stem}.age"]


def test_a_query_goes_before_ids_and_ids_before_a_locale(
    vendor: Authority, shop: Shop, tmp_path: Path
) -> None:
    more = (f"WfstitnId={shop.offers['rules'].id}", "DisplayLocale=en-US", "FullDisplay")
    words = asking(shop, *more, f"Mounts:Model={tmp_path}")
    assert "Checking available" in type_(vendor, *words, "BaseModelLocale=en-US").stdout
    assert not list(tmp_path.iterdir())
    assert type_(vendor, *words).exit_code == 0
    assert [path.name for path in tmp_path.glob("*.age")] == [f"{shop.offers['rules'].stem}.age"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ModelId=nothing/1",), 78, "no model nothing/1"),
        (("ModelId=rules-en/1",), 78, "which ModelId does not take"),
        ((f"PunctId={LINE}",), 78, "which PunctId does not take"),
        (("DisplayLocale=en-US",), 78, "needs the types"),
        (("DisplayLocale=fr-FR", "FullDisplay"), 78, "for fr-FR"),
        (("BaseModelLocale=en_US",), 78, "such as en-US"),
    ],
)
def test_what_cannot_be_had_is_said(
    vendor: Authority, shop: Shop, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    result = type_(vendor, *asking(shop, *words, f"Mounts:Model={tmp_path}"))
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert "hint: " in result.stderr


def test_without_its_settings_nothing_is_asked(vendor: Authority, shop: Shop, tmp_path: Path) -> None:
    place = f"Mounts:Model={tmp_path}"
    missing = type_(vendor, "Service=speechtotext", "ModelId=tones/1", place)
    assert (missing.exit_code, "Billing and ApiKey" in missing.stderr) == (78, True)
    nowhere = type_(vendor, *asking(shop, "ModelId=tones/1"))
    assert (nowhere.exit_code, "Mounts:Model is missing" in nowhere.stderr) == (78, True)
    text = type_(vendor, *asking(shop, "ModelId=tones/1", place)[1:])
    assert (text.exit_code, "Service=speechtotext" in text.stderr) == (78, True)


def test_the_two_resources_are_kept_apart(vendor: Authority, shop: Shop, tmp_path: Path) -> None:
    place = f"Mounts:Model={tmp_path}"
    model = type_(vendor, *asking(shop, "ModelId=tones/1", place, key=shop.licences))
    assert model.exit_code == 11
    assert "S0" in model.stderr
    mounts = [f"Mounts:{name}={tmp_path / name.lower()}" for name in ("State", "License", "Output")]
    (tmp_path / "license").mkdir()
    words = asking(shop, "DownloadLicense=True", *mounts)
    licence = type_(vendor, *words)
    assert licence.exit_code == 11
    assert "DC0" in licence.stderr
    assert not list((tmp_path / "license").iterdir())


def test_model_first_licence_second_run_third(vendor: Authority, shop: Shop, tmp_path: Path) -> None:
    """The documented order of work, each step with the key of its own resource, the last without network."""
    place = f"Mounts:Model={tmp_path / 'models'}"
    for words in (("DisplayLocale=en-US", "FullDisplay"), ("ResegmentId=pauses-en/1", f"ModelId={LINE}")):
        done = type_(vendor, *asking(shop, *words, place))
        assert done.exit_code == 0, done.output
    site = Site(tmp_path / "site", vendor)
    got = type_(vendor, *asking(shop, "DownloadLicense=True", place, *site.mounts, key=shop.licences))
    assert got.exit_code == 0, got.output
    assert "Service=speechtotext" in shlex.split(got.stdout.strip().splitlines()[-1])
    model = f"--model={tmp_path / 'models'}"
    checked = site.operate("license", "check", "Service=speechtotext", model)
    assert checked.returncode == 0, checked.stderr
    assert len(checked.stdout.splitlines()) == 4  # the licence, and three packages that open
    service = site.start("Service=speechtotext", place, "ModelId=ignored/1", "FullDisplay")
    try:
        assert "ModelId=ignored/1 is ignored" in service.text()
        assert "model tones 1.0.1 for en-US is loaded" in service.text()
        assert "display model Wfstitn: speech-wfstitn 1.0.0" in service.text()
        with service.client() as client:
            reply = client.post(PATH.format(mode="interactive"), params=ASKED, content=wav())
        assert reply.json()["DisplayText"] == "TURN-L."
        assert service.stop() == 0
    finally:
        site.close()


def test_a_connected_start_fetches_its_model_and_serves(
    vendor: Authority, shop: Shop, tmp_path: Path
) -> None:
    vendor.approve("acme-s0")
    site = Site(tmp_path / "site", vendor)
    words = [*asking(shop, f"ModelId={shop.offers['new'].id}"), f"Mounts:Model={tmp_path / 'models'}"]
    started = Site.start(_Connected(site), *words)
    try:
        with started.client() as client:
            reply = client.post(PATH.format(mode="interactive"), params=ASKED, content=wav())
        assert reply.json()["DisplayText"] == "Turn left."
        assert started.stop() == 0
    finally:
        site.close()


class _Connected(Site):
    """The same site, started without a licence mount."""

    def __init__(self, site: Site) -> None:
        self.home, self.vendor, self.running = site.home, site.vendor, site.running

    @property
    def mounts(self) -> tuple[str, ...]:
        return (f"Mounts:State={self.state}",)


class _Slow(BaseHTTPRequestHandler):
    """Passes everything on, but hands out packages a few bytes at a time."""

    protocol_version = "HTTP/1.0"
    shop: Shop
    held = threading.Event()

    def do_GET(self) -> None:
        reply = httpx2.get(self.shop.url + self.path, headers=dict(self.headers.items()))
        body = reply.content
        self.send_response(reply.status_code)
        for name, value in reply.headers.items():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        if not self.path.endswith("/package"):
            self.wfile.write(body)
            return
        for at in range(0, len(body), 64):
            self.wfile.write(body[at : at + 64])
            if self.held.wait(0.05):
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


def test_a_download_beyond_its_limit_says_so_and_goes_on_where_it_stopped(
    vendor: Authority, shop: Shop, tmp_path: Path
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Slow", (_Slow,), {"shop": shop}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        words = asking(shop, "ModelId=tones/1", f"Mounts:Model={tmp_path}", "Models:DownloadSeconds=1")
        words[1] = f"Billing=http://127.0.0.1:{server.server_port}"
        late = type_(vendor, *words)
        assert late.exit_code == 17, late.output
        assert "[ERROR] Failed to download: context deadline exceeded" in late.stderr.splitlines()
        assert "goes on where it stopped" in late.stderr
        (part,) = tmp_path.glob(".*.part")
        assert 0 < part.stat().st_size < shop.offers["new"].bytes
        done = type_(
            vendor, "models", "download", *asking(shop, "ModelId=tones/1", f"Mounts:Model={tmp_path}")
        )
        assert done.exit_code == 0, done.output
        assert not list(tmp_path.glob(".*.part"))
    finally:
        _Slow.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_without_a_model_a_start_says_where_one_comes_from(
    new_site: Callable[..., Site], tmp_path: Path
) -> None:
    done = new_site().run("Service=speechtotext", f"Mounts:Model={tmp_path}")
    assert done.returncode == 78
    assert "hint: " in done.stderr
