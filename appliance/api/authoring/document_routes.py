"""Documents and labels of a project, one at a time: what the label page calls beside the authoring API.

The cloud's API has no such paths: there, texts lie in a storage account and labels travel in the project
file.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.authoring.document_requests import (
    SentCategories,
    SentComparison,
    SentFiles,
    SentLabels,
    SentTexts,
    agreement_object,
    listed_object,
    opened_object,
    text_object,
)
from appliance.api.authoring.requests import invalid, read
from appliance.api.authoring.routes import BASE, MAX_BODY_BYTES, MAX_IMPORT_BYTES
from appliance.api.body import read_json_body
from appliance.api.errors import Problem, invalid_request, not_found
from appliance.api.parameters import check_api_version, query_value
from appliance.authoring.comparing import Answered, compare_answers, compare_given
from appliance.authoring.documents import CategoriesChanged, LabelsChanged, NoSuchDocument, ProjectDocuments
from appliance.authoring.incoming import safe_name
from appliance.authoring.service import AuthoringService
from appliance.authoring.tables import DeploymentRow
from appliance.config.setting_parsers import is_name
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from appliance.errors import ModelError
from appliance.registry.card import MOST_COMPARISON_BYTES, keep_comparison, read_card
from appliance.training.evaluation.compare import Comparison, comparison_object
from appliance.training.evaluation.examine import trimmed

TEXTS: Final = BASE.rpartition("/")[0] + "/labelled-texts"
"""Labelled texts of no project."""
_SHOWN: Final = 20
_UNLIKE: Final = 200
"""Entities that differ, each with its sentence, in an answer."""
_T = TypeVar("_T")


class DocumentsApi:
    """The endpoints.

    Args:
        authoring: The projects.
    """

    def __init__(self, authoring: AuthoringService) -> None:
        self._authoring = authoring
        self._documents: ProjectDocuments = authoring.documents

    def routes(self) -> Sequence[Route]:
        """Routes to mount at the root."""
        project = BASE + "/{project}"
        return [
            Route(project + "/documents", self.listed, methods=["GET"]),
            Route(project + "/documents/:take", self.take, methods=["POST"]),
            Route(project + "/document", self.opened, methods=["GET"]),
            Route(project + "/document", self.save, methods=["PUT"]),
            Route(project + "/document", self.remove, methods=["DELETE"]),
            Route(project + "/categories", self.categories, methods=["PUT"]),
            Route(project + "/comparison", self.comparison, methods=["POST"]),
            Route(project + "/agreement", self.agreement, methods=["GET"]),
            Route(project + "/deployments/{deployment}/card", self.card, methods=["GET"]),
            Route(project + "/deployments/{deployment}/card", self.keep, methods=["POST"]),
            Route(TEXTS + "/:read", self.read, methods=["POST"]),
            Route(TEXTS + "/:compare", self.compare, methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """`GET …/documents?person=`: every document with its labels, without its text."""
        project = await self._project(request)
        rows, people = await self._documents.listed(project, _person(request))
        row = await self._authoring.project(project)
        entities = row.assets.get("entities") or ()
        return JSONResponse(
            {
                "categories": [entity["category"] for entity in entities],
                "people": people,
                "documents": [listed_object(entry, marks) for entry, marks in rows],
            }
        )

    async def take(self, request: Request) -> Response:
        """`POST …/documents/:take`: texts and label files, which are added to the project."""
        project = await self._project(request)
        body = read(SentFiles, await read_json_body(request, MAX_IMPORT_BYTES))
        new, lines = await _answered(self._documents.take(project, _by_name(body)))
        return JSONResponse({"added": new, "notes": lines})

    async def opened(self, request: Request) -> Response:
        """`GET …/document?location=&person=`: one document with its text and labels."""
        project = await self._project(request)
        found = await _answered(self._documents.opened(project, _location(request), _person(request)))
        return JSONResponse(opened_object(found))

    async def save(self, request: Request) -> Response:
        """`PUT …/document?location=&person=`: its labels; `If-Match` names the revision that they replace."""
        project = await self._project(request)
        body = read(SentLabels, await read_json_body(request, MAX_BODY_BYTES * 2))
        saved = self._documents.save(
            project,
            _location(request),
            _person(request),
            body.marks(),
            before=request.headers.get("if-match", "").strip('"'),
            dataset=body.dataset,
        )
        answer = opened_object(await _answered(saved))
        return JSONResponse({key: value for key, value in answer.items() if key != "text"})

    async def remove(self, request: Request) -> Response:
        """`DELETE …/document?location=`: out of the project; the text stays in the documents' folder."""
        project = await self._project(request)
        await _answered(self._documents.remove(project, _location(request)))
        return Response(status_code=204)

    async def categories(self, request: Request) -> Response:
        """`PUT …/categories`: the project's categories, in order; `before` names those that they replace."""
        project = await self._project(request)
        body = read(SentCategories, await read_json_body(request, MAX_BODY_BYTES))
        found = await _answered(self._documents.categories(project, body.categories, before=body.before))
        return JSONResponse({"categories": found})

    async def agreement(self, request: Request) -> Response:
        """`GET …/agreement?person=`: the project's labels against those of one person."""
        project = await self._project(request)
        person = _person(request)
        if not person:
            raise _invalid("person", "It names who labelled apart.")
        found, differing = await _answered(self._documents.compared(project, person))
        return JSONResponse(agreement_object(found, differing))

    async def comparison(self, request: Request) -> Response:
        """`POST …/comparison`: answers of one or two models against the labels; counts nothing."""
        project = await self._project(request)
        body = read(SentComparison, await read_json_body(request, MAX_IMPORT_BYTES))
        first = body.first.answered()
        second = first if body.second is None else body.second.answered()
        found = await _answered(compare_answers(self._documents, project, first, second))
        return JSONResponse(comparison_object(found, (first.name, second.name), _UNLIKE))

    async def card(self, request: Request) -> Response:
        """`GET …/deployments/{deployment}/card`: what is written of the model that is deployed."""
        row = await self._deployed(request)
        return JSONResponse(
            {"card": await asyncio.to_thread(read_card, self._authoring.store.models / row.model)}
        )

    async def keep(self, request: Request) -> Response:
        """`POST …/deployments/{deployment}/card`: keep the figures of a comparison with the model's card."""
        row = await self._deployed(request)
        body = await read_json_body(request, MOST_COMPARISON_BYTES)
        folder, name = self._authoring.store.models / row.model, f"{row.project}/{row.name}"
        try:
            card = await asyncio.to_thread(keep_comparison, folder, name, body, self._authoring.clock())
        except ModelError as error:
            raise _refused(f"{error.message} ({error.hint})" if error.hint else error.message) from None
        return JSONResponse({"card": card})

    async def _deployed(self, request: Request) -> DeploymentRow:
        project = await self._project(request)
        row = await self._authoring.store.get(DeploymentRow, project, str(request.path_params["deployment"]))
        if row is None:
            raise not_found("NotFound", "The project has no deployment of that name.")
        return row

    async def read(self, request: Request) -> Response:
        """`POST …/labelled-texts/:read`: the labelled texts of some files; nothing is kept."""
        check_api_version(request)
        body = read(SentFiles, await read_json_body(request, MAX_IMPORT_BYTES))
        found = await _answered(self._documents.read(_by_name(body)))
        documents = [text_object(one) for one in trimmed(found.documents)]
        return JSONResponse({"documents": documents, "notes": list(found.lines)})

    async def compare(self, request: Request) -> Response:
        """`POST …/labelled-texts/:compare`: as `…/comparison`, for texts that come along."""
        check_api_version(request)
        body = read(SentTexts, await read_json_body(request, MAX_IMPORT_BYTES))
        first = body.first.answered()
        second = first if body.second is None else body.second.answered()
        found = await _answered(_compared(body, first, second))
        return JSONResponse(comparison_object(found, (first.name, second.name), _UNLIKE))

    async def _project(self, request: Request) -> str:
        check_api_version(request)
        return (await self._authoring.project(str(request.path_params["project"]))).name


