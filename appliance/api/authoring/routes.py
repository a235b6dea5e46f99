"""The authoring API under `/language/authoring/analyze-text`, as `azure-ai-textanalytics-authoring` calls it.

Source: `analyzetext-authoring.json`, 2022-05-01, 2023-04-01 and 2023-04-15-preview. Left out, since there is
one box and no cloud: copies between resources, assigned resources, snapshots, prebuilt entities.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from appliance.api.authoring import responses
from appliance.api.authoring.paging import page
from appliance.api.authoring.requests import (
    ProjectChanges,
    Swap,
    TrainedModel,
    Training,
    invalid,
    read,
    training_terms,
)
from appliance.api.body import read_json_body
from appliance.api.errors import Problem, invalid_request, not_found
from appliance.api.parameters import check_api_version, job_id, own_url, query_value
from appliance.authoring.jobs import ENDED, MAX_WAITING
from appliance.authoring.project_object import file_object
from appliance.authoring.service import PRIVATE, VERSIONS, AuthoringService, all_projects
from appliance.authoring.tables import DeploymentRow, ExportRow, JobRow, ModelRow
from appliance.authoring.training_process import RESULTS
from appliance.config.setting_parsers import is_name
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.project_file import KIND, parse_project
from appliance.errors import Busy, MissingExtra
from appliance.training.best.train_best import require_torch_for_best
from appliance.training.model_writer import EVALUATION

BASE: Final = "/language/authoring/analyze-text/projects"
MAX_IMPORT_BYTES: Final = 64 * 2**20
MAX_BODY_BYTES: Final = 2**20

_Handler = Callable[[Request], Awaitable[Response]]


class AuthoringApi:
    """The endpoints.

    Args:
        authoring: What they do.
    """

    def __init__(self, authoring: AuthoringService) -> None:
        self._authoring = authoring

    def routes(self) -> Sequence[Route]:
        """Routes to mount at the root."""
        project = BASE + "/{project}"
        deployments, exported = project + "/deployments", project + "/exported-models"
        table: list[tuple[str, str, _Handler]] = [
            ("GET", BASE, self.projects),
            ("GET", BASE + "/global/languages", self.languages),
            ("GET", BASE + "/global/training-config-versions", self.versions),
            ("GET", BASE + "/global/deletion-jobs/{job_id}", self.job("deletion")),
            ("GET", project, self.get_project),
            ("PATCH", project, self.change_project),
            ("DELETE", project, self.delete_project),
            ("POST", project + "/:import", self.import_project),
            ("GET", project + "/import/jobs/{job_id}", self.job("import")),
            ("POST", project + "/:export", self.export_project),
            ("GET", project + "/export/jobs/{job_id}", self.job("export")),
            ("GET", project + "/export/jobs/{job_id}/result", self.exported_file),
            ("POST", project + "/:train", self.train),
            ("GET", project + "/train/jobs", self.trainings),
            ("GET", project + "/train/jobs/{job_id}", self.job("train")),
            ("POST", project + "/train/jobs/{job_id}/:cancel", self.cancel),
            ("GET", project + "/models", self.models),
            ("GET", project + "/models/{model}", self.get_model),
            ("DELETE", project + "/models/{model}", self.delete_model),
            ("GET", project + "/models/{model}/evaluation/summary-result", self.summary),
            ("GET", project + "/models/{model}/evaluation/result", self.results),
            ("GET", deployments, self.deployments),
            ("POST", deployments + "/:swap", self.swap),
            ("GET", deployments + "/swap/jobs/{job_id}", self.job("swap")),
            ("GET", deployments + "/{deployment}", self.get_deployment),
            ("PUT", deployments + "/{deployment}", self.deploy),
            ("DELETE", deployments + "/{deployment}", self.delete_deployment),
            ("GET", deployments + "/{deployment}/jobs/{job_id}", self.job("deployment")),
            ("GET", exported, self.exports),
            ("GET", exported + "/{export}", self.get_export),
            ("PUT", exported + "/{export}", self.export_model),
            ("DELETE", exported + "/{export}", self.delete_export),
            ("GET", exported + "/{export}/jobs/{job_id}", self.job("exported-model")),
            ("GET", exported + "/{export}/manifest", self.manifest),
            ("GET", exported + "/{export}/files/{file}", self.file),
        ]
        return [Route(path, handler, methods=[method]) for method, path, handler in table]

    async def projects(self, request: Request) -> Response:
        """`GET /projects`."""
        check_api_version(request)
        rows = await self._authoring.store.do(all_projects)
        return page(request, [responses.project_object(row) for row in rows])

    async def languages(self, request: Request) -> Response:
        """`GET /projects/global/languages`: the bundled encoder reads English."""
        check_api_version(request)
        return page(request, [{"languageName": "English", "languageCode": "en"}])

    async def versions(self, request: Request) -> Response:
        """`GET /projects/global/training-config-versions`."""
        check_api_version(request)
        listed = [
            {"trainingConfigVersion": name, "modelExpirationDate": responses.NEVER}
            for name in VERSIONS
            if name != "latest"
        ]
        return page(request, listed)

    async def get_project(self, request: Request) -> Response:
        """`GET /projects/{project}`."""
        check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        newest = await self._authoring.newest_model(project.name)
        languages = None if newest is None else await self._authoring.languages(newest)
        return JSONResponse(responses.project_object(project, languages))

    async def change_project(self, request: Request) -> Response:
        """`PATCH /projects/{project}`: make it, or change what the body names."""
        check_api_version(request)
        name = _new_name(request, "project")
        body = read(ProjectChanges, await read_json_body(request, MAX_BODY_BYTES))
        if body.projectKind is not None and body.projectKind.casefold() != KIND.casefold():
            raise _invalid("projectKind", f"This kind is not served here; the kind is {KIND}.")
        _container(body.storageInputContainerName)
        changes = body.model_dump(exclude_none=True, exclude={"projectName", "projectKind"})
        if "storageInputContainerName" in changes:
            changes["container"] = changes.pop("storageInputContainerName")
        row, new = await self._authoring.save_project(name, changes)
        return JSONResponse(responses.project_object(row), status_code=201 if new else 200)

    async def delete_project(self, request: Request) -> Response:
        """`DELETE /projects/{project}`, with all that belongs to it."""
        version = check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        job = await self._authoring.delete_project(project.name)
        return _accepted(request, f"{BASE}/global/deletion-jobs/{job.id}", version)

    async def import_project(self, request: Request) -> Response:
        """`POST /projects/{project}/:import`: the project file; replaces a project of that name."""
        version = check_api_version(request)
        name = _new_name(request, "project")
        body = await read_json_body(request, MAX_IMPORT_BYTES)
        try:
            file = parse_project(body, "The body")
        except DatasetError as error:
            raise invalid(error) from None
        _container(file.metadata.storageInputContainerName)
        job = await self._submit(self._authoring.import_project(name, file))
        return _accepted(request, f"{BASE}/{name}/import/jobs/{job.id}", version)

    async def export_project(self, request: Request) -> Response:
        """`POST /projects/{project}/:export`: the file is at the job's `resultUrl`."""
        version = check_api_version(request)
        if query_value(request, "stringIndexType", "Utf16CodeUnit").casefold() != "utf16codeunit":
            raise _invalid("stringIndexType", "A project file counts in Utf16CodeUnit.")
        project = await self._authoring.project(_name(request, "project"))

        async def work(_: JobRow) -> None:
            """Nothing is left to do: the file is made when it is fetched, as the project stands then."""

        job = await self._submit(self._authoring.jobs.submit("export", project.name, work))
        return _accepted(request, f"{BASE}/{project.name}/export/jobs/{job.id}", version)

    async def exported_file(self, request: Request) -> Response:
        """`GET …/export/jobs/{job}/result`: the project file."""
        check_api_version(request)
        await self._job(request, "export")
        return JSONResponse(file_object(await self._authoring.project(_name(request, "project"))))

    async def train(self, request: Request) -> Response:
        """`POST /projects/{project}/:train`."""
        version = check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        body = read(Training, await read_json_body(request, MAX_BODY_BYTES))
        _check_label(body.modelLabel)
        if body.trainingConfigVersion not in VERSIONS:
            raise _invalid("trainingConfigVersion", f"Use one of {', '.join(VERSIONS)}.")
        if VERSIONS[body.trainingConfigVersion] == "best":
            _require_best()
        options = (
            {} if body.evaluationOptions is None else body.evaluationOptions.model_dump(exclude_none=True)
        )
        version_wanted, terms = body.trainingConfigVersion, training_terms(request)
        job = await self._submit(
            self._authoring.train(project, body.modelLabel, version_wanted, options, terms)
        )
        return _accepted(request, f"{BASE}/{project.name}/train/jobs/{job.id}", version)

    async def trainings(self, request: Request) -> Response:
        """`GET …/train/jobs`."""
        check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        rows = [row for row in await self._authoring.store.of(JobRow, project.name) if row.kind == "train"]
        return page(
            request, [responses.job_object(row, result=responses.training_object(row)) for row in rows]
        )

    async def cancel(self, request: Request) -> Response:
        """`POST …/train/jobs/{job}/:cancel`."""
        version = check_api_version(request)
        job = await self._job(request, "train")
        if not await self._authoring.jobs.cancel(job):
            message = f"Failed to cancel job with job id {job.id} as its already completed."
            raise Problem(400, "InvalidRequest", message)
        return _accepted(request, f"{BASE}/{job.project}/train/jobs/{job.id}", version)

    async def models(self, request: Request) -> Response:
        """`GET …/models`."""
        check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        rows = await self._authoring.store.of(ModelRow, project.name)
        return page(
            request, [responses.model_object(row, await self._authoring.languages(row)) for row in rows]
        )

    async def get_model(self, request: Request) -> Response:
        """`GET …/models/{model}`."""
        check_api_version(request)
        model = await self._model(request)
        return JSONResponse(responses.model_object(model, await self._authoring.languages(model)))

    async def delete_model(self, request: Request) -> Response:
        """`DELETE …/models/{model}`."""
        check_api_version(request)
        await self._authoring.remove_model(await self._model(request))
        return Response(status_code=204)

    async def summary(self, request: Request) -> Response:
        """`GET …/evaluation/summary-result`."""
        check_api_version(request)
        model = await self._model(request)
        evaluation = await self._authoring.evaluation(model, EVALUATION)
        return JSONResponse(responses.summary_object(evaluation, model.options))

    async def results(self, request: Request) -> Response:
        """`GET …/evaluation/result`: labelled and found entities of each test document."""
        check_api_version(request)
        results = await self._authoring.evaluation(await self._model(request), RESULTS)
        return page(request, [responses.result_object(result) for result in results])

    async def deployments(self, request: Request) -> Response:
        """`GET …/deployments`."""
        check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        rows = await self._authoring.store.of(DeploymentRow, project.name)
        models = {row.label: row for row in await self._authoring.store.of(ModelRow, project.name)}
        return page(request, [responses.deployment_object(row, models.get(row.label)) for row in rows])

    async def get_deployment(self, request: Request) -> Response:
        """`GET …/deployments/{deployment}`."""
        check_api_version(request)
        row = await self._deployment(request, _name(request, "deployment"))
        model = await self._authoring.store.get(ModelRow, row.project, row.label)
        return JSONResponse(responses.deployment_object(row, model))

    async def deploy(self, request: Request) -> Response:
        """`PUT …/deployments/{deployment}`: serve a trained model under this name."""
        version = check_api_version(request)
        name = _new_name(request, "deployment")
        body = read(TrainedModel, await read_json_body(request, MAX_BODY_BYTES))
        model = await self._model(request, body.trainedModelLabel)
        job = await self._submit(self._authoring.deploy(model, name))
        return _accepted(request, f"{BASE}/{model.project}/deployments/{name}/jobs/{job.id}", version)

    async def swap(self, request: Request) -> Response:
        """`POST …/deployments/:swap`."""
        version = check_api_version(request)
        body = read(Swap, await read_json_body(request, MAX_BODY_BYTES))
        first = await self._deployment(request, body.firstDeploymentName)
        second = await self._deployment(request, body.secondDeploymentName)
        job = await self._submit(self._authoring.swap(first, second))
        return _accepted(request, f"{BASE}/{first.project}/deployments/swap/jobs/{job.id}", version)

    async def delete_deployment(self, request: Request) -> Response:
        """`DELETE …/deployments/{deployment}`."""
        version = check_api_version(request)
        row = await self._deployment(request, _name(request, "deployment"))
        job = await self._submit(self._authoring.withdraw(row))
        return _accepted(request, f"{BASE}/{row.project}/deployments/{row.name}/jobs/{job.id}", version)

    async def exports(self, request: Request) -> Response:
        """`GET …/exported-models`."""
        check_api_version(request)
        project = await self._authoring.project(_name(request, "project"))
        rows = await self._authoring.store.of(ExportRow, project.name)
        return page(request, [responses.export_object(row) for row in rows])

    async def get_export(self, request: Request) -> Response:
        """`GET …/exported-models/{export}`."""
        check_api_version(request)
        return JSONResponse(responses.export_object(await self._export(request)))

    async def export_model(self, request: Request) -> Response:
        """`PUT …/exported-models/{export}`."""
        version = check_api_version(request)
        name = _new_name(request, "export")
        body = read(TrainedModel, await read_json_body(request, MAX_BODY_BYTES))
        model = await self._model(request, body.trainedModelLabel)
        job = await self._submit(self._authoring.export_model(model, name))
        return _accepted(request, f"{BASE}/{model.project}/exported-models/{name}/jobs/{job.id}", version)

    async def delete_export(self, request: Request) -> Response:
        """`DELETE …/exported-models/{export}`."""
        version = check_api_version(request)
        row = await self._export(request)
        job = await self._submit(self._authoring.remove_export(row))
        return _accepted(request, f"{BASE}/{row.project}/exported-models/{row.name}/jobs/{job.id}", version)

    async def manifest(self, request: Request) -> Response:
        """`GET …/exported-models/{export}/manifest`: the files to carry to a container's model mount."""
        version = check_api_version(request)
        row = await self._export(request)
        names = sorted(path.name for path in (self._authoring.store.exports / row.id).iterdir())
        base = f"{BASE}/{row.project}/exported-models/{row.name}/files"
        files = [
            {"name": name, "contentUri": own_url(request, f"{base}/{name}", {"api-version": version})}
            for name in names
            if name not in PRIVATE
        ]
        return JSONResponse({"modelFiles": files})

    async def file(self, request: Request) -> Response:
        """`GET …/exported-models/{export}/files/{file}`."""
        check_api_version(request)
        row = await self._export(request)
        wanted = str(request.path_params["file"])
        for path in (self._authoring.store.exports / row.id).iterdir():
            if path.name == wanted and wanted not in PRIVATE:  # a name that is compared leads nowhere else
                return FileResponse(path, media_type="application/octet-stream")
        raise not_found("NotFound", "The exported model has no such file.")

    def job(self, kind: str) -> _Handler:
        """Return the handler of a job's state."""

        async def handler(request: Request) -> Response:
            version = check_api_version(request)
            job = await self._job(request, kind)
            more: dict[str, Any] = {}
            if kind == "train":
                more["result"] = responses.training_object(job)
            if kind == "export" and job.status == "succeeded":
                path = f"{BASE}/{job.project}/export/jobs/{job.id}/result"
                more["resultUrl"] = own_url(request, path, {"api-version": version})
            return JSONResponse(responses.job_object(job, **more), headers=_wait(job))

        return handler

    async def _job(self, request: Request, kind: str) -> JobRow:
        row = await self._authoring.store.get(JobRow, job_id(request))
        project = request.path_params.get("project", "")
        if row is None or row.kind != kind or row.project != project:
            raise not_found("NotFound", "There is no such job.")
        return self._authoring.jobs.live(row)

    async def _model(self, request: Request, label: str = "") -> ModelRow:
        project = await self._authoring.project(_name(request, "project"))
        label = label or _name(request, "model")
        row = await self._authoring.store.get(ModelRow, project.name, label)
        if row is None:
            raise not_found("NotFound", "The project has no trained model of that label.")
        return row

    async def _deployment(self, request: Request, name: str) -> DeploymentRow:
        project = await self._authoring.project(_name(request, "project"))
        row = await self._authoring.store.get(DeploymentRow, project.name, name)
        if row is None:
            raise not_found("NotFound", "The project has no deployment of that name.")
        return row

    async def _export(self, request: Request) -> ExportRow:
        project = await self._authoring.project(_name(request, "project"))
        row = await self._authoring.store.get(ExportRow, project.name, _name(request, "export"))
        if row is None:
            raise not_found("NotFound", "The project has no exported model of that name.")
        return row

    async def _submit(self, submitted: Awaitable[JobRow]) -> JobRow:
        if self._authoring.jobs.waiting >= MAX_WAITING:
            if hasattr(submitted, "close"):
                submitted.close()
            raise Busy(f"{MAX_WAITING} authoring jobs wait already")
        return await submitted


