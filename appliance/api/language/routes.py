"""The Language API: synchronous analysis and jobs, versions 2022-05-01 and 2023-04-01.

Wire facts are those of `docs/developer.md`; the official client `azure-ai-textanalytics` is the measure.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.body import read_body
from appliance.api.errors import Problem
from appliance.api.language.documents import Checked, Limits, check_documents, parse_unit
from appliance.api.language.execution import run_off_loop
from appliance.api.language.job_responses import Page, job_state, wait_headers
from appliance.api.language.requests import (
    AnalyzeTextInput,
    AnalyzeTextJobsInput,
    CustomEntityRecognitionTask,
    EntityRecognitionTask,
    InputDocument,
    parse_body,
)
from appliance.api.language.results import result_items, results_object
from appliance.api.parameters import check_api_version, flag, job_id, job_not_found, own_url
from appliance.api.usage_headers import evidence_headers, warning_header
from appliance.jobs.job import Item, Job, Source, Task
from appliance.jobs.runner import Jobs
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.pipeline.pipeline import Answer, Pipeline
from appliance.request_ids import uuid7

_Model = TypeVar("_Model", bound=BaseModel)

ANALYZE: Final = "/language/:analyze-text"
JOBS: Final = "/language/analyze-text/jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLimits:
    """Documented limits of the API; lengths in text elements, bodies in bytes."""

    body_bytes: int
    job: Limits
    request: Limits


class Language:
    """What the versions of the Language API have in common: documents in, answers or jobs out.

    Args:
        pipeline: Admission, inference, usage.
        deployments: Models by project and deployment.
        jobs: Where jobs run and are kept.
        limits: What a request may hold.
        clock: Effective time, Unix seconds.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        deployments: Deployments,
        jobs: Jobs,
        limits: LanguageLimits,
        clock: Callable[[], float],
    ) -> None:
        self.deployments = deployments
        self.clock = clock
        self._pipeline = pipeline
        self._jobs = jobs
        self._limits = limits

    async def parse(self, model: type[_Model], request: Request) -> _Model:
        """Read the body of a call.

        Raises:
            Problem: 413 or 400.
        """
        body = (await read_body(request, self._limits.body_bytes)).removeprefix(BOM_UTF8)
        return await run_off_loop(len(body), parse_body, model, body)

    async def answer(
        self, request: Request, deployment: Deployment, inputs: Sequence[InputDocument], unit_name: str
    ) -> tuple[Answer, tuple[Item, ...]]:
        """Answer documents at once.

        Raises:
            Problem: 400 for a batch that is refused whole.
            ApplianceError: As `Pipeline.answer`.
        """
        unit, size = parse_unit(unit_name), _size(inputs)
        checked: Checked = await run_off_loop(size, check_documents, inputs, unit, self._limits.request)
        answer = await self._pipeline.answer(
            deployment.require_recognizer(),
            [document.text for document in checked.documents],
            records=sum(document.records for document in checked.documents),
            request_id=request.state.request_id,
        )
        order = [document.id for document in inputs]
        return answer, await run_off_loop(size, result_items, order, checked, answer.found)

    async def submit(
        self, display_name: str | None, inputs: Sequence[InputDocument], tasks: list[Task]
    ) -> Job:
        """Start a job; refuse now what would be refused anyway.

        Raises:
            Problem: 400 for a batch or a task that is refused whole.
            ApplianceError: Unknown deployment, licence, or no room.
        """
        for task in tasks:
            unit = parse_unit(task.unit)
            if task.project is not None and task.deployment is not None:
                self.deployments.find(task.project, task.deployment)
            else:
                self.deployments.default(task.version)
        await run_off_loop(_size(inputs), check_documents, inputs, unit, self._limits.job)
        self._pipeline.check()
        documents = [Source(id=document.id, text=document.text) for document in inputs]
        return await self._jobs.submit(display_name=display_name, documents=documents, tasks=tasks)

    def job_headers(self, job: Job) -> dict[str, str]:
        """When to ask for the job again, and the warning of a licence in grace."""
        return wait_headers(job, self.clock()) | self.warning_header()

    def warning_header(self) -> dict[str, str]:
        """The warning of a licence in grace; none otherwise."""
        return warning_header(self._pipeline.warning())

    async def find(self, request: Request) -> Job:
        """The job that the path names.

        Raises:
            Problem: 404.
        """
        job = await self._jobs.get(job_id(request))
        if job is None:
            raise job_not_found()
        return job

    async def cancel(self, job: Job) -> None:
        """Stop a job between documents.

        Raises:
            Problem: 400 if it has ended.
        """
        if not await self._jobs.cancel(job):
            raise Problem(
                400,
                "InvalidRequest",
                f"Failed to cancel job with job id {job.id} as its already completed.",
            )


