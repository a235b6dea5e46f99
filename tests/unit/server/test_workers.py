"""What each of several workers is: cores divided, directories and names apart, jobs shared."""

from pathlib import Path
from typing import Any

import pytest

from appliance.config.settings import Settings
from appliance.config.state_place import StatePlace
from appliance.errors import SettingsError
from appliance.server.workers import plan_workers, share_out


@pytest.mark.parametrize(
    ("cores", "count", "usable", "shares"),
    [
        (range(8), 2, 8, [{0, 1, 2, 3}, {4, 5, 6, 7}]),
        (range(10), 4, 10, [{0, 1, 2}, {3, 4, 5}, {6, 7}, {8, 9}]),
        ([2, 5], 2, 2, [{2}, {5}]),
        ([2, 5], 5, 2, [{2}, {5}, {2}, {5}, {2}]),
        (range(16), 2, 4, [{0, 1}, {2, 3}]),  # four cores' time of a control group
        ([3], 1, 1, [{3}]),
    ],
)
def test_each_core_that_may_be_used_belongs_to_one_worker_as_far_as_they_reach(
    cores: Any, count: int, usable: int, shares: list[set[int]]
) -> None:
    assert share_out(list(cores), count, usable=usable) == shares


def plan(*words: str, place: StatePlace) -> Any:
    return plan_workers(Settings.read(words, {}), place)


def test_the_first_worker_is_the_installation_as_it_was(tmp_path: Path) -> None:
    one, two = plan("Workers=2", f"Mounts:State={tmp_path}", place=StatePlace(keys=tmp_path))
    assert one.place.keys == tmp_path
    assert two.place.keys == tmp_path / "worker-2"
    assert [worker.settings.worker for worker in (one, two)] == [1, 2]
    assert [worker.settings.state_mount for worker in (one, two)] == [tmp_path, tmp_path / "worker-2"]
    for worker in (one, two):
        assert worker.settings.jobs_database == f"sqlite:///{tmp_path}/jobs.db"
        assert worker.settings.jobs_fleet == "workers"


def test_what_changes_lies_below_the_output_where_the_keys_lie_with_the_licence(tmp_path: Path) -> None:
    place = StatePlace(keys=tmp_path / "license" / "identity", ledgers=tmp_path / "output" / "customner")
    _, two = plan("Workers=2", place=place)
    assert two.place == StatePlace(keys=place.keys / "worker-2", ledgers=place.ledgers)
    assert two.settings.state_mount is None
    assert two.settings.jobs_database == f"sqlite:///{tmp_path}/output/customner/jobs.db"


def test_jobs_lie_where_the_operator_says(tmp_path: Path) -> None:
    words = ("Workers=2", "Jobs:Database=postgresql://db/jobs", "Jobs:Fleet=north")
    (one, _) = plan(*words, place=StatePlace(keys=tmp_path))
    assert (one.settings.jobs_database, one.settings.jobs_fleet) == ("postgresql://db/jobs", "north")
    with pytest.raises(SettingsError, match="Jobs:Database needs the name"):
        plan(*words[:2], place=StatePlace(keys=tmp_path))
