"""Load shedding: answer 429 after the headers while the queue is full.

Under five times the load that a machine can carry, four of five requests are refused, and what they cost is
taken from the one that is answered. So the reply is written by the connection itself: no task, no routes, and
the body is read past. Whoever is let in by mistake meets the queue, which refuses with the same words.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from starlette.types import Scope

from appliance.api.errors import Problem, problem_from
from appliance.api.request_id import common_headers
from appliance.errors import Busy
from appliance.observability.instruments import Instruments
from appliance.request_ids import uuid7
from appliance.server.connection.http_protocol import Answered, HttpProtocol
from appliance.server.connection.raw_reply import header_lines

ENDPOINT: Final = "refused_at_the_door"
_STATUS_LINE: Final = b"HTTP/1.1 429 Too Many Requests\r\n"
_END: Final = b"\r\n\r\n"


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
        self._problem = problem = problem_from(Busy("the model's queue is full"))
        self._body = json.dumps(problem.body()).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "content-length": str(len(self._body)),
            **problem.headers,
        }
        head = header_lines(headers.items())
        self._heads = {
            secure: (head + header_lines(_fixed_headers(secure=secure))).removesuffix(b"\r\n")
            for secure in (False, True)
        }
        self._common: Sequence[tuple[bytes, bytes]] = ()
        self._begin = _STATUS_LINE
        self._count = instruments.requests.labels(ENDPOINT, "429").inc

    def sheds(self, path: str, scope: Scope) -> bool:
        """Whether a POST to a path is to be refused now."""
        return self._is_overloaded(path) and self._admits(scope)

    def problem(self) -> Problem:
        """Return what such a request is told, and count it."""
        self._count()
        return self._problem

    def reply(self, common: Sequence[tuple[bytes, bytes]], *, secure: bool) -> bytes:
        """Return a whole reply with a request id of its own, and count it.

        Args:
            common: Headers that every reply of this server has.
            secure: Whether it goes out over TLS.
        """
        self._count()
        if common is not self._common:  # another list each second, with another date
            lines = (part for name, value in common for part in (name, b": ", value, b"\r\n"))
            self._common, self._begin = common, b"".join((_STATUS_LINE, *lines))
        return b"".join((self._begin, self._heads[secure], uuid7().encode("ascii"), _END, self._body))


def _fixed_headers(*, secure: bool) -> list[tuple[str, str]]:
    """Return the common headers of a reply, the request's id last and empty."""
    headers = common_headers("", secure=secure)
    return sorted(headers, key=lambda one: one[1] == "")


class _Shed(Answered):
    """Stands where uvicorn keeps the request that a connection is busy with: this one was refused here."""


class LoadSheddingProtocol(HttpProtocol):
    """An HTTP connection with load shedding before its application.

    Args:
        shedder: Decides what is refused.
        options: The connection's own.
    """

    def __init__(self, *, shedder: LoadShedder, **options: Any) -> None:
        super().__init__(**options)
        self._shedder = shedder

    def begin(self) -> None:
        """Refuse a request, or begin with it."""
        if self._refused():
            if not self.parser.should_keep_alive():
                self._refuse(self._shedder.problem())
                return
            self.cycle = _Shed()  # type: ignore[assignment]  # what follows of the request is passed over
            self.transport.write(
                self._shedder.reply(self.server_state.default_headers, secure=self.scheme == "https")
            )
            return
        super().begin()

    def on_message_complete(self) -> None:
        """Go on with an application's request; wait for the next one where this one was refused."""
        super().on_message_complete()
        if isinstance(cast("object", self.cycle), _Shed):
            self.on_response_complete()  # only now: what is still to come would stop the clock of silence

    def _refused(self) -> bool:
        # Who asks ahead takes the usual way, which ends the same.
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not parser.should_upgrade()
            and self._shedder.sheds(self.url.partition(b"?")[0].decode("latin-1"), cast("Scope", self.scope))
        )
