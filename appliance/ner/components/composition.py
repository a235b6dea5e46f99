"""Spans of one category from several components to the spans that are answered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.datasets.components.components import EntityComponents


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A span that one component found; `score` is its confidence, 0…1."""

    start: int
    end: int
    kind: str
    score: float


def composed(found: Sequence[Found], how: EntityComponents) -> Iterator[tuple[int, int, float]]:
    """Yield start, end and confidence of what is answered, in order.

    Spans that overlap, one with the next, belong together. They become their union, with the highest
    confidence, or stay apart; where a required component is not among them, none of them is answered.
    """
    for together in _overlapping(sorted(found)):
        if not how.required <= {one.kind for one in together}:
            continue
        if how.combine:
            yield (
                together[0].start,
                max(one.end for one in together),
                max(one.score for one in together),
            )
        else:
            yield from ((one.start, one.end, one.score) for one in together)


def _overlapping(found: Sequence[Found]) -> Iterator[list[Found]]:
    together: list[Found] = []
    end = 0
    for one in found:
        if together and one.start >= end:
            yield together
            together = []
        end = max(end, one.end) if together else one.end
        together.append(one)
    if together:
        yield together