def _by_name(body: SentFiles) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for sent in body.files:
        name = safe_name(sent.name)
        if name in files:
            raise invalid(DatasetError(f"two files are called {name}", hint="send them one by one"))
        files[name] = sent.content()
    return files


async def _compared(body: SentTexts, first: Answered, second: Answered) -> Comparison:
    documents = [one.document() for one in body.documents]
    names = {one.name for one in documents}
    if len(names) < len(documents):
        raise DatasetError("two texts have one location", hint="give each its own")
    for answered in (first, second):
        if missing := names - answered.entities.keys():
            raise DatasetError(
                f"{answered.name} has no answer for {min(missing)}", hint="ask it about every text"
            )
    return await compare_given(documents, first, second)


async def _answered(work: Awaitable[_T]) -> _T:
    try:
        return await work
    except NoSuchDocument as error:
        raise not_found(error.code, error.message) from None
    except (LabelsChanged, CategoriesChanged) as error:
        raise Problem(412, error.code, error.message) from None
    except LabellingMistakes as error:
        raise _refused("; ".join(one.without_commands for one in error.mistakes[:_SHOWN])) from None
    except DatasetError as error:
        raise _refused(f"{error.message} ({error.step})" if error.step else error.message) from None


def _refused(reason: str) -> Problem:
    return invalid_request("Invalid Request.", inner=("InvalidRequestBodyFormat", reason))


def _person(request: Request) -> str:
    name = query_value(request, "person")
    if name and not is_name(name):
        raise _invalid("person", "A name has 1 to 50 letters, digits, '_', '.' or '-'.")
    return name


def _location(request: Request) -> str:
    location = query_value(request, "location")
    if not 0 < len(location) <= 1024:
        raise _invalid("location", "It names a document of the project.")
    return location


def _invalid(field: str, message: str) -> Problem:
    return invalid_request(
        "Invalid parameter in request", inner=("InvalidParameterValue", f"{field}: {message}")
    )
