import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from license.authority.http.app import make_app
from license.client.packages import Offer, download_package, list_models
from license.errors import (
    BadReply,
    ContainerUseUnauthorized,
    CouldNotConnect,
    KeyInvalid,
    LicenseError,
    Malformed,
    ModelDownloadTimedOut,
    NoModelKey,
    NoRoom,
    PackageDamaged,
    UnknownSigner,
    UnknownStatus,
    Unwritable,
)
from license.models.keys import identity_for
from license.models.package import PackageFiles, open_package, read_manifest
from tests.support.disks import require_mounts, tmpfs

MODEL = bytes(range(256)) * 8_000


@pytest.fixture(scope="module")
def offering(tmp_path_factory: pytest.TempPathFactory, vendor_at: Callable[..., Any]) -> Iterator[Any]:
    """A vendor with two releases of a line that its resource has."""
    place = tmp_path_factory.mktemp("offering")
    vendor = vendor_at(place / "vendor")
    (place / "model").mkdir()
    (place / "model/model.onnx").write_bytes(MODEL)
    vendor.authority.create_line("ner-en/3")
    for release in ("1.0.0", "1.0.1"):
        vendor.clock.now += 1
        vendor.authority.pack(place / "model", line="ner-en/3", release=release, name="ner-en", task="ner")
    vendor.authority.grant("acme-ner", "ner-en/3")
    yield vendor
    vendor.authority.close()


@pytest.fixture
def fetch(offering: Any, tmp_path: Path) -> Callable[..., Any]:
    def run(billing: str, **changes: Any) -> Any:
        values: dict[str, Any] = {"billing": billing, "api_key": offering.key, "line": "ner-en/3"}
        values |= {"directory": tmp_path, "roots": offering.roots, "now": offering.clock(), "stall_s": 2}
        return download_package(**values | changes)

    return run


def parts(directory: Path) -> list[Path]:
    return list(directory.glob(".*.part"))


