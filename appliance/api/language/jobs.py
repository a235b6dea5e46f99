"""What the versions of the Language API do with jobs: submitted, looked up, cancelled."""

from collections.abc import Callable, Sequence

from starlette.requests import Request

from appliance.api.errors import Problem
from appliance.api.language.documents import Limits, check, parse_unit
from appliance.api.language.job_responses import wait_headers
from appliance.api.language.requests import InputDocument
from appliance.api.parameters import job_id, job_not_found
from appliance.api.usage_headers import warning_header
from appliance.jobs.job import Job, Source, Task
from appliance.jobs.runner import Jobs
from appliance.pipeline.deployments import Deployments
from appliance.pipeline.pipeline import Pipeline


class LanguageJobs:
    """Jobs as every version of the Language API has them.

    Args:
        pipeline: Admission, inference, usage.
        deployments: Models by project and deployment.
        jobs: Where jobs run and are kept.
        limits: What a job may hold.
        clock: Effective time, Unix seconds.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        deployments: Deployments,
        jobs: Jobs,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._pipeline = pipeline
        self._deployments = deployments
        self._jobs = jobs
        self._limits = limits
        self._clock = clock

    async def submit(
        self, display_name: str | None, inputs: Sequence[InputDocument], tasks: list[Task]
    ) -> Job:
        """Start a job; refuse now what would be refused anyway.

        Raises:
            Problem: 400 for a batch or a task that is refused whole.
            ApplianceError: Unknown deployment, licence, or no room.
        """
        for task in tasks:
            parse_unit(task.unit)
            if task.project is not None and task.deployment is not None:
                self._deployments.find(task.project, task.deployment)
            else:
                self._deployments.default(task.version)
        await check(inputs, tasks[-1].unit, self._limits)
        self._pipeline.check()
        documents = [
            Source(id=document.id, text=document.text, language=document.language or "")
            for document in inputs
        ]
        return await self._jobs.submit(display_name=display_name, documents=documents, tasks=tasks)

    def headers(self, job: Job) -> dict[str, str]:
        """When to ask for the job again, and the warning of a licence in grace."""
        return wait_headers(job, self._clock()) | self.warning_header()

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
