"""Load shedding: while the model's queue is full, a request is answered once its headers are here.

Under five times the load that a machine can carry, four of five requests are refused, and what they cost is
taken from the one that is answered. So the reply is written by the connection itself: no task, no routes, and
the body is read past. Whoever is let in by mistake meets the queue, which refuses with the same words.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.api.errors import problem_from
from appliance.api.request_id import common_headers
from appliance.errors import Busy
from appliance.observability.instruments import Instruments
from appliance.request_ids import uuid7

ENDPOINT: Final = "refused_at_the_door"
_STATUS_LINE: Final = b"HTTP/1.1 429 Too Many Requests\r\n"


class LoadShedder:
    """Decides what is refused at once, and in which words.

    Args:
        is_overloaded: Whether a request to that path would only be refused by a full queue.
        admits: Whether the scope of a request carries a key, where keys are asked for: who has none hears
            that and not how busy it is.
        instruments: Where refusals are counted.
    """

    def __init__(
        self,
        *,
        is_overloaded: Callable[[str], bool],
        admits: Callable[[Scope], bool],
        instruments: Instruments,
    ) -> None:
        self._is_overloaded = is_overloaded
        self._admits = admits
        problem = problem_from(Busy("the model's queue is full"))
        self._body = json.dumps(problem.body()).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "content-length": str(len(self._body)),
            **problem.headers,
        }
        self._head = _lines(headers.items())
        self._count = instruments.requests.labels(ENDPOINT, "429").inc

    def sheds(self, path: str, scope: Scope) -> bool:
        """Whether a POST to a path is to be refused now."""
        return self._is_overloaded(path) and self._admits(scope)

    def reply(self, common: Sequence[tuple[bytes, bytes]], *, secure: bool) -> bytes:
        """Return a whole reply with a request id of its own, and count it.

        Args:
            common: Headers that every reply of this server has.
            secure: Whether it goes out over TLS.
        """
        self._count()
        return b"".join(
            (
                _STATUS_LINE,
                *(part for name, value in common for part in (name, b": ", value, b"\r\n")),
                self._head,
                _lines(common_headers(uuid7(), secure=secure)),
                b"\r\n",
                self._body,
            )
        )


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers).encode("latin-1")


class _Refused:
    """Stands where uvicorn keeps the request that a connection is busy with: this one is answered."""

    response_complete = True
    message_event = asyncio.Event()


class LoadSheddingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP connection, with load shedding before its application.

    Args:
        shedder: Decides what is refused.
        options: uvicorn's own.
    """

    def __init__(self, *, shedder: LoadShedder, **options: Any) -> None:
        super().__init__(**options)
        self._shedder = shedder

    def on_headers_complete(self) -> None:
        """Refuse a request, or begin with it."""
        if self._refused():
            self.cycle = _Refused()  # type: ignore[assignment]  # what follows of the request is passed over
            self.transport.write(
                self._shedder.reply(self.server_state.default_headers, secure=self.scheme == "https")
            )
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go on with an application's request; wait for the next one where this one was refused."""
        if isinstance(self.cycle, _Refused):
            self.on_response_complete()  # only now: what is still to come would stop the clock of silence
            return
        super().on_message_complete()

    def _refused(self) -> bool:
        # Who closes the connection, speaks HTTP/1.0 or asks ahead takes the usual way, which ends the same.
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and self._shedder.sheds(self.url.partition(b"?")[0].decode("latin-1"), cast("Scope", self.scope))
        )