def test_the_newest_release_is_fetched_and_opens_with_the_licence(
    offering: Any, fetch: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    with serve(make_app(offering.authority)) as url:
        offers = list_models(billing=url, api_key=offering.key, now=0)
        manifest, files = fetch(url, progress=lambda here, whole: seen.append((here, whole)))
    assert [offer.release for offer in offers] == ["1.0.0", "1.0.1"]
    assert offers[1] == Offer(
        line="ner-en/3",
        release="1.0.1",
        name="ner-en",
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        task="ner",
        language="",
        issued=manifest.issued,
    )
    assert offers[1].id == manifest.id
    assert seen[-1] == (manifest.bytes, manifest.bytes)
    assert read_manifest(files.package, roots=offering.roots) == manifest
    identity = identity_for(offering.opened().license, "ner-en/3", offering.hpke)
    assert dict(open_package(files.package, manifest, identity)) == {"model.onnx": MODEL}
    assert len(list(tmp_path.iterdir())) == 3


def test_what_is_there_is_not_fetched_again(
    offering: Any, fetch: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    with serve(make_app(offering.authority)) as url:
        fetch(url, release="1.0.0")
        seen: list[int] = []
        fetch(url, release="1.0.0", progress=lambda here, _: seen.append(here))
    assert seen == []


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(
    offering: Any, fetch: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    require_mounts()
    seen: list[int] = []
    with tmpfs(tmp_path / "small", megabytes=1) as small, serve(make_app(offering.authority)) as url:
        with pytest.raises(NoRoom, match=rf"needs 3 MB in {small}, and 1 MB are free there"):
            fetch(url, directory=small, progress=lambda here, _: seen.append(here))
        assert (seen, list(small.iterdir())) == ([], [])


class Relay:
    """Stands between the appliance and the authority, and treats packages as a bad line would."""

    def __init__(self, offering: Any) -> None:
        self.packages = offering.authority.packages_dir
        self.ranges: list[str | None] = []
        self.cut: list[int] = []
        self.change: Callable[[bytes], bytes] = lambda data: data
        self.ignore_range = False

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path = handler.path
        files = PackageFiles.beside(self.packages / "ner-en-3-1.0.1")
        if not path.endswith("/package"):
            notes = {"manifest": files.manifest.read_text(), "issuer": files.issuer.read_text()}
            self.send(handler, 200, json.dumps(notes).encode())
            return
        data = self.change(files.package.read_bytes())
        wanted = handler.headers.get("Range")
        self.ranges.append(wanted)
        start = 0 if wanted is None or self.ignore_range else int(wanted[6:-1])
        extra = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        cut = self.cut.pop(0) if self.cut else None
        self.send(handler, 206 if start else 200, data[start:], extra, cut)

    def send(
        self,
        handler: http.server.BaseHTTPRequestHandler,
        code: int,
        data: bytes,
        extra: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        handler.send_response(code)
        for name, value in (extra or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data if cut is None else data[:cut])
        handler.close_connection = True


@pytest.fixture
def relay(offering: Any) -> Relay:
    return Relay(offering)


@contextmanager
def relaying(relay: Relay) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            relay.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_download_that_breaks_goes_on_where_it_stopped(
    fetch: Callable[..., Any], relay: Relay, tmp_path: Path
) -> None:
    relay.cut = [300_000, 100_000, 700_000]
    with relaying(relay) as url:
        manifest, files = fetch(url, release="1.0.1")
    assert relay.ranges == [None, "bytes=300000-", "bytes=400000-", "bytes=1100000-"]
    assert hashlib.sha256(files.package.read_bytes()).hexdigest() == manifest.sha256
    assert parts(tmp_path) == []


def test_a_later_call_goes_on_too(fetch: Callable[..., Any], relay: Relay, tmp_path: Path) -> None:
    relay.cut = [300_000, 0, 0, 0, 0, 0]
    with relaying(relay) as url:
        with pytest.raises(CouldNotConnect, match="5 times in a row") as caught:
            fetch(url, release="1.0.1")
        assert "goes on where it stopped" in caught.value.hint
        assert [part.stat().st_size for part in parts(tmp_path)] == [300_000]
        relay.cut, relay.ranges = [], []
        fetch(url, release="1.0.1")
    assert relay.ranges == ["bytes=300000-"]


def test_a_server_without_ranges_starts_again(fetch: Callable[..., Any], relay: Relay) -> None:
    relay.cut, relay.ignore_range = [300_000], True
    with relaying(relay) as url:
        manifest, files = fetch(url, release="1.0.1")
    assert files.package.stat().st_size == manifest.bytes


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1] + b"x", lambda data: data + b"x", lambda data: b"<html>" * 400_000]
)
def test_what_is_not_the_package_is_removed(
    fetch: Callable[..., Any], relay: Relay, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    relay.change = change
    with relaying(relay) as url, pytest.raises(PackageDamaged, match="not the package its manifest names"):
        fetch(url, release="1.0.1")
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_takes_too_long_times_out_and_is_kept(
    fetch: Callable[..., Any], relay: Relay, tmp_path: Path
) -> None:
    times = iter([0.0, 1.0, 2.0, 4_000.0])
    with (
        relaying(relay) as url,
        pytest.raises(ModelDownloadTimedOut, match="Failed to download: context deadline exceeded") as caught,
    ):
        fetch(url, release="1.0.1", clock=lambda: next(times))
    assert "goes on where it stopped" in caught.value.hint
    assert parts(tmp_path)[0].stat().st_size > 0


def test_refusals_keep_their_status_words(
    offering: Any, fetch: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    with serve(make_app(offering.authority)) as url:
        with pytest.raises(KeyInvalid):
            fetch(url, api_key="0" * 32)
        with pytest.raises(KeyInvalid):
            fetch(url, api_key="two words")
        with pytest.raises(NoModelKey, match="no package of model line ner-en/4") as caught:
            fetch(url, line="ner-en/4")
        assert "ner-en/3" in caught.value.hint
        with pytest.raises(UnknownStatus, match="no such package"):
            fetch(url, release="9")
        waiting = offering.authority.create_resource(customer="W", approved=False).key1
        with pytest.raises(ContainerUseUnauthorized, match="not approved"):
            fetch(url, api_key=waiting)
        with pytest.raises(Malformed):
            fetch(url, line="../../etc")
        with pytest.raises(Malformed):
            fetch(url, release="../x")


def test_a_manifest_by_a_stranger_stops_it_before_the_package(
    fetch: Callable[..., Any], relay: Relay, new_vendor: Callable[..., Any], tmp_path: Path
) -> None:
    with relaying(relay) as url, pytest.raises(UnknownSigner):
        fetch(url, release="1.0.1", roots=new_vendor().roots)
    assert relay.ranges == []
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_directory_that_cannot_be_written_is_named(
    fetch: Callable[..., Any], relay: Relay, tmp_path: Path
) -> None:
    with relaying(relay) as url, pytest.raises(Unwritable, match="cannot write the package") as caught:
        fetch(url, release="1.0.1", directory=tmp_path / "nowhere")
    assert "goes on" in caught.value.hint


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"models": 1}', b'{"models": [{}]}', b"\xff", b"<html>"]
)
def test_an_answer_that_is_no_catalogue_is_a_bad_reply(relay: Relay, body: bytes) -> None:
    relay.answer = lambda handler: relay.send(handler, 200, body)  # type: ignore[method-assign]
    with relaying(relay) as url, pytest.raises(BadReply):
        list_models(billing=url, api_key="k", now=0)


def test_nobody_there_is_could_not_connect(fetch: Callable[..., Any]) -> None:
    with pytest.raises(CouldNotConnect):
        fetch("http://127.0.0.1:1")
    with pytest.raises(LicenseError):
        fetch("ftp://127.0.0.1")
