"""The work of a job: its documents, a few at a time, in turn with other jobs."""

import asyncio
from collections.abc import Sequence
from typing import Final

from appliance.api.language.documents import Limits, check
from appliance.api.language.results import Warned, result_items
from appliance.api.off_loop import run_off_loop
from appliance.errors import ApplianceError, Busy
from appliance.jobs.fair_turns import Turns
from appliance.jobs.job import Source, Task
from appliance.jobs.usage_id import UsageIds
from appliance.jobs.work import Claim, Interrupt, Outcome
from appliance.ner.engine import Recognized
from appliance.ner.text_request import TextRequest
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.pipeline.pipeline import Pipeline

PIECE_DOCUMENTS: Final = 5
PIECE_CHARACTERS: Final = 5_120
BUSY_PAUSE_SECONDS: Final = 0.05

# What was accepted once is not refused after a restart with other limits.
_UNLIMITED: Final = Limits(documents=2**31)


class DocumentWork:
    """Does the tasks of jobs; the `Work` of `appliance.jobs.work`.

    Args:
        pipeline: Admission, inference, usage.
        deployments: Models by project and deployment.
        turns: Who may ask a model next.
        ids: What usage is recorded under.
        warned: Hears the code of each warning in an answer.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        deployments: Deployments,
        turns: Turns,
        ids: UsageIds,
        warned: Warned,
    ) -> None:
        self._pipeline = pipeline
        self._deployments = deployments
        self._turns = turns
        self._ids = ids
        self._warned = warned

    def usage_id(self, task: Task, documents: Sequence[Source]) -> str:
        """What the usage of a task over these documents is recorded under."""
        return self._ids.of(task, documents)

    def serves(self, task: Task) -> bool:
        """Whether the model that a task asks for is here."""
        try:
            self._deployment(task)
        except ApplianceError:
            return False
        return True

    def _deployment(self, task: Task) -> Deployment:
        if task.project is not None and task.deployment is not None:
            return self._deployments.find(task.project, task.deployment)
        return self._deployments.default(task.version)

    async def __call__(
        self, task: Task, documents: Sequence[Source], *, interrupt: Interrupt, recorded: bool, claim: Claim
    ) -> Outcome:
        """Answer every document; usage is one record for the task."""
        deployment = self._deployment(task)
        checked = await check(documents, task.unit, _UNLIMITED)
        paced = _Paced(deployment, self._turns, interrupt, None if recorded else claim)
        if recorded:
            entities = await self._pipeline.recompute(paced, checked.requests)
        else:
            usage_id = await run_off_loop(checked.size, self.usage_id, task, documents)
            answer = await self._pipeline.answer(
                paced, checked.requests, records=checked.records, request_id=usage_id
            )
            entities = answer.entities
        items = await run_off_loop(
            checked.size, result_items, checked, entities, deployment.languages, self._warned
        )
        return Outcome(items=items, release=deployment.release)


class _Paced:
    """A recognizer that asks a few documents at a time, in turn, and can be interrupted between them.

    What a synchronous request could have asked goes as fast as one; the rest of a job gives way to others.
    """

    def __init__(
        self, deployment: Deployment, turns: Turns, interrupt: Interrupt, claim: Claim | None
    ) -> None:
        self._recognizer = deployment.require_recognizer()
        self._turns = turns
        self._interrupt = interrupt
        self._claim = claim

    async def recognize(
        self, requests: Sequence[TextRequest], *, background: bool = False
    ) -> list[Recognized]:
        """Entities of each text, positions in code points."""
        entities: list[Recognized] = []
        for number, piece in enumerate(pieces(requests)):
            large = number > 0 or sum(len(one.text) for one in piece) > PIECE_CHARACTERS
            call = self._recognize_piece(piece, number, background=background or large)
            entities.extend(await self._interrupt.run(call))
        if self._claim is not None:
            await self._claim()  # last, so that hardly any time lies between it and the usage record
        return entities

    async def _recognize_piece(
        self, piece: Sequence[TextRequest], number: int, *, background: bool
    ) -> list[Recognized]:
        while True:
            async with self._turns.turn(number):
                try:
                    return await self._recognizer.recognize(piece, background=background)
                except Busy:  # a caller would get a 429; a job waits politely
                    await asyncio.sleep(BUSY_PAUSE_SECONDS)


def pieces(requests: Sequence[TextRequest]) -> list[list[TextRequest]]:
    """Cut a batch into runs of a few documents that are about one synchronous document long together."""
    batch: list[list[TextRequest]] = []
    size = PIECE_CHARACTERS
    for request in requests:
        length = len(request.text)
        if size + length > PIECE_CHARACTERS or len(batch[-1]) == PIECE_DOCUMENTS:
            batch.append([])
            size = 0
        batch[-1].append(request)
        size += length
    return batch
