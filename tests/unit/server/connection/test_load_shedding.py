"""Load shedding over real connections: 429 after the headers while the queue is full."""

import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest
import uvicorn

from appliance.api.authentication import Keys
from appliance.observability.instruments import Instruments
from appliance.server.connection.connections import ConnectionLimits, Connections
from appliance.server.connection.load_shedding import ENDPOINT, LoadShedder, LoadSheddingProtocol
from tests.support.site import NO_TLS

FULL = "/full"
LIMITS = ConnectionLimits(keep_alive_seconds=1)
LET_IN = 299


class House:
    """A server whose door is shut for one path while `full`."""

    def __init__(self, keys: tuple[str, ...] = (), *, limits: ConnectionLimits = LIMITS) -> None:
        self.full = True
        self.bodies: list[bytes] = []
        self.instruments = Instruments()
        shedder = LoadShedder(
            is_overloaded=lambda path: self.full and path == FULL,
            admits=Keys([("one", key) for key in keys]).admit,
            instruments=self.instruments,
        )
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()
        config = uvicorn.Config(
            self._answer,
            http=partial(LoadSheddingProtocol, shedder=shedder, table=Connections(limits)),  # type: ignore[arg-type]
            log_config=None,
            lifespan="off",
            interface="asgi3",
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listening],))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        length = str(len(scope["path"])).encode()
        await send(
            {"type": "http.response.start", "status": LET_IN, "headers": [(b"content-length", length)]}
        )
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    def client(self, **options: Any) -> httpx2.Client:
        host, port = self.address
        return httpx2.Client(base_url=f"http://{host}:{port}", timeout=60, verify=NO_TLS, **options)

    def talk(self, data: bytes, replies: int) -> bytes:
        """Send bytes as they are and return what comes back until so many replies have come."""
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(data)
            heard = b""
            while heard.count(b"HTTP/1.1 ") < replies or not heard.endswith((FULL.encode(), b"}", b"/")):
                part = connection.recv(65_536)
                if not part:
                    break
                heard += part
            return heard

    def refusals(self) -> float:
        return float(self.instruments.requests.labels(ENDPOINT, "429")._value.get())

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("POST", FULL, 429), ("POST", f"{FULL}?a=b", 429), ("POST", "/other", 299), ("GET", FULL, 299)],
)
def test_only_what_would_wait_for_a_model_is_refused(
    house: House, method: str, path: str, expected: int
) -> None:
    with house.client() as client:
        assert client.request(method, path).status_code == expected
    assert house.refusals() == (expected == 429)


def test_a_refusal_says_what_the_queue_would_say_and_has_an_id_of_its_own(house: House) -> None:
    with house.client() as client:
        first, second = (client.post(FULL, json={}) for _ in range(2))
    assert first.json()["error"]["code"] == "TooManyRequests"
    assert first.headers["retry-after"] == "1"
    assert first.headers["content-type"] == "application/json; charset=utf-8"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["date"]
    assert len({reply.headers["apim-request-id"] for reply in (first, second)}) == 2


def test_a_refused_connection_is_used_again_and_the_body_is_read_past(house: House) -> None:
    with house.client(limits=httpx2.Limits(max_connections=1)) as client:
        for turn in range(6):
            house.full = turn % 2 == 0
            reply = client.post(FULL, content=b"POST /other HTTP/1.1\r\n\r\n" * 20_000)
            assert reply.status_code == (429 if house.full else LET_IN)
    assert len(house.bodies) == 3, "no body was taken for a request"


def test_requests_sent_ahead_are_answered_in_their_order(house: House) -> None:
    def post(path: str) -> bytes:
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()

    heard = house.talk(post("/other/") + post(FULL) + post("/another/"), 3)
    statuses = [int(line.split()[1]) for line in heard.splitlines() if b"HTTP/1.1 " in line]
    assert len(statuses) == 3
    assert statuses[0] == statuses[2] == LET_IN
    assert heard.index(b"/other/") < heard.index(b"/another/")


def test_whoever_has_no_key_is_not_told_how_busy_it_is() -> None:
    house = House(keys=("secret",))
    try:
        with house.client() as client:
            assert client.post(FULL).status_code == LET_IN, "left to the access control behind the door"
            assert client.post(FULL, headers={"Ocp-Apim-Subscription-Key": "wrong"}).status_code == LET_IN
            assert client.post(FULL, headers={"Ocp-Apim-Subscription-Key": "secret"}).status_code == 429
    finally:
        house.close()


def test_a_connection_that_ends_after_this_request_is_closed_with_the_refusal(house: House) -> None:
    with house.client() as client:
        reply = client.post(FULL, headers={"Connection": "close"})
    assert reply.status_code == 429
    assert reply.headers["connection"] == "close"
    assert "retry-after" in reply.headers
    heard = house.talk(f"POST {FULL} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode(), 1)
    assert heard.startswith(b"HTTP/1.1 429")


def test_a_refused_connection_that_falls_silent_is_closed(house: House) -> None:
    with socket.create_connection(house.address, timeout=60) as connection:
        connection.sendall(f"POST {FULL} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n".encode())
        heard = b""
        while not heard.endswith(b"}"):
            heard += connection.recv(65_536)
        assert heard.startswith(b"HTTP/1.1 429 ")
        connection.sendall(b"body")
        assert connection.recv(1) == b"", "closed as any connection without a further request"


def test_a_stop_does_not_wait_for_refused_connections(house: House) -> None:
    with house.client() as client:
        assert client.post(FULL).status_code == 429
        house.close()
