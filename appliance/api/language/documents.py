"""From the documents of a request to what can be analysed, and to the error objects of what cannot.

Limits and wordings follow the recorded answers of the service: a batch that breaks a rule is refused whole
with 400; a single bad document gets an error object beside the good documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.api.errors import Problem, error_object, invalid_request
from appliance.api.language.offsets import StringIndexType, TextIndex
from appliance.api.off_loop import run_off_loop
from appliance.ner.text_request import TextRequest
from appliance.pipeline.units import text_records


class Sent(Protocol):
    """A document as it was sent."""

    @property
    def id(self) -> str:
        """Unique within the request."""
        ...

    @property
    def text(self) -> str:
        """What to analyse."""
        ...

    @property
    def language(self) -> str | None:
        """BCP 47 tag, where it has one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may hold; lengths in text elements.

    Attributes:
        documents: Documents of one request.
        characters_per_document: Length of one document.
        characters_in_all: Length of all documents together.
        some_text: Whether a batch of nothing but empty documents is refused whole, as jobs refuse it.
    """

    documents: int
    characters_per_document: int | None = None
    characters_in_all: int | None = None
    some_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that passed the checks."""

    id: str
    index: TextIndex
    language: str = ""

    @property
    def text(self) -> str:
        """The text exactly as it was sent."""
        return self.index.text

    @property
    def records(self) -> int:
        """Text records this document is metered as."""
        return text_records(self.index.text_elements)

    @property
    def statistics(self) -> dict[str, int]:
        """The `statistics` object of the API."""
        return {"charactersCount": self.index.text_elements, "transactionsCount": self.records}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A request's documents after their checks.

    Attributes:
        order: Ids of all documents, as they were sent.
        size: Code points of all documents.
        documents: The good ones, in their order.
        errors: The error objects of the others.
    """

    order: tuple[str, ...]
    size: int
    documents: tuple[Document, ...]
    errors: tuple[dict[str, Any], ...]

    @property
    def requests(self) -> list[TextRequest]:
        """What is asked of the model: the good documents."""
        return [TextRequest(document.text, document.language) for document in self.documents]

    @property
    def records(self) -> int:
        """Text records that the good documents are metered as."""
        return sum(document.records for document in self.documents)


async def check(inputs: Sequence[Sent], unit: str, limits: Limits) -> Checked:
    """Check a request's documents off the event loop; see `check_documents`.

    Args:
        inputs: The documents as they were sent.
        unit: Unit of the positions to answer with, as the caller names it.
        limits: What the request may hold.

    Raises:
        Problem: 400 for an unknown unit, and as `check_documents`.
    """
    size = sum(len(document.text) for document in inputs)
    return await run_off_loop(size, check_documents, inputs, parse_unit(unit), limits)


def check_documents(inputs: Sequence[Sent], unit: StringIndexType, limits: Limits) -> Checked:
    """Sort a request's documents into good ones and error objects.

    Raises:
        Problem: 400 for a batch that has no document, repeats an id, or is not within `limits`.
    """
    _check_batch(inputs, limits)
    documents: list[Document] = []
    errors: list[dict[str, Any]] = []
    total = 0
    for document in inputs:
        if not document.text.strip():
            errors.append(_document_error(document.id, "Document text is empty.", outer="Document"))
            continue
        index = TextIndex(document.text, unit)
        total += index.text_elements
        limit = limits.characters_per_document
        if limit is not None and index.text_elements > limit:
            errors.append(_document_error(document.id, _too_long(limit), outer="document"))
            continue
        documents.append(Document(id=document.id, index=index, language=document.language or ""))
    if limits.characters_in_all is not None and total > limits.characters_in_all:
        raise invalid_request(
            "Invalid document in request.",
            inner=(
                "InvalidDocumentBatch",
                f"The documents hold {total} text elements in all. "
                f"Limit a job to: {limits.characters_in_all} text elements.",
            ),
        )
    return Checked(
        order=tuple(document.id for document in inputs),
        size=sum(len(document.text) for document in inputs),
        documents=tuple(documents),
        errors=tuple(errors),
    )


def parse_unit(name: str) -> StringIndexType:
    """The unit a caller named.

    Raises:
        Problem: 400, `InvalidParameterValue`.
    """
    unit = StringIndexType.from_name(name)
    if unit is None:
        known = ", ".join(StringIndexType)
        raise invalid_request(
            "Invalid parameter in request",
            inner=("InvalidParameterValue", f"stringIndexType is not supported; use one of: {known}."),
        )
    return unit


def _check_batch(inputs: Sequence[Sent], limits: Limits) -> None:
    if not inputs:
        raise invalid_request(
            "Invalid document in request.", inner=("MissingInputDocuments", "Missing input documents.")
        )
    if len(inputs) > limits.documents:
        raise invalid_request(
            "Invalid document in request.",
            inner=(
                "InvalidDocumentBatch",
                f"Batch request contains too many records. Max {limits.documents} records are permitted.",
            ),
        )
    if len({document.id for document in inputs}) != len(inputs):
        raise _batch_problem(
            "InvalidDocument",
            "Request contains duplicated Ids. Make sure each document has a unique Id.",
        )
    if limits.some_text and not any(document.text.strip() for document in inputs):
        raise _batch_problem("InvalidDocumentBatch", "Document text is empty.")


def _batch_problem(code: str, message: str) -> Problem:
    return invalid_request("Invalid Document in request.", inner=(code, message))


def _document_error(identifier: str, message: str, *, outer: str) -> dict[str, Any]:
    inner = ("InvalidDocument", message)
    return {"id": identifier, "error": error_object("InvalidArgument", f"Invalid {outer} in request.", inner)}


def _too_long(limit: int) -> str:
    return (
        "A document within the request was too large to be processed. "
        f"Limit document size to: {limit} text elements."
    )
