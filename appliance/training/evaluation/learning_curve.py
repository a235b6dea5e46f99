"""F1 by the number of training documents, and what it advises: label more, or stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.statistics.paired_bootstrap import Difference
from appliance.training.evaluation.bootstrap import paired_bootstrap
from appliance.training.evaluation.scoring import Counts, pooled_f1

WORTH: Final = 0.01
"""F1 (0…1) that a doubling of the documents must bring for more of them to be worth their labelling."""
MORE: Final = "more documents help"
ENOUGH: Final = "more documents have stopped helping"
UNSURE: Final = "whether more documents help cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One training.

    Attributes:
        share: Of the documents, 0…1.
        documents: How many.
        counts: Of each document that it was measured on, the same for all points.
    """

    share: float
    documents: int
    counts: tuple[Counts, ...]

    @property
    def f1(self) -> float:
        """F1 over all of them, 0…1."""
        return pooled_f1(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A learning curve.

    Attributes:
        points: From few documents to all.
        last: What the last step brought.
        advice: `MORE`, `ENOUGH` or `UNSURE`.
    """

    points: tuple[Point, ...]
    last: Difference
    advice: str

    def lines(self) -> list[str]:
        """Lay it out for a terminal; the last line is the advice."""
        rows = [
            f"{100 * point.share:3.0f} %  {point.documents:6} documents  F1 {100 * point.f1:5.1f}"
            f"  {'=' * round(40 * point.f1)}"
            for point in self.points
        ]
        return [*rows, self.sentence]

    @property
    def sentence(self) -> str:
        """The advice, with its reason."""
        ends = f"95 % between {100 * self.last.low:+.1f} and {100 * self.last.high:+.1f}"
        before, after = self.points[-2].documents, self.points[-1].documents
        return (
            f"{self.advice}: from {before} to {after} documents F1 went {100 * self.last.value:+.1f}"
            f" points ({ends})"
        )

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "points": [
                {"share": point.share, "documents": point.documents, "f1": point.f1} for point in self.points
            ],
            "lastStep": {"difference": self.last.value, "low": self.last.low, "high": self.last.high},
            "advice": self.sentence,
        }


def curve_of(points: Sequence[Point]) -> Curve:
    """Judge the last step of a curve of at least two points."""
    last = paired_bootstrap(points[-2].counts, points[-1].counts)
    advice = UNSURE
    if last.low > 0 and last.value >= WORTH:
        advice = MORE
    elif last.high < WORTH or (last.value < WORTH and last.high < 2 * WORTH):
        advice = ENOUGH
    return Curve(points=tuple(points), last=last, advice=advice)