def _accepted(request: Request, path: str, version: str) -> Response:
    location = own_url(request, path, {"api-version": version})
    return Response(status_code=202, headers={"operation-location": location})


def _wait(job: JobRow) -> Mapping[str, str]:
    """Say when to ask again: soon, since a client's own pause is five seconds."""
    return {} if job.status in ENDED else {"Retry-After": "1"}


def _name(request: Request, part: str) -> str:
    return str(request.path_params[part])


def _new_name(request: Request, part: str) -> str:
    name = _name(request, part)
    if not is_name(name) or name.startswith(".") or name == "global":
        raise _invalid(part, "A name has 1 to 50 letters, digits, '_', '.' or '-'.")
    return name


def _check_label(label: str) -> None:
    if not is_name(label) or label.startswith("."):
        raise _invalid("modelLabel", "A label has 1 to 50 letters, digits, '_', '.' or '-'.")


def _container(name: str | None) -> None:
    """Refuse a container's name that could lead out of the documents' folder."""
    if name and (not is_name(name) or name.startswith(".")):
        raise _invalid("storageInputContainerName", "It is the name of a folder below Authoring:Documents.")


def _require_best() -> None:
    try:
        require_torch_for_best()
    except MissingExtra as error:
        raise _invalid("trainingConfigVersion", f"{error.message} ({error.hint})") from None


def _invalid(field: str, message: str) -> Problem:
    return invalid_request(
        "Invalid parameter in request", inner=("InvalidParameterValue", f"{field}: {message}")
    )
