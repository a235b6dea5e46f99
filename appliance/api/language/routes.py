"""The Language API: synchronous analysis and jobs, versions 2022-05-01 and 2023-04-01.

Wire facts are those of `docs/developer.md`; the official client `azure-ai-textanalytics` is the measure.
"""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.language.documents import Limits, check
from appliance.api.language.job_responses import Page, job_state
from appliance.api.language.jobs import LanguageJobs
from appliance.api.language.requests import (
    AnalyzeTextInput,
    AnalyzeTextJobsInput,
    CustomEntityRecognitionTask,
    EntityRecognitionTask,
    parse,
)
from appliance.api.language.results import Warned, render_results
from appliance.api.parameters import check_api_version, flag, own_url
from appliance.api.responses import JsonResponse
from appliance.api.usage_headers import evidence_headers
from appliance.jobs.job import Job, Task
from appliance.pipeline.deployments import Deployments
from appliance.pipeline.pipeline import Pipeline
from appliance.request_ids import uuid7

ANALYZE: Final = "/language/:analyze-text"
JOBS: Final = "/language/analyze-text/jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLimits:
    """Documented limits of a request: its body in bytes, its documents in text elements."""

    body_bytes: int
    request: Limits


class LanguageApi:
    """The endpoints under `/language/`.

    Args:
        pipeline: Admission, inference, usage.
        deployments: Models by project and deployment.
        jobs: Jobs of every version.
        limits: What a request may hold.
        warned: Hears the code of each warning in an answer.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        deployments: Deployments,
        jobs: LanguageJobs,
        limits: LanguageLimits,
        warned: Warned,
    ) -> None:
        self._pipeline = pipeline
        self._deployments = deployments
        self._jobs = jobs
        self._limits = limits
        self._warned = warned

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
        body = await parse(AnalyzeTextInput, request, self._limits.body_bytes)
        deployment = self._deployments.default(body.parameters.modelVersion)
        checked = await check(
            body.analysisInput.documents, body.parameters.stringIndexType, self._limits.request
        )
        answer = await self._pipeline.answer(
            deployment.require_recognizer(),
            checked.requests,
            records=checked.records,
            request_id=request.state.request_id,
        )
        results = await render_results(
            checked, answer, deployment, warned=self._warned, show_stats=show_stats
        )
        return JsonResponse(
            {"kind": "EntityRecognitionResults", "results": results}, headers=evidence_headers(answer)
        )

    async def submit_job(self, request: Request) -> Response:
        """`POST /language/analyze-text/jobs`: 202 and an absolute `operation-location`."""
        version = check_api_version(request)
        body = await parse(AnalyzeTextJobsInput, request, self._limits.body_bytes)
        job = await self._jobs.submit(
            body.displayName, body.analysisInput.documents, [_task(task) for task in body.tasks]
        )
        return self._accepted(request, job, version)

    async def get_job(self, request: Request) -> Response:
        """`GET /language/analyze-text/jobs/{id}`: state and, page by page, results."""
        check_api_version(request)
        page = Page.of(request)
        job = await self._jobs.find(request)
        body: dict[str, Any] = job_state(request, job, page, JOBS)
        return JSONResponse(body, headers=self._jobs.headers(job))

    async def cancel_job(self, request: Request) -> Response:
        """`POST /language/analyze-text/jobs/{id}:cancel`."""
        version = check_api_version(request)
        job = await self._jobs.find(request)
        await self._jobs.cancel(job)
        return self._accepted(request, job, version)

    def _accepted(self, request: Request, job: Job, version: str) -> Response:
        location = own_url(request, f"{JOBS}/{job.id}", {"api-version": version})
        headers = {"operation-location": location, **self._jobs.warning_header()}
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
