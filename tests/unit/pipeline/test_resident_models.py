"""More models than memory holds: those in use are there, the others come when they are asked for."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.errors import ModelError, Stopping, UnknownDeployment
from appliance.ner.engine import NerEngine, Recognized
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.text_request import TextRequest
from appliance.pipeline.resident_models import ResidentModels

pytestmark = pytest.mark.anyio
TEXT = [TextRequest("a text")]


class Engine:
    """Answers while its model is in memory; `hold` keeps its answers back."""

    sessions = 1
    waiting_tokens = 3

    def __init__(self, house: "House", name: str) -> None:
        self.house, self.name = house, name
        self.hold: asyncio.Event | None = None
        self.closed = False

    async def recognize(self, requests: Sequence[Any], *, background: bool = False) -> list[Recognized]:
        assert not self.closed, "a model in use is not taken away"
        if self.hold is not None:
            await self.hold.wait()
        assert not self.closed
        return [Recognized() for _ in requests]

    def close_when_unused(self) -> None:
        weakref.finalize(self, self.house.ended.append, self.name)

    def close(self, *, drain: bool = True, timeout_seconds: float | None = None) -> bool:
        self.closed = True
        self.house.there.remove(self.name)
        return True


class House:
    """Models of one size each, and room for some."""

    def __init__(self, directory: Path, *, room: int) -> None:
        self.directory = directory
        self.there: list[str] = []
        self.ended: list[str] = []
        self.most = 0
        self.contents: dict[str, str] = {}
        self.may_load = threading.Event()
        self.may_load.set()
        self.waited: list[bool] = []
        self.engines: dict[str, Engine] = {}
        self.models = ResidentModels(
            read=self.read, start=self.start, most_bytes=room * 10, taken=lambda graph: graph
        )

    def read(self, path: Path) -> ModelFolder:
        if not path.exists():
            raise ModelError(f"{path.name} is gone")
        digest = self.contents.setdefault(path.name, "first")
        return ModelFolder(
            path=path,
            name=path.name,
            labels=("O",),
            scheme="BIO",
            window_tokens=8,
            overlap_tokens=2,
            digests={MODEL: digest},
        )

    def start(self, folder: ModelFolder, waited: bool) -> NerEngine:
        self.may_load.wait()
        self.there.append(folder.name)
        self.most = max(self.most, len(self.there))
        self.waited.append(waited)
        self.engines[folder.name] = Engine(self, folder.name)
        return cast("NerEngine", self.engines[folder.name])

    def load(self, *names: str) -> list[Any]:
        found = []
        for name in names:
            (self.directory / name).mkdir()
            (self.directory / name / MODEL).write_bytes(bytes(10))
            found.append(self.models.load(self.directory / name))
        return found


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, room=2)


async def test_what_does_not_fit_comes_when_it_is_asked_for_and_the_one_unused_longest_goes(
    house: House,
) -> None:
    a, b, c = house.load("a", "b", "c")
    assert house.there == ["a", "b"], "the first ones are there at the start"
    await b.recognize(TEXT)
    await a.recognize(TEXT)
    assert len(await c.recognize(TEXT)) == 1
    assert sorted(house.there) == ["a", "c"]
    assert house.waited == [False, False, True]
    assert (a.waiting_tokens, b.waiting_tokens) == (3, 0)
    await b.recognize(TEXT)
    assert sorted(house.there) == ["b", "c"]
    assert house.most == 2
    assert house.models.in_memory() == 2


async def test_a_model_that_answers_stays_and_the_newcomer_waits_for_room(tmp_path: Path) -> None:
    house = House(tmp_path, room=1)
    a, b = house.load("a", "b")
    house.engines["a"].hold = asyncio.Event()
    first = asyncio.create_task(a.recognize(TEXT))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(b.recognize(TEXT))
    await asyncio.sleep(0.1)
    assert house.there == ["a"]
    house.engines["a"].hold.set()
    await asyncio.gather(first, second)
    assert house.there == ["b"]
    assert house.most == 1


async def test_many_who_ask_at_once_bring_a_model_once(house: House) -> None:
    *_, c = house.load("a", "b", "c")
    await asyncio.gather(*(c.recognize(TEXT) for _ in range(20)))
    assert house.waited.count(True) == 1


async def test_models_asked_in_any_order_all_answer_within_the_room(house: House) -> None:
    models = house.load(*"abcdef")
    await asyncio.gather(*(models[number % 6].recognize(TEXT) for number in range(60)))
    assert house.most == 2


async def test_one_that_is_larger_than_all_room_is_served_alone(tmp_path: Path) -> None:
    house = House(tmp_path, room=0)
    a, b = house.load("a", "b")
    for model in (a, b, a):
        await model.recognize(TEXT)
    assert house.most == 1


@pytest.mark.parametrize("change", ["gone", "changed"])
async def test_a_folder_that_is_not_what_it_was_is_refused_and_the_others_go_on(
    house: House, change: str
) -> None:
    a, _, c = house.load("a", "b", "c")
    if change == "gone":
        (house.directory / "c" / MODEL).unlink()
        (house.directory / "c").rmdir()
    else:
        house.contents["c"] = "second"
    with pytest.raises(UnknownDeployment, match="could not be loaded"):
        await c.recognize(TEXT)
    assert len(await a.recognize(TEXT)) == 1


@pytest.mark.parametrize("change", ["gone", "changed"])
async def test_a_model_in_memory_whose_folder_is_not_what_was_read_stays_there(
    house: House, change: str
) -> None:
    a, b, c = house.load("a", "b", "c")
    file = house.directory / "a" / MODEL
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(bytes(11))
    for model in (b, c, b, c):  # "a" is the one that was not asked for the longest
        await model.recognize(TEXT)
        assert "a" in house.there
    assert len(await a.recognize(TEXT)) == 1
    assert house.most == 2


async def test_where_no_folder_is_what_was_read_one_more_model_is_in_memory_than_fits(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, room=2)
    a, b, c, d = house.load("a", "b", "c", "d")
    for name in ("a", "b"):
        (house.directory / name / MODEL).write_bytes(bytes(11))
    for model in (c, d, c, a, b, d):
        assert len(await model.recognize(TEXT)) == 1
    assert house.most == 3


async def test_a_model_that_is_served_no_more_does_not_come_back(house: House) -> None:
    a, _, c = house.load("a", "b", "c")
    assert a.close()
    assert house.there == ["b"]
    with pytest.raises(Stopping):
        await a.recognize(TEXT)
    assert c.close(), "one that is not in memory has nothing to close"
    with pytest.raises(Stopping):
        await c.recognize(TEXT)
    assert house.there == ["b"]
    assert threading.active_count() < 50


async def test_a_replaced_model_answers_those_who_hold_it_and_ends_with_the_last_of_them(
    house: House,
) -> None:
    a, b, c = house.load("a", "b", "c")
    a.close_when_unused()
    for model in (b, c, b, a):
        assert len(await model.recognize(TEXT)) == 1
    assert house.ended == []
    assert "a" in house.there, "it is not closed to make room"
    house.engines.clear()
    del a, model
    gc.collect()
    assert house.ended == ["a"]


async def test_a_model_that_came_for_somebody_who_left_and_went_again_comes_for_the_next(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, room=1)
    _, second, third = house.load("first", "second", "third")
    house.may_load.clear()
    left = asyncio.create_task(second.recognize(TEXT))
    await asyncio.sleep(0.05)
    left.cancel()
    other = asyncio.create_task(third.recognize(TEXT))
    await asyncio.sleep(0.05)
    house.may_load.set()
    until = time.monotonic() + 30
    while house.there != ["third"] and time.monotonic() < until:
        time.sleep(0.01)  # the loop must not hear of the first arrival before
    assert await second.recognize(TEXT) == [Recognized()]
    await other
