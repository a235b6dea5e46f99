"""Labels in a project's assets, one document at a time, as a project file holds them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.datasets.document import Label, code_points
from appliance.datasets.label_errors import Claim, LabellingMistakes, Mistake, check_claims

Entry = dict[str, Any]
"""A document as `assets.documents` of a project file has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What somebody made of a document.

    Attributes:
        labels: `category`, `offset` and `length` of each, in UTF-16 code units.
        seen: Whether the document counts as labelled; one may hold no entity at all.
    """

    labels: tuple[Entry, ...]
    seen: bool

    @property
    def revision(self) -> str:
        """A word that changes with the labels."""
        told = json.dumps([self.seen, *(_key(label) for label in self.labels)])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


UNSEEN = Marks(labels=(), seen=False)


def _key(label: Mapping[str, Any]) -> tuple[int, int, str]:
    return int(label["offset"]), int(label["length"]), str(label["category"])


def marks_of(entry: Mapping[str, Any]) -> Marks:
    """Return the labels of a document of the assets; it is labelled if it has a region or a label."""
    regions = entry.get("entities") or ()
    labels = [label for region in regions for label in region.get("labels") or ()]
    labels += entry.get("labels") or ()
    told = ({key: label[key] for key in ("category", "offset", "length")} for label in labels)
    return Marks(labels=tuple(sorted(told, key=_key)), seen=bool(regions or labels))


def marked(entry: Mapping[str, Any], marks: Marks, units: int) -> Entry:
    """Return a document of the assets with other labels.

    Args:
        entry: The document.
        marks: Its labels.
        units: Length of its text in UTF-16 code units.
    """
    region = {"regionOffset": 0, "regionLength": units, "labels": list(marks.labels)}
    return {**entry, "entities": [region] if marks.seen or marks.labels else [], "labels": []}


def labelled_only(assets: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the assets without the documents that nobody labelled, and how many those are.

    Somebody who trains half-way has no wish to teach the model that the other half holds no entities.
    """
    documents = list(assets.get("documents") or ())
    seen = [entry for entry in documents if marks_of(entry).seen]
    return {**assets, "documents": seen}, len(documents) - len(seen)


def checked(location: str, text: str, labels: Sequence[Entry], categories: Sequence[str]) -> list[Label]:
    """Return labels as code points.

    Raises:
        LabellingMistakes: One has no place in the text, begins or ends with white space, overlaps another,
            or is of a category that the project has not: all of them.
    """
    claims = [Claim(category=one["category"], offset=one["offset"], length=one["length"]) for one in labels]
    found, mistakes = check_claims(location, text, claims, frozenset(categories), code_points(text))
    for label in found:
        covered = text[label.start : label.end]
        if covered.strip() != covered:
            reason = f"the label {label.category} at character {label.start} begins or ends with white space"
            mistakes.append(Mistake(document=location, line=0, reason=reason, remedy="leave the space out"))
    if mistakes:
        raise LabellingMistakes(mistakes)
    return list(found)
