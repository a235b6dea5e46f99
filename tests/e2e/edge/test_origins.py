"""Pages elsewhere, names of others, and proxies: who is believed and who is refused."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from license.authority.authority import Authority
from tests.support.site import Service, Site
from tests.support.wire import ANALYZE, BODY, head, wire

pytestmark = pytest.mark.e2e
KEY = "0123456789abcdef"
APP = "https://app.example.com"


@pytest.fixture(scope="module")
def open_to(tmp_path_factory: pytest.TempPathFactory, vendor: Authority) -> Iterator[Service]:
    site = Site(tmp_path_factory.mktemp("origins") / "site", vendor)
    site.issue()
    yield site.start(
        f"ApiKeys:one={KEY}",
        f"Http:AllowedOrigins={APP},https://other.example.com",
        "Http:AllowedHosts=ner.example.com,*.corp.example",
        "Http:TrustedProxies=127.0.0.0/8",
    )
    site.close()


def ask(service: Service, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with service.client() as client:
        return client.post(ANALYZE, content=BODY, headers={"Content-Type": "text/plain", **named})


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost", "file://", "http://[::1]:1"]
)
def test_pages_of_other_origins_spend_nothing(service: Service, origin: str) -> None:
    before = used(service)
    reply = ask(service, Origin=origin)
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == "OriginNotAllowed"
    assert "access-control-allow-origin" not in reply.headers
    assert used(service) == before


def used(service: Service) -> int:
    with service.client() as client:
        return sum(meter["quantity"] for meter in client.get("/records/usage-logs/").json()["meters"])


def test_the_own_pages_are_served(service: Service) -> None:
    assert ask(service, Origin=service.url).status_code == 200
    assert ask(service, Host="machine.localhost", Origin="https://machine.localhost").status_code == 200


def test_an_allowed_origin_gets_full_cors(open_to: Service) -> None:
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,ocp-apim-subscription-key,x-ms-client-request-id",
    }
    with open_to.client() as client:
        preflight = client.options(ANALYZE, headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == APP
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "ocp-apim-subscription-key" in preflight.headers["access-control-allow-headers"].lower()
        assert client.options(ANALYZE, headers=asked | {"Origin": "https://evil.example"}).status_code == 403
    reply = ask(open_to, Origin=APP, Ocp_Apim_Subscription_Key=KEY)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == APP
    assert "Origin" in reply.headers["vary"]
    assert "operation-location" in reply.headers["access-control-expose-headers"]
    refused = ask(open_to, Origin=APP)
    assert refused.status_code == 401  # and its page can read that
    assert refused.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80"]
)
def test_foreign_names_are_refused(service: Service, host: str) -> None:
    with wire(service.url) as one:
        one.send(head("GET", "/status", host=host))
        reply = one.reply()
        assert reply.status == 421
        assert "Http:AllowedHosts" in reply.error()["message"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example/status", 421),
        ("HTTP://evil.example?x=1", 421),
        ("http://localhost/status", 200),
        ("https://127.0.0.1:5000/status", 200),
        ("http:///status", 400),
    ],
)
def test_a_host_in_the_request_line_stands_for_the_header(service: Service, target: str, status: int) -> None:
    for host in ("localhost", "evil.example"):
        with wire(service.url) as one:
            one.send(head("GET", target, host=host))
            assert one.reply().status == status
    with wire(service.url) as one:
        one.send(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        assert one.reply().status == status


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5000",
        "127.0.0.1",
        "192.0.2.7:80",
        "[::1]:5000",
        "localhost.",
        socket.gethostname(),
    ],
)
def test_own_names_and_addresses_are_served(service: Service, host: str) -> None:
    with wire(service.url) as one:
        one.send(head("GET", "/status", host=host))
        assert one.reply().status == 200


def test_names_of_the_setting_are_served(open_to: Service) -> None:
    for host, status in (("ner.example.com", 200), ("a.corp.example:99", 200), ("corp.example", 421)):
        with wire(open_to.url) as one:
            one.send(head("GET", "/status", host=host))
            assert one.reply().status == status, host


def location(service: Service, *, host: str = "localhost", **headers: str) -> str:
    documents = b'{"documents": [{"id": "1", "text": "Ada"}]}'
    body = b'{"analysisInput": %s, "tasks": [{"kind": "EntityRecognition"}]}' % documents
    with wire(service.url) as one:
        one.send(
            head(
                "POST",
                "/language/analyze-text/jobs?api-version=2023-04-01",
                host=host,
                Content_Length=len(body),
                Ocp_Apim_Subscription_Key=KEY,
                **headers,
            )
            + body
        )
        reply = one.reply()
        assert reply.status == 202, reply
        return reply.headers["operation-location"].partition("/language")[0]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X_Forwarded_Proto": "https", "X_Forwarded_Host": "ner.example.com"}, "https://ner.example.com"),
        ({"X_Forwarded_Proto": "https", "X_Forwarded_Port": "8443"}, "https://localhost:8443"),
        ({"X_Forwarded_Host": "ner.example.com", "X_Forwarded_Prefix": "/ai/"}, "http://ner.example.com/ai"),
        ({"X_Forwarded_Host": "ner.example.com:81", "X_Forwarded_Port": "99"}, "http://ner.example.com:81"),
        ({"Forwarded": "for=192.0.2.4;proto=https;host=ner.example.com"}, "https://ner.example.com"),
        ({"Forwarded": 'proto=https;host="ner.example.com:8443"'}, "https://ner.example.com:8443"),
        # The outermost trusted proxy counts, and not what a caller wrote before it.
        ({"Forwarded": "for=9.9.9.9;host=evil.example, for=9.9.9.9;proto=https"}, "https://localhost"),
        ({"X_Forwarded_Proto": "https, http", "X_Forwarded_For": "9.9.9.9, 127.0.0.2"}, "https://localhost"),
        ({"X_Forwarded_Proto": "https, http", "X_Forwarded_For": "9.9.9.9"}, "http://localhost"),
        (
            {"X_Forwarded_Proto": "gopher", "X_Forwarded_Host": "a b", "X_Forwarded_Port": "0"},
            "http://localhost",
        ),
        ({"X_Forwarded_Prefix": "//evil.example"}, "http://localhost"),
        ({"Forwarded": "host=ner.example.com;nonsense"}, "http://localhost"),
    ],
)
def test_links_are_those_that_the_caller_of_a_trusted_proxy_knows(
    open_to: Service, headers: dict[str, str], expected: str
) -> None:
    assert location(open_to, **headers) == expected


def test_a_proxied_name_has_to_be_allowed_too(open_to: Service) -> None:
    with wire(open_to.url) as one:
        one.send(head("GET", "/status", X_Forwarded_Host="evil.example"))
        assert one.reply().status == 421


def test_nobody_else_is_believed(site: Site) -> None:
    site.issue()
    service = site.start("Http:TrustedProxies=192.0.2.0/24")
    assert location(service, X_Forwarded_Proto="https", Forwarded="proto=https") == "http://localhost"


def test_a_path_prefix_that_a_proxy_leaves_in_place_is_taken_off(open_to: Service) -> None:
    with wire(open_to.url) as one:
        one.send(head("GET", "/ai/status", X_Forwarded_Prefix="/ai"))
        assert one.reply().status == 200


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("Http:TrustedProxies=proxy.example", "networks such as"),
        ("Http:AllowedHosts=https://a.example", "without scheme and port"),
        ("Http:AllowedOrigins=app.example", "origins such as"),
    ],
)
def test_a_setting_that_cannot_be_read_is_refused_at_start(site: Site, setting: str, says: str) -> None:
    site.issue()
    done = site.run(setting)
    assert done.returncode == 78
    assert says in done.stderr
