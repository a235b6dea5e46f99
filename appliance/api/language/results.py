"""From entities in code points to the result objects of the Language API."""

from collections.abc import Sequence
from typing import Any, Final

import regex

from appliance.api.language.documents import Checked, Document
from appliance.api.off_loop import run_off_loop
from appliance.jobs.job import Item
from appliance.ner.engine import Entity
from appliance.pipeline.pipeline import Answer

_LONG: Final = 64
# A word in a script that puts spaces between words; longer ones are seldom what a sender means to send.
_LONG_WORD: Final = regex.compile(
    r"[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
    f"{{{_LONG + 1}}}",
    regex.VERSION1,
)
_LONG_WORD_WARNING: Final = {
    "code": "LongWordsInDocument",
    "message": "The document contains very long words (longer than 64 characters), which may make "
    "predictions unreliable.",
}


async def render_results(
    checked: Checked, answer: Answer, *, version: str, show_stats: bool
) -> dict[str, Any]:
    """The results of a synchronous answer, rendered off the event loop.

    Args:
        checked: The documents of the request.
        answer: The answer to the good ones.
        version: Version of the model that answered.
        show_stats: Whether `statistics` were asked for.
    """
    items = await run_off_loop(checked.size, result_items, checked, answer.entities)
    return {**results_object(items, show_stats=show_stats), "modelVersion": version}


def result_items(checked: Checked, entities: Sequence[Sequence[Entity]]) -> tuple[Item, ...]:
    """Join results and errors in the order of the request.

    Args:
        checked: The documents of the request.
        entities: Entities of each good document, in the order of `checked.documents`.

    Returns:
        For each id either `{"document", "statistics"}` or `{"error"}`, in JSON values only.
    """
    items: dict[str, Item] = {
        document.id: {"document": _document_object(document, own), "statistics": document.statistics}
        for document, own in zip(checked.documents, entities, strict=True)
    }
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
    warnings = [_LONG_WORD_WARNING] if _has_long_word(document.text) else []
    return {"id": document.id, "entities": objects, "warnings": warnings}


def _has_long_word(text: str) -> bool:
    # The search is dear, and without a long run between spaces there is nothing to be found.
    return any(len(run) > _LONG for run in text.split()) and _LONG_WORD.search(text) is not None
