"""Answers of one or two models against the labels of a project's texts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.authoring.documents import ProjectDocuments
from appliance.authoring.labelling import Entry
from appliance.datasets.document import Label, LabelledDocument, code_points
from appliance.datasets.label_errors import DatasetError
from appliance.training.evaluation.compare import Comparison, compare
from appliance.training.evaluation.examine import trimmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model found, by location; offsets are UTF-16 code units."""

    name: str
    entities: Mapping[str, Sequence[Entry]]


async def compare_answers(
    documents: ProjectDocuments, project: str, first: Answered, second: Answered
) -> Comparison:
    """Compare what two models answered for the labelled texts that both were asked about.

    Args:
        documents: The projects' documents.
        project: Name of the project.
        first: What one model found.
        second: What the other found; the same again to see one model alone.

    Raises:
        DatasetError: They share no labelled text.
        LabellingMistakes: A text cannot be read, or its labels are not of it.
    """
    locations = [location for location in first.entities if location in second.entities]
    found = await documents.labelled(project, locations)
    if not found:
        raise DatasetError(
            "both models were asked about no labelled text", hint="label some texts that neither learnt from"
        )
    return await compare_given(found, first, second)


async def compare_given(
    documents: Sequence[LabelledDocument], first: Answered, second: Answered
) -> Comparison:
    """Compare what two models answered for labelled texts; each has an answer for each, by its name."""

    def work() -> Comparison:
        texts = trimmed(documents)
        return compare(texts, *([_labels(text, one) for text in texts] for one in (first, second)))

    return await asyncio.to_thread(work)


def _labels(document: LabelledDocument, answered: Answered) -> list[Label]:
    """Return answers as code points; what has no place in the text is no answer to it."""
    places = code_points(document.text)
    units = len(document.text) if places is None else len(places) - 1
    labels = []
    for entity in answered.entities[document.name]:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if not 0 <= start < end <= units:
            continue
        if places is not None:
            start, end = places[start], places[end]
        if start >= 0 and end >= 0:
            labels.append(Label(start, end, entity["category"]))
    return sorted(labels)
