"""A job as callers see it: the state of the GA versions, and the superset that legacy clients read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from appliance.api.errors import error_object, problem_from
from appliance.api.language.results import results_object
from appliance.api.parameters import flag, number, own_url, query_value
from appliance.api.times import time_text
from appliance.errors import ApplianceError
from appliance.jobs.job import Failure, Job, JobStatus, Task

PAGE: Final = 20
LEGACY_LARGEST_PAGE: Final = 50
NESTED: Final = "v3.1-preview.ct.1"
"""The legacy version whose article nests results once more than its sisters."""

_LEGACY_LISTS: Final = {
    "CustomEntityRecognition": "customEntityRecognitionTasks",
    "EntityRecognition": "entityRecognitionTasks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of each task's documents is asked for."""

    top: int
    skip: int
    show_stats: bool

    @classmethod
    def of(cls, request: Request, *, largest: int = 2**31 - 1) -> "Page":
        """Read `top`, `skip` and `showStats`; a page larger than `largest` is cut.

        Raises:
            Problem: 400 for nonsense.
        """
        return cls(
            top=min(largest, number(request, "top", default=PAGE, low=1)),
            skip=number(request, "skip", default=0, low=0),
            show_stats=flag(request, "showStats"),
        )

    def left_in(self, job: Job) -> int:
        """Documents after this page."""
        longest = max((len(task.items) for task in job.tasks if task.items is not None), default=0)
        return longest - self.skip - self.top


def describe(error: ApplianceError) -> Failure:
    """What the caller of a job is told of a task's error: the inner code, as for requests."""
    problem = problem_from(error)
    code, message = problem.inner or (problem.code, problem.message)
    return Failure(code=code, message=message)


def wait_headers(job: Job, now: float) -> dict[str, str]:
    """When to ask again: soon for a young job, a tenth of its age later on. Clients read milliseconds."""
    if job.status.final:
        return {}
    milliseconds = int(min(2_000, max(100, (now - job.created) * 100)))
    headers = {"retry-after-ms": str(milliseconds)}
    if milliseconds >= 1_000:  # read first by those who know both, so not for less
        headers["Retry-After"] = str(milliseconds // 1_000)
    return headers


def job_state(request: Request, job: Job, page: Page, path: str) -> dict[str, Any]:
    """The body of `GET /language/analyze-text/jobs/{id}`.

    Args:
        request: The call; its `api-version` goes into the link.
        job: The job.
        page: What is asked for.
        path: Where jobs of this API are.
    """
    body = _envelope(job)
    body["errors"] = [
        {**error_object(task.failure.code, task.failure.message), "target": f"#/tasks/items/{position}"}
        for position, task in enumerate(_ended(job))
        if task.failure is not None
    ]
    body["tasks"] = {**_counts(job), "items": [_item(task, page) for task in _ended(job)]}
    left = page.left_in(job)
    if left > 0:
        query = {
            "showStats": str(page.show_stats),
            "top": str(min(page.top, left)),
            "skip": str(page.skip + page.top),
            "api-version": query_value(request, "api-version"),
        }
        body["nextLink"] = own_url(request, f"{path}/{job.id}", query)
    return body


def legacy_state(request: Request, job: Job, page: Page, version: str) -> dict[str, Any]:
    """The body of `GET /text/analytics/{version}/analyze/jobs/{id}`."""
    body = _envelope(job)
    lists: dict[str, list[dict[str, Any]]] = {}
    errors = []
    for task in _ended(job):
        name = _LEGACY_LISTS[task.kind]
        found = lists.setdefault(name, [])
        if task.failure is not None:
            target = f"#/tasks/{name}/{len(found)}"
            errors.append({**error_object(task.failure.code, task.failure.message), "target": target})
        found.append(_legacy_item(task, page))
    body["errors"] = errors
    body["tasks"] = {**_counts(job), **lists}
    if version == NESTED:
        details = {"lastUpdateDateTime": time_text(job.updated), "status": job.status}
        if job.display_name is not None:
            details["name"] = job.display_name
        body["tasks"] |= {"details": details, "tasks": lists}
    left = page.left_in(job)
    if left > 0:
        query = {"$skip": str(page.skip + page.top), "$top": str(min(page.top, left))}
        if page.show_stats:
            query["showStats"] = "true"
        body["@nextLink"] = own_url(request, f"/text/analytics/{version}/analyze/jobs/{job.id}", query)
    return body


def _envelope(job: Job) -> dict[str, Any]:
    body: dict[str, Any] = {
        "jobId": job.id,
        "createdDateTime": time_text(job.created),
        # Published clients read the one name or the other.
        "lastUpdatedDateTime": time_text(job.updated),
        "lastUpdateDateTime": time_text(job.updated),
        "expirationDateTime": time_text(job.expires),
        "status": job.status,
    }
    if job.display_name is not None:
        body["displayName"] = job.display_name
    return body


def _ended(job: Job) -> list[Task]:
    return [task for task in job.tasks if task.status.final]


def _counts(job: Job) -> dict[str, int]:
    states = [task.status for task in job.tasks]
    return {
        "completed": states.count(JobStatus.SUCCEEDED),
        "failed": states.count(JobStatus.FAILED) + states.count(JobStatus.CANCELLED),
        "inProgress": sum(not state.final for state in states),
        "total": len(states),
    }


def _item(task: Task, page: Page) -> dict[str, Any]:
    body: dict[str, Any] = {
        "kind": f"{task.kind}LROResults",
        "lastUpdateDateTime": time_text(task.updated, fraction=True),
        "status": task.status,
    }
    if task.name is not None:
        body["taskName"] = task.name
    if task.status is not JobStatus.FAILED:
        body["results"] = _results(task, page)
    return body


def _legacy_item(task: Task, page: Page) -> dict[str, Any]:
    body: dict[str, Any] = {
        "lastUpdateDateTime": time_text(task.updated, fraction=True),
        # The description says `status` and `taskName`; the service and earlier previews, `state` and `name`.
        "status": task.status,
        "state": task.status,
        "taskName": task.name or "",
        "name": task.name or "",
    }
    if task.status is not JobStatus.FAILED:
        body["results"] = _results(task, page)
    return body


def _results(task: Task, page: Page) -> dict[str, Any]:
    items: Sequence[Any] = task.items or ()
    results = results_object(items[page.skip : page.skip + page.top], show_stats=page.show_stats)
    if task.project is not None:
        results.update(projectName=task.project, deploymentName=task.deployment)
    else:
        results["modelVersion"] = task.release or task.version
    return results
