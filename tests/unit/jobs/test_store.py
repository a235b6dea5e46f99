import asyncio
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from appliance.errors import JobStoreUnavailable, SettingsError
from appliance.jobs.job import LIFETIME_SECONDS, Failure, JobStatus
from appliance.jobs.store import JobStore
from appliance.jobs.tables import JobTable


def test_a_job_comes_back_as_it_was_kept(any_place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        store = any_place.store()
        job = make_job(
            "a", "b", text="\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + "\0 x"
        )
        await store.insert(job)
        (waiting,) = await store.left(now=job.created)
        assert waiting.job.id == job.id
        assert await store.take([job.id]) == [job]
        job.tasks[0].status, job.tasks[0].items = JobStatus.SUCCEEDED, [{"document": {"id": "0", "n": 1}}]
        job.tasks[1].status, job.tasks[1].failure = JobStatus.FAILED, Failure(code="C", message="m")
        await store.save(job)
        job.documents = []
        assert await store.get(job.id, now=job.created) == job
        assert await store.left(now=job.created) == []

    asyncio.run(scenario())


def test_several_first_starts_on_one_empty_database_all_succeed(any_place: Any, tmp_path: Path) -> None:
    for turn in range(4):
        url = any_place.url or f"sqlite:///{tmp_path / f'{turn}.db'}"
        ready = threading.Barrier(6)

        def start(number: int, url: str = url, ready: threading.Barrier = ready) -> JobStore:
            ready.wait()
            return JobStore.open(directory=tmp_path, url=url, instance=str(number), capacity=9)

        with ThreadPoolExecutor(6) as pool:
            for store in list(pool.map(start, range(6))):
                store.close()
        if any_place.url:
            engine = create_engine(url)
            JobTable.metadata.drop_all(engine)
            engine.dispose()


def test_only_its_owner_can_read_the_files(place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        await place.store().insert(make_job())

    asyncio.run(scenario())
    files = list(place.directory.glob("jobs.db*"))
    assert len(files) >= 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_everything_of_an_expired_job_is_deleted(place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        store = place.store()
        job = make_job(text="Rumpelstilzchen")
        await store.insert(job)
        assert b"Rumpelstilzchen" in place.bytes_on_disk()
        assert await store.expire(now=job.created + LIFETIME_SECONDS - 1) == 0
        assert await store.expire(now=job.created + LIFETIME_SECONDS) == 1
        assert await store.get(job.id, now=job.created) is None
        store.close()
        assert b"Rumpelstilzchen" not in place.bytes_on_disk()

    asyncio.run(scenario())


def test_a_full_store_forgets_the_oldest_job_that_has_ended(any_place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        any_place.capacity = 3
        store = any_place.store()
        kept = [make_job(created=1_700_000_000.0 + n) for n in range(4)]
        for number, job in enumerate(kept):
            if number:
                job.tasks[0].status = JobStatus.SUCCEEDED
            await store.insert(job)
        known = [await store.get(job.id, now=job.created) is not None for job in kept]
        assert known == [True, False, True, True], "the one that has not ended is kept"

    asyncio.run(scenario())


def test_installations_that_share_a_database_do_not_see_each_others_jobs(
    any_place: Any, make_job: Any, tmp_path: Any
) -> None:
    async def scenario() -> None:
        file = None if any_place.url else tmp_path / "shared.sqlite"
        any_place.url = any_place.url or f"sqlite:///{file}"
        here, there = any_place.store("here"), any_place.store("there")
        job = make_job(text="Rumpelstilzchen")
        await here.insert(job)
        assert await there.get(job.id, now=job.created) is None
        assert await there.left(now=job.created) == []
        assert await there.expire(now=job.created * 2) == 0
        assert await here.get(job.id, now=job.created)
        assert await here.expire(now=job.created * 2) == 1
        assert await here.get(job.id, now=job.created) is None
        assert file is None or stat.S_IMODE(file.stat().st_mode) == 0o600

    asyncio.run(scenario())


def test_a_damaged_store_is_begun_anew_and_its_texts_do_not_stay(place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        (place.directory / "jobs.db").write_bytes(b"Rumpelstilzchen" * 1_000)
        store = place.store()
        await store.insert(make_job())
        assert b"Rumpelstilzchen" not in place.bytes_on_disk()

    asyncio.run(scenario())


def test_a_file_without_jobs_is_opened_for_the_first_job_and_not_to_look_for_some(
    place: Any, machine: Any, submit: Any
) -> None:
    async def scenario() -> None:
        jobs = place.jobs(machine())
        await jobs.resume(machine().recorded)
        assert await jobs.get("unknown") is None
        assert place.bytes_on_disk() == b""
        await submit(jobs)
        assert place.bytes_on_disk() != b""
        await jobs.close(1)

    asyncio.run(scenario())


def test_a_file_whose_jobs_are_over_is_opened_to_delete_them(place: Any, make_job: Any) -> None:
    async def kept() -> None:
        job = make_job(text="Rumpelstilzchen")
        await place.store().insert(job)
        place.stores[-1].close()
        assert await place.store().expire(now=job.created + LIFETIME_SECONDS) == 1
        place.stores[-1].close()
        assert await place.store().expire(now=job.created) == 0
        assert b"Rumpelstilzchen" not in place.bytes_on_disk()

    asyncio.run(kept())


def test_what_is_kept_is_the_job_as_it_was_at_the_call(place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        store, job = place.store(), make_job()
        kept = asyncio.ensure_future(store.insert(job))  # the file is only being opened
        await asyncio.sleep(0)
        job.tasks[0].status, job.documents = JobStatus.SUCCEEDED, []
        await kept
        (left,) = await store.left(now=job.created)
        assert left.job.tasks[0].status is JobStatus.NOT_STARTED
        (taken,) = await store.take([job.id])
        assert [source.text for source in taken.documents] == ["a text"]

    asyncio.run(scenario())


def test_a_stop_before_the_file_is_open_keeps_what_was_to_be_kept(place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        store, job = place.store(), make_job()
        kept = asyncio.ensure_future(store.insert(job))
        await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        await kept
        with pytest.raises(JobStoreUnavailable):
            await store.get(job.id, now=job.created)
        assert await place.store().get(job.id, now=job.created) is not None

    asyncio.run(scenario())


def test_a_file_that_cannot_be_written_is_refused_at_the_start(place: Any) -> None:
    (place.directory / "jobs.db").mkdir()
    with pytest.raises(SettingsError, match=r"jobs\.db cannot be used: IsADirectoryError") as caught:
        place.store()
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    ["nonsense", "nodialect://x", "oracle+nodriver://u:secret@h/d", "sqlite:////nowhere/at/all/jobs.db"],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(place: Any, url: str) -> None:
    place.url = url
    with pytest.raises(SettingsError) as caught:
        place.store()
    assert "secret" not in caught.value.message
    assert caught.value.hint


def test_a_fleet_without_a_database_in_common_is_refused(place: Any) -> None:
    with pytest.raises(SettingsError, match="Jobs:Fleet=site needs Jobs:Database") as caught:
        place.store(fleet="site")
    assert caught.value.hint


def test_hundreds_of_jobs_at_once_are_kept_in_few_transactions(any_place: Any, make_job: Any) -> None:
    async def scenario() -> None:
        store = any_place.store()
        made = [make_job() for _ in range(300)]
        await asyncio.gather(*(store.insert(job) for job in made))
        assert len(await store.left(now=made[0].created)) == 300

    asyncio.run(scenario())
