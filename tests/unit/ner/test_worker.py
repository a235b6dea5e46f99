import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.errors import Busy, InferenceFailed, Stopping
from appliance.ner.decoding import Decoder
from appliance.ner.queue import Room
from appliance.ner.text_request import requests_for
from appliance.ner.tokenizer import TextTokenizer
from appliance.ner.worker import Worker

pytestmark = pytest.mark.anyio

Make = Callable[..., Worker]
PATIENCE_SECONDS = 60


@pytest.fixture
def make_worker(tokenizer: TextTokenizer, decoder: Decoder) -> Iterator[Make]:
    made: list[tuple[Worker, list[Any]]] = []

    def make(*sessions: Any, queue_tokens: int = 10_000, batch_tokens: int = 0, **more: Any) -> Worker:
        worker = Worker(
            sessions,
            tokenizer=tokenizer,
            decoder=decoder,
            room=Room(tokens=queue_tokens),
            batch_tokens=batch_tokens,
            **more,
        )
        made.append((worker, list(sessions)))
        return worker

    yield make
    for worker, sessions in made:
        for session in sessions:
            session.open()
        assert worker.close(drain=False, timeout_seconds=PATIENCE_SECONDS)


async def entered(session: Any) -> None:
    assert await asyncio.to_thread(session.entered.acquire, timeout=PATIENCE_SECONDS)


def surfaces(text: str, found: list[Any]) -> list[tuple[str, str]]:
    return [(text[entity.start : entity.end], entity.category) for entity in found]


async def test_a_caller_who_leaves_costs_nothing_and_disturbs_nobody(
    make_worker: Make, fake_session: Any
) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session)
    first = asyncio.create_task(worker.answer(requests_for(["John Smith"])))
    await entered(session)
    leaver = asyncio.create_task(worker.answer(requests_for(["the a of"] * 3)))
    stayer = asyncio.create_task(worker.answer(requests_for(["in Paris"])))
    await asyncio.sleep(0)
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    session.open()
    assert surfaces("John Smith", (await first)[0]) == [("John Smith", "Person")]
    assert surfaces("in Paris", (await stayer)[0]) == [("Paris", "Location")]
    assert len(session.batches) == 2
    assert worker.waiting_tokens == 0


async def test_a_caller_who_leaves_while_computed_does_not_hang_the_batch(
    make_worker: Make, fake_session: Any
) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session, batch_tokens=512)
    blocker = asyncio.create_task(worker.answer(requests_for(["the"])))
    await entered(session)
    leaver = asyncio.create_task(worker.answer(requests_for(["John in Paris"])))
    stayer = asyncio.create_task(worker.answer(requests_for(["Mary in Paris"])))
    await asyncio.sleep(0)
    session.open()
    await blocker
    leaver.cancel()
    assert len((await stayer)[0]) == 2


async def test_a_failing_model_fails_its_batch_and_no_other(make_worker: Make, fake_session: Any) -> None:
    poison = 5
    session = fake_session(poison=poison)
    worker = make_worker(session)
    bad, good = await asyncio.gather(
        worker.answer(requests_for(["Mary was there", "the a of"])),
        worker.answer(requests_for(["John"])),
        return_exceptions=True,
    )
    assert isinstance(bad, InferenceFailed)
    assert "Mary" not in bad.message
    assert not isinstance(good, BaseException)
    assert len(good[0]) == 1
    assert len((await worker.answer(requests_for(["Acme Corp"])))[0]) == 1
    assert worker.heartbeat_age() < PATIENCE_SECONDS


async def test_a_failing_tokenizer_is_an_error_too(make_worker: Make, fake_session: Any) -> None:
    worker = make_worker(fake_session())
    with pytest.raises(InferenceFailed):
        await worker.answer(requests_for([b"no text"]))  # type: ignore[list-item]
    assert await worker.answer(requests_for(["the"])) == [[]]
    assert worker.waiting_tokens == 0


async def test_a_text_over_every_budget_is_still_answered(make_worker: Make, fake_session: Any) -> None:
    worker = make_worker(fake_session(), queue_tokens=4, batch_tokens=4)
    text = "John Smith was in Paris . " * 200
    (found,) = await worker.answer(requests_for([text]))
    assert len(found) == 400


async def test_shutdown_mid_batch_answers_what_began_and_refuses_the_rest(
    make_worker: Make, fake_session: Any
) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session)
    begun = asyncio.create_task(worker.answer(requests_for(["John"])))
    await entered(session)
    waiting = asyncio.create_task(worker.answer(requests_for(["Mary"])))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(worker.close, drain=False))
    with pytest.raises(Stopping):
        await waiting
    with pytest.raises(Stopping):
        await worker.answer(requests_for(["late"]))
    session.open()
    assert len((await begun)[0]) == 1
    assert await closing
    assert len(session.batches) == 1


