"""A label in JSON, by whatever words its tool uses for start, end and category."""

from collections.abc import Sequence
from typing import Any, Final

from appliance.datasets.formats.format import SourceFile, Span
from appliance.datasets.formats.json_values import Records, string, whole_number
from appliance.datasets.label_errors import RELATIONS, DatasetError, Mistake

_STARTS: Final = ("start", "start_offset", "startOffset", "begin", "start_char", "offset")
_ENDS: Final = ("end", "end_offset", "endOffset", "end_char")
_LABELS: Final = ("label", "category", "type", "entity_group", "tag", "entity", "labels")
_NO_LABELS: Final = ("tokens", "relations")
"""Tokens may have places, and a tag each."""
_TEXTS: Final = ("text", "word", "surface", "mention")


def span_of(value: Any) -> Span:
    """Return the label that an object or a list of start, end and category describes.

    Raises:
        TypeError, ValueError, KeyError: It describes none.
    """
    if isinstance(value, list | tuple):
        if len(value) < 3:
            raise ValueError("a label needs start, end and category")
        return make_span(value[0], value[1], value[2])
    if not isinstance(value, dict):
        raise TypeError("a label is neither an object nor a list")
    start = _first(value, _STARTS)
    if start is None:
        raise KeyError("start")
    end = _first(value, _ENDS)
    if end is None and "length" in value:
        end = whole_number(start, "offset") + whole_number(value["length"], "length")
    category = _first(value, _LABELS)
    if isinstance(category, list) and len(category) == 1:
        category = category[0]
    said = _first(value, _TEXTS)
    return make_span(start, end, category, said if isinstance(said, str) else None)


def make_span(start: Any, end: Any, category: Any, said: str | None = None) -> Span:
    """Return a label of checked values; TypeError where one is of the wrong kind."""
    return Span(
        whole_number(start, "start"), whole_number(end, "end"), string(category, "label"), said or None
    )


def is_span(value: Any) -> bool:
    """Whether `span_of` would take it."""
    try:
        span_of(value)
    except (TypeError, ValueError, KeyError, OverflowError):
        return False
    return True


def spans_of(values: Sequence[Any]) -> tuple[Span, ...]:
    """Return the labels of a list."""
    return tuple(span_of(value) for value in values)


def _first(value: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def require_records(file: SourceFile, title: str) -> Records:
    """Return the JSON values of a file.

    Raises:
        DatasetError: It is not JSON.
    """
    if file.records is None:
        file.text  # noqa: B018 (raises where it is no text at all)
        raise DatasetError(
            f"{file.name} is not JSON, as {title} is", hint="export it again, or leave out --from"
        )
    return file.records


def relations_of(value: dict[str, Any], called: str) -> list[Mistake]:
    """Return what cannot be carried of a document's ties between labels, each with what it is called."""
    found = value.get("relations")
    if not isinstance(found, list):
        return []
    return [
        Mistake(
            document=called,
            line=0,
            reason=f"the relation {_kind(one)!r} ties labels, and labels here stand alone",
            remedy="take it out",
            kind=RELATIONS,
        )
        for one in found
    ]


def labels_below(value: dict[str, Any], keys: Sequence[str]) -> str:
    """Return the first of some keys that holds any labels, else the first that is there, else the first."""
    there = [key for key in keys if value.get(key) is not None]
    return next((key for key in there if value[key]), next(iter(there), keys[0]))


def other_labels(value: dict[str, Any], read: str, called: str) -> list[Mistake]:
    """Return a mistake for each key besides the one that was read that holds labels, and others than it."""
    found = []
    for key, labels in value.items():
        if key in {read, *_NO_LABELS} or not isinstance(labels, list) or not labels:
            continue
        if all(map(is_span, labels)) and _places(labels) - _places(value.get(read)):
            reason = f"it has labels below {key[:40]!r} too, which are not read: those below {read!r} are"
            remedy = f"put all labels of the file below {read!r}"
            found.append(Mistake(document=called, line=0, reason=reason, remedy=remedy))
    return found


def _places(labels: Any) -> set[tuple[int, int, str]]:
    spans = map(span_of, labels) if isinstance(labels, list) else ()
    return {(span.start, span.end, span.category) for span in spans}


def _kind(relation: Any) -> str:
    kind = relation.get("type", relation.get("label", "")) if isinstance(relation, dict) else ""
    return str(kind)[:40]
