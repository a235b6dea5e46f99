"""The legacy Text Analytics API, which clients built for v3.1 and the previews with custom entities call.

Answers are the superset of what published clients of a version read; `docs/developer.md` lists the paths.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.errors import Problem, invalid_request
from appliance.api.language.documents import check
from appliance.api.language.job_responses import LEGACY_LARGEST_PAGE, NESTED, Page, legacy_state
from appliance.api.language.jobs import LanguageJobs
from appliance.api.language.requests import parse
from appliance.api.language.results import Warned, render_results
from appliance.api.language.routes import LanguageLimits
from appliance.api.parameters import flag, own_url, query_value
from appliance.api.usage_headers import evidence_headers
from appliance.jobs.job import Task
from appliance.pipeline.deployments import Deployments
from appliance.pipeline.pipeline import Pipeline
from appliance.request_ids import uuid7

if TYPE_CHECKING:
    from appliance.api.language.legacy_requests import LegacyCustomTask, LegacyEntityTask, LegacyTasks

VERSIONS: Final = ("v3.1", "v3.2-preview.2", NESTED)
ONLY_SYNCHRONOUS: Final = "v3.0"
"""The version that the first releases of the clients (5.0) call; entity recognition is all of it here."""
GENERAL: Final = "/entities/recognition/general"
_WITHOUT_CUSTOM: Final = "v3.1"

_Endpoint = Callable[[Request, str], Awaitable[Response]]


class LegacyApi:
    """The endpoints under `/text/analytics/{version}/`.

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
        routes = [
            Route(f"/text/analytics/{ONLY_SYNCHRONOUS}{GENERAL}", self.recognize_v3_0, methods=["POST"])
        ]
        for version in VERSIONS:
            base = f"/text/analytics/{version}"
            for path, endpoint, method in (
                ("/analyze", self.submit_job, "POST"),
                ("/analyze/jobs/{job_id}", self.get_job, "GET"),
                (GENERAL, self.recognize, "POST"),
            ):
                routes.append(Route(base + path, _of_version(endpoint, version), methods=[method]))
        return routes

    async def recognize_v3_0(self, request: Request) -> Response:
        """The same of v3.0, which had no jobs and whose documents are all that was asked for."""
        return await _call(self.recognize, ONLY_SYNCHRONOUS, request)

    async def recognize(self, request: Request, _version: str) -> Response:
        """`POST …/entities/recognition/general`: prebuilt entity recognition, answered at once."""
        from appliance.api.language.legacy_requests import LegacyDocuments  # noqa: PLC0415  (loaded where it is wanted)

        show_stats = flag(request, "showStats")
        flag(request, "loggingOptOut")
        unit = query_value(request, "stringIndexType", "TextElements_v8")
        body = await parse(LegacyDocuments, request, self._limits.body_bytes)
        deployment = self._deployments.default(query_value(request, "model-version", "latest"))
        checked = await check(body.documents, unit, self._limits.request)
        answer = await self._pipeline.answer(
            deployment.require_recognizer(),
            checked.requests,
            records=checked.records,
            request_id=request.state.request_id,
        )
        results = await render_results(
            checked, answer, deployment, warned=self._warned, show_stats=show_stats
        )
        return JSONResponse(results, headers=evidence_headers(answer))

    async def submit_job(self, request: Request, version: str) -> Response:
        """`POST …/analyze`: 202 and an absolute `operation-location`."""
        from appliance.api.language.legacy_requests import LegacyAnalyzeInput  # noqa: PLC0415  (loaded where it is wanted)

        body = await parse(LegacyAnalyzeInput, request, self._limits.body_bytes)
        tasks = self._tasks(body.tasks, version)
        job = await self._jobs.submit(body.displayName, body.analysisInput.documents, tasks)
        location = own_url(request, f"/text/analytics/{version}/analyze/jobs/{job.id}")
        headers = {"operation-location": location, **self._jobs.warning_header()}
        return Response(status_code=202, headers=headers)

    async def get_job(self, request: Request, version: str) -> Response:
        """`GET …/analyze/jobs/{id}`: state and, page by page, results."""
        page = Page.of(request, largest=LEGACY_LARGEST_PAGE)
        job = await self._jobs.find(request)
        body = legacy_state(request, job, page, version)
        return JSONResponse(body, headers=self._jobs.headers(job))

    def _tasks(self, wanted: "LegacyTasks", version: str) -> list[Task]:
        unserved = wanted.unserved()
        if version == _WITHOUT_CUSTOM and wanted.customEntityRecognitionTasks:
            unserved.append("customEntityRecognitionTasks")
        if unserved:
            raise _refused(f"{', '.join(unserved)} are not served under {version} here.")
        tasks = [_prebuilt(task) for task in wanted.entityRecognitionTasks]
        tasks += [self._custom(task) for task in wanted.customEntityRecognitionTasks]
        if not tasks:
            raise _refused("The job has no task.")
        return tasks

    def _custom(self, task: "LegacyCustomTask") -> Task:
        parameters = task.parameters
        project, name = parameters.project, parameters.deployment
        if project is None or name is None:
            if parameters.modelId is None:
                raise _refused("A custom task needs project-name and deployment-name.")
            deployment = self._deployments.by_model_id(parameters.modelId)
            project, name = deployment.project, deployment.name
        return Task(
            id=uuid7(),
            kind="CustomEntityRecognition",
            name=task.taskName,
            project=project,
            deployment=name,
            version="latest",
            unit=parameters.stringIndexType,
        )


def _prebuilt(task: "LegacyEntityTask") -> Task:
    return Task(
        id=uuid7(),
        kind="EntityRecognition",
        name=task.taskName,
        project=None,
        deployment=None,
        version=task.parameters.modelVersion,
        unit=task.parameters.stringIndexType,
    )


def _of_version(endpoint: _Endpoint, version: str) -> Callable[[Request], Awaitable[Response]]:
    return partial(_call, endpoint, version)


async def _call(endpoint: _Endpoint, version: str, request: Request) -> Response:
    try:
        return await endpoint(request, version)
    except Problem as problem:
        if problem.inner is not None and problem.inner[0] == "MissingInputDocuments":
            problem.inner = ("MissingInputRecords", problem.inner[1])  # the older word for it
        raise


def _refused(message: str) -> Problem:
    return invalid_request("Invalid parameter in request", inner=("InvalidParameterValue", message))
