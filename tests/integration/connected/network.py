"""A way to the endpoint that fails as told: a TCP relay on loopback between a client and the real service."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.unit.license.client.test_licenses import self_signed

Answer = Callable[["Relay", socket.socket, bytes], None]


class Relay:
    """Listens; each connection's request is read whole and then treated as `answer` says."""

    def __init__(self, upstream: str, answer: Answer) -> None:
        self.upstream = urlsplit(upstream)
        self.answer = answer
        self.requests: list[bytes] = []
        self.delivered = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._ended.set()
        with socket.create_connection(self._listener.getsockname(), timeout=5):
            pass
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def wait(self) -> None:
        """Hang until the test is over."""
        self._ended.wait(10)

    def forward(self, request: bytes) -> bytes:
        """Deliver a request to the real service and return its whole reply."""
        host, port = self.upstream.hostname or "", self.upstream.port or 80
        with socket.create_connection((host, port), timeout=10) as up:
            up.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            reply = b""
            while part := up.recv(65_536):
                reply += part
        self.delivered += 1
        return reply

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._ended.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                request = read_request(connection)
                if request:
                    self.requests.append(request)
                    self.answer(self, connection, request)
            except OSError:
                return


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(65_536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body


def pass_on(relay: Relay, connection: socket.socket, request: bytes) -> None:
    connection.sendall(relay.forward(request))


def told(code: int, body: bytes = b"{}", headers: bytes = b"") -> Answer:
    """Answer with this, and deliver nothing."""

    def answer(relay: Relay, connection: socket.socket, request: bytes) -> None:
        length = str(len(body)).encode()
        connection.sendall(
            b"HTTP/1.1 %d Told\r\nContent-Length: %s\r\n%s\r\n%s" % (code, length, headers, body)
        )

    return answer


def hang(relay: Relay, connection: socket.socket, request: bytes) -> None:
    relay.wait()


def drip(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver, and answer a byte at a time: too slowly to be waited for."""
    for byte in relay.forward(request):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_at_once(relay: Relay, connection: socket.socket, request: bytes) -> None:
    reset(connection)


def reset_in_reply(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver, then break off in the middle of the answer."""
    reply = relay.forward(request)
    connection.sendall(reply[: len(reply) - 20])
    time.sleep(0.05)
    reset(connection)


def lose_reply(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver, and answer nothing: the acknowledgement is lost."""
    relay.forward(request)


def garble(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver, and answer with something that is not JSON."""
    relay.forward(request)
    told(200, b"<html>portal</html>")(relay, connection, request)


def another_log(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver, and answer as if for another log."""
    relay.forward(request)
    body = b'{"status":"Valid","message":"","log":"offline-appliance/x/0/1","next":7}'
    told(200, body)(relay, connection, request)


def twice(relay: Relay, connection: socket.socket, request: bytes) -> None:
    """Deliver it twice, as a retrying proxy does."""
    relay.forward(request)
    connection.sendall(relay.forward(request))


def not_http(relay: Relay, connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"220 mail.example.com ESMTP\r\n")


class TlsEndpoint:
    """Speaks TLS with a certificate that nobody trusts."""

    def __init__(self, directory: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self_signed(directory))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                with connection, self._context.wrap_socket(connection, server_side=True):
                    pass
            except ssl.SSLError:
                continue
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()
