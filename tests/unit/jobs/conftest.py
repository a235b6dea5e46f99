import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from appliance.errors import ApplianceError
from appliance.jobs.job import Failure, Job, Source, Task
from appliance.jobs.runner import Jobs, Pace
from appliance.jobs.store import JobStore
from appliance.jobs.tables import JobTable
from appliance.jobs.usage_id import UsageIds
from appliance.jobs.work import Claim, Interrupt, Outcome
from appliance.request_ids import uuid7


@dataclass
class Clock:
    """Time that stands still until it is told to go."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


IDS = UsageIds(bytes(32))


@dataclass
class Machine:
    """Does tasks by the `version` they ask for, and counts as the ledger would."""

    counted: list[str] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    models: set[str] | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    counting: asyncio.Event = field(default_factory=asyncio.Event)

    def usage_id(self, task: Task, documents: Sequence[Source]) -> str:
        return IDS.of(task, documents)

    def serves(self, task: Task) -> bool:
        return self.models is None or task.version in self.models

    async def __call__(
        self, task: Task, documents: Sequence[Source], *, interrupt: Interrupt, recorded: bool, claim: Claim
    ) -> Outcome:
        if task.version == "refused":
            raise ApplianceError("no")
        if task.version == "broken":
            raise RuntimeError("bug")
        if task.version == "long":
            await interrupt.run(self._wait())
        if not recorded:
            await claim()
            if task.version == "dies before counting":
                await asyncio.Event().wait()
            self.counted.append(task.id)
            self.ledger.append(self.usage_id(task, documents))
            if task.version == "slow disk":
                await self.counting.wait()
        self.done.append(task.id)
        return Outcome(items=[{"document": {"id": d.id}} for d in documents], release="1")

    async def _wait(self) -> None:
        await self.go.wait()

    def recorded(self, ids: Collection[str], since: tuple[str, int]) -> set[str]:
        return set(ids) & set(self.ledger)


@dataclass
class Place:
    """A state directory and the parts around it, which a restart makes anew."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    stores: list[JobStore] = field(default_factory=list)
    capacity: int = 100
    url: str = ""

    def store(self, instance: str = "here", *, fleet: str = "", lapse: float = 30.0) -> JobStore:
        opened = JobStore.open(
            directory=self.directory,
            url=self.url,
            instance=instance,
            capacity=self.capacity,
            fleet=fleet,
            lapse=lapse,
        )
        self.stores.append(opened)
        return opened

    def jobs(
        self,
        machine: Machine,
        *,
        store: JobStore | None = None,
        characters: int = 10_000,
        pace: Pace | None = None,
    ) -> Jobs:
        return Jobs(
            store=store or self.store(),
            work=machine,
            describe=lambda error: Failure(code=error.code, message=error.message),
            clock=self.clock,
            mark=lambda: ("log/1", 7),
            capacity=self.capacity,
            characters=characters,
            pace=pace,
        )

    def bytes_on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.directory.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """What `Jobs:Database` names: nothing, or a server, whose tables are dropped afterwards."""
    if request.param == "sqlite":
        yield ""
        return
    url: str = request.getfixturevalue("postgres")
    yield url
    engine = create_engine(url)
    JobTable.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def any_place(database: str, place: Place) -> Place:
    """A place whose jobs lie in its own file, or on a database server."""
    place.url = database
    return place


LAPSE = 0.4
PACE = Pace(look=0.02, beat=0.1, undecided=600.0)


@dataclass
class Replica:
    """One installation of a fleet, in a process of its own but for the test."""

    jobs: Jobs
    store: JobStore
    machine: Machine

    def die(self) -> None:
        """End as by kill -9: nothing of what it would still do reaches the database."""
        self.store.close()


@dataclass
class Site:
    """A fleet on one database."""

    place: Place

    async def start(
        self,
        name: str,
        machine: Machine | None = None,
        *,
        undecided: float = 600.0,
    ) -> Replica:
        machine = machine or Machine()
        store = self.place.store(name, fleet="site", lapse=LAPSE)
        jobs = self.place.jobs(
            machine, store=store, pace=Pace(look=PACE.look, beat=PACE.beat, undecided=undecided)
        )
        await jobs.resume(machine.recorded)
        return Replica(jobs, store, machine)


@pytest.fixture
def site(any_place: Place, tmp_path: Path) -> Site:
    any_place.url = any_place.url or f"sqlite:///{tmp_path / 'site.db'}"
    return Site(any_place)


def task(version: str = "quick") -> Task:
    return Task(
        id=uuid7(),
        kind="K",
        name="0",
        project=None,
        deployment=None,
        version=version,
        unit="UnicodeCodePoint",
    )


def sources(*texts: str) -> list[Source]:
    return [Source(id=str(number), text=text) for number, text in enumerate(texts or ("a text",))]


def new_job(*versions: str, text: str = "a text", created: float = 1_700_000_000.0) -> Job:
    return Job(
        id=uuid7(),
        display_name="name",
        created=created,
        updated=created,
        tasks=[task(version) for version in versions or ("quick",)],
        documents=sources(text),
        ledger=("log/1", 7),
    )


@pytest.fixture
def make_task() -> Callable[..., Task]:
    return task


@pytest.fixture
def make_sources() -> Callable[..., list[Source]]:
    return sources


@pytest.fixture
def make_job() -> Callable[..., Job]:
    return new_job


@pytest.fixture
def machine() -> Callable[[], Machine]:
    return Machine


@pytest.fixture
def submit() -> Callable[..., Awaitable[Job]]:
    async def submitted(jobs: Jobs, *versions: str, text: str = "a text") -> Job:
        return await jobs.submit(
            display_name=None,
            documents=sources(text),
            tasks=[task(version) for version in versions or ("quick",)],
        )

    return submitted
