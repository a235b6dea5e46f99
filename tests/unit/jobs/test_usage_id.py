"""The identifier that a task is recorded under changes with everything that was counted, and with the key."""

from dataclasses import replace

import pytest

from appliance.jobs.job import Source, Task
from appliance.jobs.usage_id import UsageIds
from license.evidence.log.entry import is_token

IDS = UsageIds(bytes(range(64)))
TASK = Task(
    id="0193", kind="EntityRecognition", name=None, project=None, deployment=None, version="latest", unit="u"
)
TEXTS = [Source(id="1", text="Ada \N{SNOWMAN}"), Source(id="2", text="Berlin")]


def test_it_is_the_same_for_the_same_and_can_be_said_in_an_entry() -> None:
    found = IDS.of(TASK, TEXTS)
    assert found == IDS.of(replace(TASK), list(TEXTS))
    assert found.startswith("0193:")
    assert is_token(found)


@pytest.mark.parametrize(
    ("task", "documents"),
    [
        (TASK, [Source(id="1", text="Ada"), Source(id="2", text="Berlin")]),
        (TASK, TEXTS[:1]),
        (TASK, TEXTS[::-1]),
        (TASK, [Source(id="1", text="Ada \N{SNOWMAN}Berlin"), Source(id="2", text="")]),
        (TASK, [*TEXTS, Source(id="3", text="more")]),
        (TASK, [replace(TEXTS[0], language="de"), TEXTS[1]]),
        (replace(TASK, deployment="other", project="p"), TEXTS),
        (replace(TASK, version="2"), TEXTS),
        (replace(TASK, id="0194"), TEXTS),
    ],
)
def test_it_changes_with_whatever_was_counted(task: Task, documents: list[Source]) -> None:
    assert IDS.of(task, documents) != IDS.of(TASK, TEXTS)


def test_it_changes_with_the_key() -> None:
    assert UsageIds(bytes(64)).of(TASK, TEXTS) != IDS.of(TASK, TEXTS)
