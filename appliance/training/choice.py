"""What was chosen for a model, by F1 on training documents that it had not learnt from, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.split import stratified
from appliance.onnx_tools.quantization import TOLERATED
from appliance.training.evaluation.bootstrap import paired_bootstrap
from appliance.training.evaluation.scoring import Counts, pooled_f1

HELD_SHARE: Final = 0.2
LEAST_FOR_CHOICE: Final = 6
"""With fewer training documents nothing is held back: one of them would decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to make the model, measured on the documents held back.

    Attributes:
        quality: `fast` or `best`.
        precision: Of the weights: `8 bits` or `float32`.
        counts: Of each document.
    """

    quality: str
    precision: str
    counts: tuple[Counts, ...]

    @property
    def f1(self) -> float:
        """F1 over all of them, 0…1."""
        return pooled_f1(self.counts)

    @property
    def title(self) -> str:
        """Its name in words."""
        return f"{self.quality}, {self.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen.

    Attributes:
        quality, precision: The choice.
        candidates: What was measured; empty where nothing could be.
        why: In a sentence.
    """

    quality: str
    precision: str
    candidates: tuple[Candidate, ...] = ()
    why: str

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "quality": self.quality,
            "precision": self.precision,
            "why": self.why,
            "candidates": [
                {"quality": one.quality, "precision": one.precision, "f1": one.f1} for one in self.candidates
            ],
        }


def hold_back(
    documents: Sequence[LabelledDocument],
) -> tuple[tuple[LabelledDocument, ...], tuple[LabelledDocument, ...]]:
    """Divide training documents: what a candidate learns from, and what it is measured on.

    The second part is empty where there are too few, or where it would have no label.
    """
    if len(documents) < LEAST_FOR_CHOICE:
        return tuple(documents), ()
    names = {document.name for document in stratified(documents, HELD_SHARE)}
    held = tuple(document for document in documents if document.name in names)
    if not any(document.labels for document in held):
        return tuple(documents), ()
    return tuple(document for document in documents if document.name not in names), held


def choose_precision(eight: Candidate, full: Candidate) -> tuple[Candidate, str]:
    """Take 8-bit weights unless they cost more F1 than is tolerated; return the choice and why."""
    loss = full.f1 - eight.f1
    told = f"8-bit weights cost {100 * loss:.2f} points of F1 on {_documents(eight)} held back"
    if loss <= TOLERATED:
        return eight, told
    return full, f"{told}, so the model keeps float32 weights"


def choose_quality(fast: Candidate, best: Candidate) -> tuple[Candidate, str]:
    """Take what has the higher F1, and of equals the cheaper; return the choice and why."""
    chosen, other = (best, fast) if best.f1 > fast.f1 else (fast, best)
    gain = paired_bootstrap(other.counts, chosen.counts)
    told = (
        f"{chosen.quality} has F1 {100 * chosen.f1:.1f} on {_documents(chosen)} held back,"
        f" {other.quality} {100 * other.f1:.1f}"
    )
    if gain.value == 0:
        return chosen, f"{told}: of equals the cheaper one"
    ends = f"95 % between {100 * gain.low:+.1f} and {100 * gain.high:+.1f}"
    return chosen, f"{told}: {100 * gain.value:+.1f} points ({ends})"


def _documents(candidate: Candidate) -> str:
    return f"{len(candidate.counts)} training documents"
