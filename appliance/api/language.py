"""The Language API: synchronous analysis and jobs, versions 2022-05-01 and 2023-04-01.

Wire facts are those of `docs/developer.md`; the official client `azure-ai-textanalytics` is the measure.
"""

import asyncio
import contextlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.body import read_body
from appliance.api.documents import Checked, Limits, check_documents, parse_unit
from appliance.api.problems import Problem, error_object, invalid_request, not_found, problem_from
from appliance.api.results import ResultItem, result_items, results_object
from appliance.api.schemas import (
    AnalyzeTextInput,
    AnalyzeTextJobsInput,
    CustomEntityRecognitionTask,
    EntityRecognitionTask,
    InputDocument,
    parse_body,
)
from appliance.deployments import Deployment, Deployments
from appliance.errors import ApplianceError, Busy
from appliance.ids import uuid7
from appliance.jobs import Job, JobStatus, JobStore, TaskState
from appliance.pipeline import Answer, Pipeline

API_VERSIONS: Final = ("2022-05-01", "2023-04-01")
# Previews and later versions that official clients send; the operations served here did not change in them.
_COMPATIBLE: Final = re.compile(r"202[2-6]-\d\d-\d\d(-preview)?")
_PAGE: Final = 20
_QUICK_SECONDS: Final = 0.25
_BUSY_PAUSE_SECONDS: Final = 0.05
_PIECE_DOCUMENTS: Final = 5
_PIECE_ELEMENTS: Final = 5_120

