"""Background texts give way, and an overload ends with room for several; the queue without a model."""

import asyncio
import threading
import time
from typing import Any

import numpy as np
import pytest

from appliance.errors import Busy
from appliance.ner.queue import Call, Pace, Queue, Room, Text
from appliance.ner.text_request import TextRequest
from appliance.ner.tokenizer import Document, Window


def window(tokens: int) -> Window:
    return Window(
        ids=np.zeros(tokens, dtype=np.int64), types=None, positions=np.zeros(0, dtype=np.int64), first_word=0
    )


@pytest.fixture
def loop() -> Any:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def call(loop: asyncio.AbstractEventLoop, name: str, *, background: bool) -> Call:
    return Call(requests=[TextRequest(name)], loop=loop, future=loop.create_future(), background=background)


def put_text(queue: Queue, asked: Call, windows: int) -> None:
    queue.put(asked)
    calls, _ = queue.take()
    assert calls == [asked]
    document = Document(
        text=asked.requests[0].text, windows=tuple(window(10) for _ in range(windows)), starts=[], ends=[]
    )
    queue.put_windows([Text(call=asked, index=0, document=document, open_windows=windows, scores=None)])
    queue.done(calls)


def order(queue: Queue, turns: int) -> list[str]:
    seen = []
    for _ in range(turns):
        _, batches = queue.take()
        batched = ["+".join(entry.text.document.text for entry in batch) for batch in batches]
        seen.append(" ".join(batched))
        queue.done([])
    return seen


def test_background_windows_come_after_all_others_and_one_at_a_time(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=10_000), batch_tokens=100)
    put_text(queue, call(loop, "job", background=True), 3)
    put_text(queue, call(loop, "a", background=False), 2)
    put_text(queue, call(loop, "b", background=False), 1)
    assert order(queue, 4) == ["a+b+a", "job", "job", "job"]
    assert queue.tokens == 0


def test_while_others_ask_one_owner_is_kept_for_them(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=10_000), batch_tokens=0, owners=2)
    put_text(queue, call(loop, "job", background=True), 5)
    asked = time.monotonic()
    put_text(queue, call(loop, "short", background=False), 1)
    assert order(queue, 1) == ["short"]
    _, first = queue.take()  # this thread is now at the background
    assert first[0][0].text.document.text == "job"
    taken: list[str] = []

    def other_owner() -> None:
        _, batches = queue.take()
        taken.append(batches[0][0].text.document.text)
        queue.done([])

    other = threading.Thread(target=other_owner)
    other.start()
    other.join(0.2)
    kept = not taken
    if time.monotonic() - asked < 1.0:  # an owner is kept free for that long
        assert kept, "the second owner waits for a request, not for the job"
    other.join(60)
    assert taken == ["job"], "nobody asked for a while, so it may"
    queue.done([])


def test_a_drained_close_finishes_background_work_and_another_drops_it(
    loop: asyncio.AbstractEventLoop,
) -> None:
    for drain in (True, False):
        queue = Queue(room=Room(tokens=10_000), batch_tokens=0, owners=2)
        asked = call(loop, "job", background=True)
        put_text(queue, asked, 2)
        put_text(queue, call(loop, "short", background=False), 1)
        assert order(queue, 1) == ["short"]
        dropped = queue.close(drain=drain)
        if drain:
            assert order(queue, 2) == ["job", "job"]
        else:
            assert set(map(id, dropped)) == {id(asked)}
        assert queue.take() == ([], [])


def test_owners_share_what_waits(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=10_000), batch_tokens=1_000, owners=2)
    put_text(queue, call(loop, "a", background=False), 4)
    assert order(queue, 3) == ["a+a", "a", "a"], "the first leaves the other half to the second"
    assert queue.tokens == 0


def test_an_overload_ends_when_a_tenth_of_the_room_is_free_and_not_with_the_first_place(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = Queue(room=Room(tokens=100), batch_tokens=0, owners=10)
    assert not queue.is_overloaded()
    for name in "abcdefghij":
        put_text(queue, call(loop, name, background=False), 1)
    assert queue.is_overloaded()
    with pytest.raises(Busy):
        queue.put(call(loop, "k", background=False))
    order(queue, 1)
    assert queue.tokens == 90
    assert queue.is_overloaded()
    queue.put(call(loop, "let in before", background=False))
    order(queue, 2)
    assert not queue.is_overloaded()
    queue.put(call(loop, "l", background=False))
    assert not queue.is_overloaded()


def test_background_texts_have_room_of_their_own(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=100), batch_tokens=0)
    put_text(queue, call(loop, "job", background=True), 30)
    assert queue.tokens == 300
    assert not queue.is_overloaded()
    with pytest.raises(Busy):
        queue.put(call(loop, "another job", background=True))
    put_text(queue, call(loop, "short", background=False), 1)
    assert order(queue, 1) == ["short"]
    assert not queue.is_overloaded()


def put_lengths(queue: Queue, loop: asyncio.AbstractEventLoop, lengths: dict[str, int]) -> None:
    for name, length in lengths.items():
        asked = call(loop, name, background=False)
        queue.put(asked)
        calls, _ = queue.take()
        document = Document(text=name, windows=(window(length),), starts=[], ends=[])
        queue.put_windows([Text(call=asked, index=0, document=document, open_windows=1, scores=None)])
        queue.done(calls)


def test_windows_that_do_not_share_a_call_share_a_turn(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=10_000), batch_tokens=0)
    put_lengths(queue, loop, {"a": 40, "b": 50, "c": 30, "d": 20})
    assert order(queue, 2) == ["a b c", "d"], "as many as a batch of the usual size would hold"
    assert queue.tokens == 0


def test_a_long_window_does_not_hold_up_the_short_ones_of_its_turn(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=10_000), batch_tokens=0)
    put_lengths(queue, loop, {"short": 10, "long": 500, "last": 10})
    assert order(queue, 3) == ["short", "long", "last"]


def test_each_owner_takes_its_part_of_what_waits(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(room=Room(tokens=10_000), batch_tokens=0, owners=2)
    put_lengths(queue, loop, {"a": 10, "b": 10, "c": 10, "d": 10})
    assert order(queue, 3) == ["a b", "c", "d"]


def test_the_room_is_what_the_owners_do_in_the_seconds_that_may_pass() -> None:
    pace = Pace()
    assert pace.tokens_in(5, 2) == 32_768, "before the first turn"
    assert pace.tokens_in(float("inf"), 2) == float("inf")
    for _ in range(200):
        pace.add(100, 0.1)
    assert pace.tokens_in(5, 2) == pytest.approx(10_000)
    for _ in range(200):
        pace.add(100, 0.4)
    assert pace.tokens_in(5, 2) == pytest.approx(2_500, rel=0.1), "what was long ago counts little"


def test_texts_that_would_wait_too_long_are_refused_however_few_they_are(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = Queue(room=Room(tokens=1_000_000, seconds=1), batch_tokens=10)
    put_lengths(queue, loop, {"slow": 10})
    queue.take()
    time.sleep(0.05)  # a turn of 10 tokens in 0.05 seconds: 200 a second
    queue.done([])
    with pytest.raises(Busy):
        put_lengths(queue, loop, {str(number): 10 for number in range(100)})
    assert queue.is_overloaded()
    assert 10 <= queue.tokens <= 200
    queue.put(call(loop, "job", background=True))
    assert order(queue, 1), "what waits is computed all the same"
