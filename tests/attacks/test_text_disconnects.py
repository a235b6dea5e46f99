"""Leave at any instant of a request: what was received has one record, else only what was cut has any."""

import contextlib
import json
import logging
import random
import socket
import struct
import threading
import time
from collections import Counter

import pytest

from tests.support.recorded import Asked, check_vendor_counts, uses
from tests.support.site import SENTENCE, Service, Site
from tests.support.wire import Wire, post

_log = logging.getLogger(__name__)

CALLERS = 4
UNFINISHED = 5
"""Units of requests whose end is never sent; others have fewer, so that a record tells whose it was."""

_RESET = struct.pack("ii", 1, 0)


def request(units: int) -> bytes:
    documents = [{"id": str(number), "language": "en", "text": SENTENCE} for number in range(units)]
    return post(json.dumps({"kind": "EntityRecognition", "analysisInput": {"documents": documents}}).encode())


def ask_and_leave(service: Service, chance: random.Random, asked: Asked) -> bool:
    """Ask, and be gone before the end of the request, before the reply, within it, or stay; False then."""
    wire = Wire(service.url)
    units = chance.randrange(1, UNFINISHED)
    what = chance.choice(("part", "whole", "whole", "whole", "two", "stay"))
    if what == "stay":
        wire.send(request(units))
        reply = wire.reply()
        assert reply.status == 200
        assert reply.headers["usage-record"] not in asked.answered
        asked.answered[reply.headers["usage-record"]] = units
    elif what == "part":
        whole = request(UNFINISHED)
        wire.send(whole[: chance.randrange(1, len(whole))])
    else:
        wire.send(request(units) * (1 + (what == "two")))
        asked.cut[units] += 1 + (what == "two")
    time.sleep(chance.random() ** 2 * 0.05)
    if what == "whole" and chance.random() < 0.3:
        with contextlib.suppress(OSError):
            wire.socket.recv(chance.randrange(1, 200))
    if chance.random() < 0.5:  # without a goodbye
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    wire.close()
    return what != "stay"


def each_counted_once(site: Site, times: int) -> None:
    site.issue()
    service = site.start()
    asked = Asked()

    def call(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 (a repeatable attack, no secret)
        left = 0
        while left < times // CALLERS:
            left += ask_and_leave(service, chance, asked)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert service.stop() == 0
    entries = uses(site)
    assert len({use.request_id for use in entries.values()}) == len(entries), "each is recorded once"
    assert {receipt: entries.pop(receipt).quantity for receipt in asked.answered} == asked.answered
    left = Counter(use.quantity for use in entries.values())
    assert left[UNFINISHED] == 0, "who never ended a request used nothing"
    assert left <= asked.cut, "whatever else is recorded belongs to a request that was cut"
    assert asked.answered
    assert left
    check_vendor_counts(site, uses(site))
    facts = (times, len(asked.answered), asked.cut.total(), left.total())
    _log.info("%d disconnects: %d others answered, %d cut, of which %d recorded", *facts)
    assert "Traceback" not in service.text()


def test_eighty_disconnects_are_each_counted_once(site: Site) -> None:
    each_counted_once(site, 80)


@pytest.mark.slow
def test_a_thousand_disconnects_are_each_counted_once(site: Site) -> None:
    each_counted_once(site, 1000)