Jobs = JobStore[tuple[ResultItem, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLimits:
    """Documented limits of the API; lengths in text elements, bodies in bytes."""

    body_bytes: int
    job: Limits
    request: Limits


class LanguageApi:
    """The endpoints under `/language/`.

    Args:
        pipeline: Admission, inference, usage.
        deployments: Models by project and deployment.
        jobs: Where jobs run and are kept.
        limits: What a request may hold.
    """

    def __init__(
        self, *, pipeline: Pipeline, deployments: Deployments, jobs: Jobs, limits: LanguageLimits
    ) -> None:
        self._pipeline = pipeline
        self._deployments = deployments
        self._jobs = jobs
        self._limits = limits

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        return [
            Route("/language/:analyze-text", self.analyze_text, methods=["POST"]),
            Route("/language/analyze-text/jobs", self.submit_job, methods=["POST"]),
            Route("/language/analyze-text/jobs/{job_id}:cancel", self.cancel_job, methods=["POST"]),
            Route("/language/analyze-text/jobs/{job_id}", self.get_job, methods=["GET"]),
        ]

    async def analyze_text(self, request: Request) -> Response:
        """`POST /language/:analyze-text`: prebuilt entity recognition, answered at once."""
        check_api_version(request)
        body = parse_body(AnalyzeTextInput, await read_body(request, self._limits.body_bytes))
        unit = parse_unit(body.parameters.stringIndexType)
        checked = check_documents(body.analysisInput.documents, unit, self._limits.request)
        deployment = self._deployments.default(body.parameters.modelVersion)
        answer = await self._pipeline.answer(
            deployment.recognizer,
            [document.text for document in checked.documents],
            records=sum(document.records for document in checked.documents),
            request_id=request.state.request_id,
        )
        items = result_items(_ids(body.analysisInput.documents), checked, answer.found)
        results = results_object(items, show_stats=flag(request, "showStats"))
        results["modelVersion"] = deployment.release
        return JSONResponse(
            {"kind": "EntityRecognitionResults", "results": results}, headers=evidence_headers(answer)
        )

    async def submit_job(self, request: Request) -> Response:
        """`POST /language/analyze-text/jobs`: 202 and an absolute `operation-location`."""
        version = check_api_version(request)
        body = parse_body(AnalyzeTextJobsInput, await read_body(request, self._limits.body_bytes))
        states = [self._task(task, body.analysisInput.documents) for task in body.tasks]
        self._pipeline.check()
        job = self._jobs.submit(display_name=body.displayName, tasks=states)
        if job.runner is not None:
            # The official client polls once at once and then after seconds: a short job is finished first.
            await asyncio.wait({job.runner}, timeout=_QUICK_SECONDS)
        return Response(
            status_code=202,
            headers={"operation-location": _job_url(request, job.id, {"api-version": version})},
        )

    async def get_job(self, request: Request) -> Response:
        """`GET /language/analyze-text/jobs/{id}`: state and, page by page, results."""
        version = check_api_version(request)
        job = self._find(request)
        top = number(request, "top", default=_PAGE, low=1)
        skip = number(request, "skip", default=0, low=0)
        show_stats = flag(request, "showStats")
        body = _job_object(job)
        body["tasks"] = {
            **_task_counts(job),
            "items": [_task_object(t, top, skip, show_stats) for t in job.tasks if t.status.final],
        }
        left = max((len(t.result) for t in job.tasks if t.result is not None), default=0) - skip - top
        if left > 0:
            query = {"showStats": str(show_stats), "top": str(min(top, left)), "skip": str(skip + top)}
            body["nextLink"] = _job_url(request, job.id, {**query, "api-version": version})
        headers = {} if job.status.final else {"Retry-After": "1", "retry-after-ms": "200"}
        return JSONResponse(body, headers=headers)

    async def cancel_job(self, request: Request) -> Response:
        """`POST /language/analyze-text/jobs/{id}:cancel`."""
        version = check_api_version(request)
        job = self._find(request)
        if not await self._jobs.cancel(job):
            raise Problem(
                400,
                "InvalidRequest",
                f"Failed to cancel job with job id {job.id} as its already completed.",
            )
        return Response(
            status_code=202,
            headers={"operation-location": _job_url(request, job.id, {"api-version": version})},
        )

    def _find(self, request: Request) -> Job[tuple[ResultItem, ...]]:
        job = None
        with contextlib.suppress(ValueError):
            job = self._jobs.get(str(uuid.UUID(request.path_params["job_id"])))
        if job is None:
            raise not_found("NotFound", "Job not found. Results are kept for 24 hours.")
        return job

    def _task(
        self,
        task: EntityRecognitionTask | CustomEntityRecognitionTask,
        inputs: Sequence[InputDocument],
    ) -> TaskState[tuple[ResultItem, ...]]:
        unit = parse_unit(task.parameters.stringIndexType)
        checked = check_documents(inputs, unit, self._limits.job)
        if isinstance(task, CustomEntityRecognitionTask):
            project, name = task.parameters.projectName, task.parameters.deploymentName
            deployment = self._deployments.find(project, name)
            return TaskState(
                kind=task.kind,
                name=task.taskName,
                project=project,
                deployment=name,
                work=_Work(self._pipeline, deployment, _ids(inputs), checked).run,
            )
        deployment = self._deployments.default(task.parameters.modelVersion)
        return TaskState(
            kind=task.kind,
            name=task.taskName,
            project=None,
            deployment=deployment.release,
            work=_Work(self._pipeline, deployment, _ids(inputs), checked).run,
        )


class _Work:
    """The documents of one task, until they are answered."""

    def __init__(
        self, pipeline: Pipeline, deployment: Deployment, order: Sequence[str], checked: Checked
    ) -> None:
        self._pipeline = pipeline
        self._deployment = deployment
        self._order = order
        self._checked = checked

    async def run(self) -> tuple[ResultItem, ...]:
        """Answer every document; usage is one record for the task."""
        answer = await self._pipeline.answer(
            self,
            [document.text for document in self._checked.documents],
            records=sum(document.records for document in self._checked.documents),
            request_id=uuid7(),
        )
        return result_items(self._order, self._checked, answer.found)

    async def recognize(self, texts: Sequence[str]) -> list[Any]:
        """Give the engine a few documents at a time, and wait politely where a caller would get a 429."""
        found: list[Any] = []
        for piece in _pieces(texts):
            while True:
                try:
                    found.extend(await self._deployment.recognizer.recognize(piece))
                    break
                except Busy:
                    await asyncio.sleep(_BUSY_PAUSE_SECONDS)
        return found


def _pieces(texts: Sequence[str]) -> list[list[str]]:
    pieces: list[list[str]] = []
    size = _PIECE_ELEMENTS
    for text in texts:
        if size + len(text) > _PIECE_ELEMENTS or len(pieces[-1]) == _PIECE_DOCUMENTS:
            pieces.append([])
            size = 0
        pieces[-1].append(text)
        size += len(text)
    return pieces


def check_api_version(request: Request) -> str:
    """The `api-version` of the call.

    Raises:
        Problem: 400 if it is missing or names no version served here.
    """
    version = request.query_params.get("api-version", "")
    if not version:
        raise Problem(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if version not in API_VERSIONS and not _COMPATIBLE.fullmatch(version):
        raise Problem(
            400,
            "UnsupportedApiVersion",
            f"This api-version is not served. Use {' or '.join(API_VERSIONS)}.",
        )
    return version


def flag(request: Request, name: str) -> bool:
    """A boolean query parameter in any letter case; absent is false."""
    value = request.query_params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise invalid_request(
            "Invalid parameter in request", inner=("InvalidParameterValue", f"{name} is true or false.")
        )
    return value == "true"


def number(request: Request, name: str, *, default: int, low: int) -> int:
    """A whole-number query parameter, accepted with or without a leading `$`."""
    text = request.query_params.get(name, request.query_params.get(f"${name}", str(default)))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= low):
        raise invalid_request(
            "Invalid parameter in request",
            inner=("InvalidParameterValue", f"{name} is a whole number of at least {low}."),
        )
    return int(text)


def evidence_headers(answer: Answer) -> dict[str, str]:
    """Where the usage of this answer is recorded, and the warning of a licence in grace."""
    headers = {}
    if answer.receipt is not None:
        headers["Usage-Record"] = answer.receipt.header
    if answer.admission.warning:
        headers["Warning"] = f'299 - "{answer.admission.warning}"'
    return headers


def _ids(documents: Sequence[InputDocument]) -> list[str]:
    return [document.id for document in documents]


def _job_url(request: Request, job_id: str, query: Mapping[str, str]) -> str:
    return (
        f"{request.url.scheme}://{request.url.netloc}/language/analyze-text/jobs/{job_id}?{urlencode(query)}"
    )


def _time(seconds: float, *, fraction: bool = False) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if fraction else "%Y-%m-%dT%H:%M:%SZ")


def _job_object(job: Job[tuple[ResultItem, ...]]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "jobId": job.id,
        "createdDateTime": _time(job.created),
        "lastUpdatedDateTime": _time(job.updated),
        "lastUpdateDateTime": _time(job.updated),
        "expirationDateTime": _time(job.expires),
        "status": job.status,
        "errors": [
            {**_error(task.error), "target": f"#/tasks/items/{index}"}
            for index, task in enumerate(job.tasks)
            if task.error is not None
        ],
    }
    if job.display_name is not None:
        body["displayName"] = job.display_name
    return body


def _task_counts(job: Job[tuple[ResultItem, ...]]) -> dict[str, int]:
    states = [task.status for task in job.tasks]
    return {
        "completed": states.count(JobStatus.SUCCEEDED),
        "failed": states.count(JobStatus.FAILED) + states.count(JobStatus.CANCELLED),
        "inProgress": sum(not state.final for state in states),
        "total": len(states),
    }


def _task_object(
    task: TaskState[tuple[ResultItem, ...]], top: int, skip: int, show_stats: bool
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "kind": f"{task.kind}LROResults",
        "lastUpdateDateTime": _time(task.updated, fraction=True),
        "status": task.status,
    }
    if task.name is not None:
        body["taskName"] = task.name
    if task.status is JobStatus.FAILED:
        return body
    page = (task.result or ())[skip : skip + top]
    body["results"] = results_object(page, show_stats=show_stats)
    if task.project is not None:
        body["results"].update(projectName=task.project, deploymentName=task.deployment)
    else:
        body["results"]["modelVersion"] = task.deployment
    return body


def _error(error: ApplianceError) -> dict[str, Any]:
    problem = problem_from(error)
    return error_object(problem.code, problem.inner[1] if problem.inner else problem.message)
