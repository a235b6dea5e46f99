"""Which requests go to their endpoint directly, and what becomes of an endpoint that fails."""

import asyncio
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from appliance.api.authentication import Keys
from appliance.api.errors import not_found
from appliance.api.middleware.allowed_hosts import AllowedHosts
from appliance.observability.instruments import Instruments
from appliance.server.direct_routes import DirectRoutes

PATH = "/direct"
KEY = "a-key-0123456789"


class House:
    """Direct routes before an application that says it was asked."""

    def __init__(self, *keys: str, endpoint: Any = None) -> None:
        self.later: list[str] = []
        self.stopping = False
        self.instruments = Instruments()
        self.hosts = AllowedHosts(self._layers, ["known"])
        self.app = DirectRoutes(
            self.hosts,
            [
                Route(PATH, endpoint or self._answer, methods=["POST"]),
                Route("/of/{name}", self._answer, methods=["POST"]),
                Route("/both", self._answer, methods=["GET", "POST"]),
            ],
            hosts=self.hosts,
            keys=Keys([("one", key) for key in keys]),
            stopping=lambda: self.stopping,
            instruments=self.instruments,
        )

    async def _layers(self, scope: Any, receive: Any, send: Any) -> None:
        await Response("layers")(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        return Response(
            "direct:" + request.state.request_id, background=BackgroundTask(self.later.append, "done")
        )

    def ask(self, path: str = PATH, method: str = "POST", **headers: str) -> tuple[int, dict[str, str], str]:
        named = {"host": "known", **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "scheme": "http",
            "query_string": b"",
            "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        asyncio.run(self.app(scope, receive, send))  # type: ignore[arg-type]  # a coroutine of either kind
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:]).decode()


def test_a_plain_post_by_a_name_that_was_let_in_is_direct() -> None:
    house = House()
    assert house.ask()[2] == "layers", "the name is not known yet"
    status, headers, body = house.ask()
    assert status == 200
    assert body == "direct:" + headers["apim-request-id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert house.later == ["done"], "what is to be done after the reply is done"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PATH, {"origin": "https://elsewhere.example"}),
        (PATH, {"content_encoding": "gzip"}),
        (PATH, {"transfer_encoding": "gzip, chunked"}),
        (PATH, {"forwarded": "host=other"}),
        (PATH, {"x_forwarded_prefix": "/ai"}),
        (PATH, {"host": "known:80"}),
        ("/of/somebody", {}),
        ("/both", {}),
        ("/DIRECT", {}),
        ("/direct/", {}),
    ],
)
def test_what_a_layer_may_change_or_refuse_goes_through_all(path: str, headers: dict[str, str]) -> None:
    house = House()
    house.ask()
    assert house.ask(path, **headers)[2] == "layers"


def test_a_caller_who_makes_up_names_keeps_nobody_from_the_direct_way() -> None:
    house = House()
    for port in range(1, 1_100):
        house.ask(host=f"127.0.0.1:{port}")
    house.ask()
    assert house.ask()[2].startswith("direct:")


def test_another_method_goes_through_all_layers() -> None:
    house = House()
    house.ask()
    assert house.ask(method="GET")[2] == "layers"


def test_where_keys_are_asked_for_only_their_holders_are_direct() -> None:
    house = House(KEY)
    house.ask()
    assert house.ask()[2] == "layers"
    assert house.ask(ocp_apim_subscription_key=KEY[:-1])[2] == "layers"
    assert house.ask(ocp_apim_subscription_key=KEY)[2].startswith("direct:")


def test_a_service_that_is_about_to_stop_ends_the_connection_with_the_reply() -> None:
    house = House()
    house.ask()
    assert "connection" not in house.ask()[1]
    house.stopping = True
    assert house.ask()[1]["connection"] == "close"


def test_a_refusal_has_the_documented_shape_and_is_counted() -> None:
    async def refuse(_: Request) -> Response:
        raise not_found("ProjectNotFound", "There is no such project.")

    house = House(endpoint=refuse)
    house.ask()
    status, headers, body = house.ask()
    assert (status, headers["content-type"]) == (404, "application/json; charset=utf-8")
    assert body == '{"error":{"code":"ProjectNotFound","message":"There is no such project."}}'
    assert house.instruments.requests.labels("refuse", "404")._value.get() == 1


def test_a_mistake_of_ours_is_a_500_that_shows_nothing_and_is_raised_for_the_log() -> None:
    async def fail(_: Request) -> Response:
        raise ValueError("a customer's text")

    house = House(endpoint=fail)
    house.ask()
    with pytest.raises(ValueError, match="customer"):
        house.ask()
    assert house.instruments.requests.labels("fail", "500")._value.get() == 1