async def test_draining_answers_everybody_who_waits(make_worker: Make, fake_session: Any) -> None:
    sessions = [fake_session(stopped=True), fake_session(stopped=True)]
    worker = make_worker(*sessions)
    calls = [asyncio.create_task(worker.answer(requests_for(["John " * 60, "in Paris"]))) for _ in range(20)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(worker.close, drain=True))
    while not worker._closing:
        await asyncio.sleep(0.001)
    for session in sessions:
        session.open()
    answers = await asyncio.gather(*calls)
    assert await closing
    assert [[len(found) for found in answer] for answer in answers] == [[60, 1]] * 20


async def test_a_full_queue_refuses_at_once_and_recovers(make_worker: Make, fake_session: Any) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session, queue_tokens=20)
    calls = [asyncio.create_task(worker.answer(requests_for(["John in Paris"])))]
    await entered(session)
    calls += [asyncio.create_task(worker.answer(requests_for(["the a of " * 4]))) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await worker.answer(requests_for(["Mary"]))
    session.open()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(outcome, Busy) for outcome in outcomes) > 0
    assert not isinstance(outcomes[0], BaseException)
    assert len((await worker.answer(requests_for(["Mary"])))[0]) == 1
    assert worker.waiting_tokens == 0


async def test_a_long_text_does_not_hold_up_the_short_one_behind_it(
    make_worker: Make, fake_session: Any
) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session)
    blocker = asyncio.create_task(worker.answer(requests_for(["the"])))
    await entered(session)
    long = asyncio.create_task(worker.answer(requests_for(["John was there . " * 300])))
    await asyncio.sleep(0)
    short = asyncio.create_task(worker.answer(requests_for(["in Paris"])))
    await asyncio.sleep(0)
    session.open()
    await asyncio.gather(blocker, long, short)
    sizes = [batch.size for batch in session.batches]
    assert len(sizes) > 20
    assert sizes.index(4) <= 2


async def test_a_long_text_is_not_starved_by_short_ones(make_worker: Make, fake_session: Any) -> None:
    worker = make_worker(fake_session())
    stop = False

    async def flood() -> None:
        while not stop:
            await worker.answer(requests_for(["the a of"]))

    floods = [asyncio.create_task(flood()) for _ in range(8)]
    await asyncio.wait_for(worker.answer(requests_for(["John was there . " * 60])), PATIENCE_SECONDS)
    stop = True
    await asyncio.gather(*floods)


async def test_what_waits_is_batched_without_a_timer(make_worker: Make, fake_session: Any) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session, batch_tokens=64)
    calls = [asyncio.create_task(worker.answer(requests_for(["John"])))]
    await entered(session)
    calls += [asyncio.create_task(worker.answer(requests_for(["in the end"]))) for _ in range(8)]
    await asyncio.sleep(0)
    session.open()
    await asyncio.gather(*calls)
    assert session.batches[0].shape[0] == 1
    assert max(batch.shape[0] for batch in session.batches) > 1
    assert all(batch.size <= 64 for batch in session.batches)


async def test_texts_without_words_are_answered_without_the_model(
    make_worker: Make, fake_session: Any
) -> None:
    session = fake_session()
    worker = make_worker(session)
    assert await worker.answer(requests_for([])) == []
    assert await worker.answer(requests_for(["", "  \n\t", "\u200b\x00"])) == [[], [], []]
    assert session.batches == []


async def test_the_heartbeat_ages_while_a_batch_hangs_and_not_when_idle(
    make_worker: Make, fake_session: Any
) -> None:
    now = 100.0
    session = fake_session(stopped=True)
    worker = make_worker(session, clock=lambda: now)
    assert worker.heartbeat_age() == 0
    call = asyncio.create_task(worker.answer(requests_for(["John"])))
    await entered(session)
    now += 30
    assert worker.heartbeat_age() == 30
    session.open()
    await call


def test_an_answer_after_the_loop_is_gone_ends_no_thread(make_worker: Make, fake_session: Any) -> None:
    session = fake_session(stopped=True)
    worker = make_worker(session)
    loop = asyncio.new_event_loop()
    task = loop.create_task(worker.answer(requests_for(["John"])))
    loop.run_until_complete(asyncio.sleep(0))
    assert session.entered.acquire(timeout=PATIENCE_SECONDS)
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    session.open()
    assert len(asyncio.run(worker.answer(requests_for(["Mary"])))[0]) == 1


def test_closing_twice_and_from_two_threads_is_harmless(make_worker: Make, fake_session: Any) -> None:
    worker = make_worker(fake_session(), fake_session())
    other = threading.Thread(target=worker.close, kwargs={"drain": True})
    other.start()
    assert worker.close(drain=True)
    other.join()
    assert worker.close(drain=False)
    assert worker.heartbeat_age() == 0


async def test_threads_take_turns_sooner_while_a_background_text_is_read(
    make_worker: Make, fake_session: Any
) -> None:
    usual = sys.getswitchinterval()
    for background in (True, False):
        session = fake_session(stopped=True)
        worker = make_worker(session)
        answer = asyncio.create_task(worker.answer(requests_for(["in Paris"]), background=background))
        await entered(session)
        assert (sys.getswitchinterval() < usual) is background
        session.open()
        await answer
    assert sys.getswitchinterval() == usual
