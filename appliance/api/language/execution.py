"""The work of a job: its documents, a few at a time, in turn with other jobs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from appliance.api.language.documents import Limits, check_documents, parse_unit
from appliance.api.language.results import result_items
from appliance.errors import Busy
from appliance.jobs.fair_turns import Turns
from appliance.jobs.job import Source, Task
from appliance.jobs.runner import Interrupt, Outcome
from appliance.ner.engine import Entity
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.pipeline.pipeline import Pipeline

_Result = TypeVar("_Result")

PIECE_DOCUMENTS: Final = 5
PIECE_CHARACTERS: Final = 5_120
BUSY_PAUSE_SECONDS: Final = 0.05
_INLINE_CHARACTERS: Final = 20_000

# What was accepted once is not refused after a restart with other limits.
_UNLIMITED: Final = Limits(documents=2**31)


async def run_off_loop(size: int, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call a function that takes time in proportion to `size` characters or bytes; large ones on a thread."""
    if size <= _INLINE_CHARACTERS:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


class DocumentWork:
    """Does the tasks of jobs; the `Work` of `appliance.jobs.runner`.

    Args:
        pipeline: Admission, inference, usage.
        deployments: Models by project and deployment.
        turns: Who may ask a model next.
    """

    def __init__(self, *, pipeline: Pipeline, deployments: Deployments, turns: Turns) -> None:
        self._pipeline = pipeline
        self._deployments = deployments
        self._turns = turns

    async def __call__(
        self, task: Task, documents: Sequence[Source], *, interrupt: Interrupt, recorded: bool
    ) -> Outcome:
        """Answer every document; usage is one record for the task, under the task's id."""
        if task.project is not None and task.deployment is not None:
            deployment = self._deployments.find(task.project, task.deployment)
        else:
            deployment = self._deployments.default(task.version)
        size = _size(documents)
        checked = await run_off_loop(size, check_documents, documents, parse_unit(task.unit), _UNLIMITED)
        texts = [document.text for document in checked.documents]
        paced = _Paced(deployment, self._turns, interrupt)
        if recorded:
            found = await self._pipeline.recompute(paced, texts)
        else:
            records = sum(document.records for document in checked.documents)
            answer = await self._pipeline.answer(paced, texts, records=records, request_id=task.id)
            found = answer.found
        order = [document.id for document in documents]
        return Outcome(
            items=await run_off_loop(size, result_items, order, checked, found), release=deployment.release
        )


class _Paced:
    """A recognizer that asks a few documents at a time, in turn, and can be interrupted between them.

    What a synchronous request could have asked goes as fast as one; the rest of a job gives way to others.
    """

    def __init__(self, deployment: Deployment, turns: Turns, interrupt: Interrupt) -> None:
        self._recognizer = deployment.require_recognizer()
        self._turns = turns
        self._interrupt = interrupt

    async def recognize(self, texts: Sequence[str], *, background: bool = False) -> list[list[Entity]]:
        """Entities of each text, positions in code points."""
        found: list[list[Entity]] = []
        for had, piece in enumerate(pieces(texts)):
            large = had > 0 or sum(map(len, piece)) > PIECE_CHARACTERS
            found.extend(await self._interrupt.run(self._ask(piece, had, background=background or large)))
        return found

    async def _ask(self, piece: Sequence[str], had: int, *, background: bool) -> list[list[Entity]]:
        while True:
            async with self._turns.turn(had):
                try:
                    return await self._recognizer.recognize(piece, background=background)
                except Busy:  # a caller would get a 429; a job waits politely
                    await asyncio.sleep(BUSY_PAUSE_SECONDS)


def pieces(texts: Sequence[str]) -> list[list[str]]:
    """Cut a batch into runs of a few documents that are about one synchronous document long together."""
    found: list[list[str]] = []
    size = PIECE_CHARACTERS
    for text in texts:
        if size + len(text) > PIECE_CHARACTERS or len(found[-1]) == PIECE_DOCUMENTS:
            found.append([])
            size = 0
        found[-1].append(text)
        size += len(text)
    return found


def _size(documents: Sequence[Source]) -> int:
    return sum(len(document.text) for document in documents)