class LanguageApi:
    """The endpoints under `/language/`.

    Args:
        language: What answers.
    """

    def __init__(self, language: Language) -> None:
        self._language = language

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        return [
            Route(ANALYZE, self.analyze_text, methods=["POST"]),
            Route(JOBS, self.submit_job, methods=["POST"]),
            Route(f"{JOBS}/{{job_id}}:cancel", self.cancel_job, methods=["POST"]),
            Route(f"{JOBS}/{{job_id}}", self.get_job, methods=["GET"]),
        ]

    async def analyze_text(self, request: Request) -> Response:
        """`POST /language/:analyze-text`: prebuilt entity recognition, answered at once."""
        check_api_version(request)
        show_stats = flag(request, "showStats")
        body = await self._language.parse(AnalyzeTextInput, request)
        parameters = body.parameters
        deployment = self._language.deployments.default(parameters.modelVersion)
        answer, items = await self._language.answer(
            request, deployment, body.analysisInput.documents, parameters.stringIndexType
        )
        results = {**results_object(items, show_stats=show_stats), "modelVersion": deployment.release}
        return JSONResponse(
            {"kind": "EntityRecognitionResults", "results": results}, headers=evidence_headers(answer)
        )

    async def submit_job(self, request: Request) -> Response:
        """`POST /language/analyze-text/jobs`: 202 and an absolute `operation-location`."""
        version = check_api_version(request)
        body = await self._language.parse(AnalyzeTextJobsInput, request)
        job = await self._language.submit(
            body.displayName, body.analysisInput.documents, [_task(task) for task in body.tasks]
        )
        return self._accepted(request, job, version)

    async def get_job(self, request: Request) -> Response:
        """`GET /language/analyze-text/jobs/{id}`: state and, page by page, results."""
        check_api_version(request)
        page = Page.of(request)
        job = await self._language.find(request)
        body: dict[str, Any] = job_state(request, job, page, JOBS)
        return JSONResponse(body, headers=self._language.job_headers(job))

    async def cancel_job(self, request: Request) -> Response:
        """`POST /language/analyze-text/jobs/{id}:cancel`."""
        version = check_api_version(request)
        job = await self._language.find(request)
        await self._language.cancel(job)
        return self._accepted(request, job, version)

    def _accepted(self, request: Request, job: Job, version: str) -> Response:
        location = own_url(request, f"{JOBS}/{job.id}", {"api-version": version})
        headers = {"operation-location": location, **self._language.warning_header()}
        return Response(status_code=202, headers=headers)


def _task(task: EntityRecognitionTask | CustomEntityRecognitionTask) -> Task:
    project = deployment = None
    version = "latest"
    if isinstance(task, CustomEntityRecognitionTask):
        project, deployment = task.parameters.projectName, task.parameters.deploymentName
    else:
        version = task.parameters.modelVersion
    return Task(
        id=uuid7(),
        kind=task.kind,
        name=task.taskName,
        project=project,
        deployment=deployment,
        version=version,
        unit=task.parameters.stringIndexType,
    )


def _size(documents: Sequence[InputDocument]) -> int:
    return sum(len(document.text) for document in documents)
