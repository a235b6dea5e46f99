"""From entities in code points to the result objects of the Language API."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.api.documents import Checked, Document
from appliance.inference.engine import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultItem:
    """What became of one document: its result object with its statistics, or its error object."""

    document: dict[str, Any] | None = None
    statistics: dict[str, int] | None = None
    error: dict[str, Any] | None = None


def result_items(
    order: Iterable[str], checked: Checked, found: Sequence[Sequence[Entity]]
) -> tuple[ResultItem, ...]:
    """Join results and errors in the order of the request.

    Args:
        order: Document ids as they were sent.
        checked: The good documents and the error objects of the others.
        found: Entities of each good document, in the order of `checked.documents`.
    """
    items = {
        document.id: ResultItem(document=_document_object(document, entities), statistics=document.statistics)
        for document, entities in zip(checked.documents, found, strict=True)
    }
    items.update((error["id"], ResultItem(error=error)) for error in checked.errors)
    return tuple(items[identifier] for identifier in order)


def results_object(items: Sequence[ResultItem], *, show_stats: bool) -> dict[str, Any]:
    """`documents`, `errors` and, if asked for, `statistics` of some items; the lists are always there."""
    documents = []
    for item in items:
        if item.document is not None:
            extra = {"statistics": item.statistics} if show_stats else {}
            documents.append({**item.document, **extra})
    errors = [item.error for item in items if item.error is not None]
    results: dict[str, Any] = {"documents": documents, "errors": errors}
    if show_stats:
        results["statistics"] = {
            "documentsCount": len(items),
            "validDocumentsCount": len(documents),
            "erroneousDocumentsCount": len(errors),
            "transactionsCount": sum(i.statistics["transactionsCount"] for i in items if i.statistics),
        }
    return results


def _document_object(document: Document, entities: Sequence[Entity]) -> dict[str, Any]:
    objects = []
    for entity in entities:
        text, offset, length = document.index.locate(entity.start, entity.end)
        objects.append(
            {
                "text": text,
                "category": entity.category,
                "offset": offset,
                "length": length,
                "confidenceScore": round(entity.score, 2),
            }
        )
    return {"id": document.id, "entities": objects, "warnings": []}
