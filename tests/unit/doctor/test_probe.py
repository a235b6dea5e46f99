import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from appliance.doctor.probe import PortFact, port
from tests.support.certificates import authority, certificate


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"service":"customner","ready":"ready","message":"fine"}')

    def log_message(self, *_: object) -> None:
        pass


class Quiet(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A caller without a certificate is no news."""


@contextlib.contextmanager
def served(place: Path | None = None, *, callers: bool = False) -> Iterator[int]:
    server = Quiet(("127.0.0.1", 0), Ready)
    if place is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate("text").write(place, "server"))
        if callers:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority("callers").write(place, "authority")[0])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_whoever_is_ready_says_so_by_http_and_by_https(tmp_path: Path) -> None:
    with served() as number:
        fact = port("0.0.0.0", number)  # noqa: S104 (as the setting has it)
        assert (fact.ready, fact.service, fact.message) == (True, "customner", "fine")
    with served(tmp_path) as number:
        assert port("127.0.0.1", number, tls=True).ready
        assert port("127.0.0.1", number) == PortFact(address=f"127.0.0.1:{number}", listening=True)


def test_who_asks_for_a_certificate_is_there(tmp_path: Path) -> None:
    with served(tmp_path, callers=True) as number:
        fact = port("127.0.0.1", number, tls=True)
    assert (fact.listening, fact.closed, fact.ready) == (True, True, False)


def test_nobody_is_nobody() -> None:
    with served() as number:
        pass
    assert port("127.0.0.1", number) == PortFact(address=f"127.0.0.1:{number}")
