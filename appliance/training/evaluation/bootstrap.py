"""How sure a difference of F1 is: documents are drawn again and again, the same ones for both models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.training.evaluation.scoring import Counts

DRAWS: Final = 2000
COVERED: Final = 95
"""Per cent of the draws that lie between the ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference of F1, shares between -1 and 1.

    Attributes:
        value: Of the documents as they are: the second less the first.
        low, high: Ends that hold 95 % of the draws.
    """

    value: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the draws agree on which is better."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    first: Sequence[Counts], second: Sequence[Counts], *, draws: int = DRAWS, seed: int = 1
) -> Difference:
    """Return the difference of F1 over all documents, with its uncertainty.

    Documents are drawn whole, because the entities of one document are right or wrong together. The same
    documents and seed always give the same ends.

    Args:
        first, second: Counts of each document, of both models in the same order.
        draws: How many sets of documents are drawn.
        seed: Of the draws.
    """
    if not first:
        return Difference(value=0.0, low=0.0, high=0.0)
    sides = [
        np.array([(one.right, one.found + one.labelled) for one in side], float) for side in (first, second)
    ]
    random = np.random.default_rng(seed)
    size = len(first)
    weights = random.multinomial(size, np.full(size, 1 / size), size=draws).astype(float)
    drawn = _f1(weights @ sides[1]) - _f1(weights @ sides[0])
    (value,) = _f1(sides[1].sum(axis=0, keepdims=True)) - _f1(sides[0].sum(axis=0, keepdims=True))
    low, high = np.percentile(drawn, [(100 - COVERED) / 2, (100 + COVERED) / 2])
    return Difference(value=float(value), low=float(low), high=float(high))


def _f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 of rows (right, found + labelled); 0 where there is nothing."""
    right, both = sums.T
    found: NDArray[np.float64] = np.divide(2 * right, both, out=np.zeros_like(right), where=both > 0)
    return found
