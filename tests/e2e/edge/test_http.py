"""What a connection may send: paths as clients type them, offers to upgrade, heads of any size, nonsense."""

import time

import pytest

from tests.support.site import Service
from tests.support.wire import ANALYZE, BODY, head, post, wire

pytestmark = pytest.mark.e2e
LIMIT = 65_536
OFFERS = [
    {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAARAAAAAAAIAAAAA"},
    {"Connection": "upgrade", "Upgrade": "websocket"},
    {"Connection": "keep-alive, Upgrade", "Upgrade": "TLS/1.2, HTTP/2.0"},
    {"Connection": "Upgrade", "Upgrade": "something-else/3"},
]
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec_WebSocket_Version": "13",
}


@pytest.mark.parametrize("path", ["/" + ANALYZE, "//" + ANALYZE, ANALYZE.replace("/:", "///:")])
def test_empty_path_segments_are_routed_as_without(service: Service, path: str) -> None:
    with wire(service.url) as one:
        one.send(post(target=path))
        assert one.reply().status == 200


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer["Upgrade"])
@pytest.mark.parametrize("apart", [False, True], ids=["in one packet", "body in its own packet"])
def test_an_offer_to_upgrade_that_is_not_taken_is_served_body_and_all(
    service: Service, offer: dict[str, str], apart: bool
) -> None:
    with wire(service.url) as one:
        for _ in range(2):  # the connection stays usable
            request = post(BODY, **offer)
            if apart:
                one.send(request[: -len(BODY)])
                time.sleep(0.05)
                one.send(BODY[:20])
                time.sleep(0.05)
                one.send(BODY[20:])
            else:
                one.send(request)
            reply = one.reply()
            assert reply.status == 200, reply
            assert reply.json()["results"]["documents"]
        one.send(post())
        assert one.reply().status == 200


def test_an_offer_beside_a_chunked_body_is_served(service: Service) -> None:
    with wire(service.url) as one:
        one.send(
            head("POST", Transfer_Encoding="chunked", Content_Type="application/json", **OFFERS[0])
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
        )
        assert one.reply().status == 200


def test_a_whole_handshake_is_answered_as_the_request_that_it_is_where_nothing_speaks_websocket(
    service: Service,
) -> None:
    with wire(service.url) as one:
        for path, status in (("/status", 200), ("/nowhere", 404)):
            one.send(head("GET", path, **HANDSHAKE))
            reply = one.reply()
            assert reply.status == status
            assert reply.json()


def test_a_request_that_was_answered_before_its_body_ended_gets_no_second_answer(service: Service) -> None:
    with wire(service.url) as one:
        one.send(head("POST", "/nowhere", Transfer_Encoding="chunked") + b"0\r\n")
        assert one.reply().status == 404
        one.send(b"a: b\r\n" * 70_000)
        assert one.ended()


def test_an_offer_with_a_get_is_served(service: Service) -> None:
    with wire(service.url) as one:
        one.send(head("GET", "/status", **OFFERS[0]))
        assert one.reply().status == 200


@pytest.mark.parametrize("size", [1 << 20, 48 << 20])
def test_a_head_beyond_64_kib_is_refused_and_the_connection_closed(service: Service, size: int) -> None:
    with wire(service.url) as one:
        one.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * size)
        reply = one.reply()
        assert reply.status == 431
        assert reply.headers["connection"] == "close"
        assert "65536" in reply.error()["message"]
        assert one.ended()


def test_a_target_beyond_64_kib_is_refused(service: Service) -> None:
    with wire(service.url) as one:
        one.send(b"GET /" + b"a" * (1 << 20))
        reply = one.reply()
        assert reply.status == 414
        reply.error()
        assert one.ended()


def test_many_short_headers_are_a_long_head_too(service: Service) -> None:
    with wire(service.url) as one:
        one.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 20_000)
        assert one.reply().status == 431


def test_the_longest_head_is_served_whole_or_in_pieces(service: Service) -> None:
    start, end = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"\r\n\r\n"
    request = start + b"a" * (LIMIT - 1 - len(start) - len(end)) + end
    with wire(service.url) as one:
        for size in (len(request), 5_000):
            for at in range(0, len(request), size):
                one.send(request[at : at + size])
            assert one.reply().status == 200
        one.send(post())
        assert one.reply().status == 200
        one.send(request.replace(b"X-Long: ", b"X-Longer: "))
        assert one.reply().status == 431


def test_a_long_head_behind_a_body_is_refused(service: Service) -> None:
    with wire(service.url) as one:
        one.send(post() + head("GET", "/ready", X_Long="a" * 200_000))
        assert one.reply().status == 200
        assert one.ended() or one.reply().status == 431


def test_trailers_have_an_end_and_are_no_headers(service: Service) -> None:
    chunked = {"Transfer_Encoding": "chunked", "Content_Type": "application/json"}
    body = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
    with wire(service.url) as one:
        one.send(
            head("POST", ANALYZE, **chunked) + body + b"Host: evil.example\r\nContent-Encoding: br\r\n\r\n"
        )
        assert one.reply().status == 200
    with wire(service.url) as one:
        one.send(head("POST", ANALYZE, **chunked) + body + b"a: b\r\n" * 100_000)
        assert one.reply().status == 431
        assert one.ended()


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: localhost\r\nBad\x00Name: 1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ready HTTP/3.7\r\nHost: localhost\r\n\r\n",
        b"GET /ready HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET /ready HTTP/0.9\r\nHost: localhost\r\n\r\n",
        b"GET /ready\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://user@localhost/ready HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/ready HTTP/1.1\r\n\r\n",
        b"GET http://localhost/ready HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -4\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
        b"GET /ready HTTP/1.1\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: user@localhost\r\n\r\n",
    ],
)
def test_malformed_http_is_refused_in_the_documented_shape(service: Service, request_: bytes) -> None:
    with wire(service.url) as one:
        one.send(request_)
        reply = one.reply()
        assert reply.status == 400
        assert reply.error()["innererror"]["code"] == "InvalidHttp"


def test_a_malformed_body_ends_its_request_and_nobody_elses(service: Service) -> None:
    with wire(service.url) as one:
        one.send(head("POST", ANALYZE, Transfer_Encoding="chunked") + b"zz\r\n")
        assert one.reply().status == 400
        assert one.ended()
    with wire(service.url) as one:
        one.send(post() + b"nonsense\r\n\r\n")  # what was asked properly is answered first
        assert one.reply().status == 200
        assert one.ended()


def test_http_1_0_needs_no_host(service: Service) -> None:
    with wire(service.url) as one:
        one.send(b"GET /ready HTTP/1.0\r\n\r\n")
        assert one.reply().status == 200
        assert one.ended()


@pytest.mark.parametrize(
    "path",
    ["/ready", "/READY/", "/ready/", "/ContainerReadiness", "/containerliveness", "/Status", "//status"],
)
def test_probes_answer_as_the_containers_do(service: Service, path: str) -> None:
    with wire(service.url) as one:
        one.send(head("GET", path))
        assert one.reply().status == 200
