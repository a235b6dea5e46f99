"""From entities in code points to the result objects of the Language API."""

from collections.abc import Callable, Sequence
from typing import Any

from appliance.api.language.documents import Checked, Document
from appliance.api.language.warnings import warnings_of
from appliance.api.off_loop import run_off_loop
from appliance.jobs.job import Item
from appliance.ner.engine import Recognized
from appliance.pipeline.deployments import Deployment
from appliance.pipeline.pipeline import Answer

Warned = Callable[[str], None]
"""Hears the code of each warning that is answered."""


async def render_results(
    checked: Checked, answer: Answer, deployment: Deployment, *, warned: Warned, show_stats: bool
) -> dict[str, Any]:
    """The results of a synchronous answer, rendered off the event loop.

    Args:
        checked: The documents of the request.
        answer: The answer to the good ones.
        deployment: What answered.
        warned: Hears of each warning.
        show_stats: Whether `statistics` were asked for.
    """
    items = await run_off_loop(
        checked.size, result_items, checked, answer.entities, deployment.languages, warned
    )
    return {**results_object(items, show_stats=show_stats), "modelVersion": deployment.release}


def result_items(
    checked: Checked, found: Sequence[Recognized], languages: Sequence[str], warned: Warned
) -> tuple[Item, ...]:
    """Join results and errors in the order of the request.

    Args:
        checked: The documents of the request.
        found: What was found in each good document, in the order of `checked.documents`.
        languages: Languages the model was made for.
        warned: Hears of each warning.

    Returns:
        For each id either `{"document", "statistics"}` or `{"error"}`, in JSON values only.
    """
    items: dict[str, Item] = {
        document.id: {
            "document": _document_object(document, own, languages),
            "statistics": document.statistics,
        }
        for document, own in zip(checked.documents, found, strict=True)
    }
    for item in items.values():
        for warning in item["document"]["warnings"]:
            warned(warning["code"])
    items.update((error["id"], {"error": error}) for error in checked.errors)
    return tuple(items[identifier] for identifier in checked.order)


def results_object(items: Sequence[Item], *, show_stats: bool) -> dict[str, Any]:
    """`documents`, `errors` and, if asked for, `statistics` of some items; the lists are always there."""
    good = [item for item in items if "document" in item]
    errors = [item["error"] for item in items if "error" in item]
    documents = [
        {**item["document"], "statistics": item["statistics"]} if show_stats else item["document"]
        for item in good
    ]
    results: dict[str, Any] = {"documents": documents, "errors": errors}
    if show_stats:
        results["statistics"] = {
            "documentsCount": len(items),
            "validDocumentsCount": len(documents),
            "erroneousDocumentsCount": len(errors),
            "transactionsCount": sum(item["statistics"]["transactionsCount"] for item in good),
        }
    return results


def _document_object(document: Document, found: Recognized, languages: Sequence[str]) -> dict[str, Any]:
    objects = []
    for entity in found:
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
    return {"id": document.id, "entities": objects, "warnings": warnings_of(document, found, languages)}
