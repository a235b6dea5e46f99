"""How sure a difference between two models is: samples are drawn again and again, the same for both.

For figures that are a ratio of two sums over samples, such as F1 and the word error rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 2000
COVERED: Final = 95
"""Per cent of the draws that lie between the ends."""
LEAST: Final = 6
"""Samples that can show anything: of five, all are on one side by chance more often than once in 20 times."""
Ratio = tuple[float, float]
"""What a sample adds above and below the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference of a figure between two models.

    Attributes:
        value: Of the samples as they are: the second less the first.
        low, high: Ends that hold 95 % of the draws.
    """

    value: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the draws agree on which is better."""
        return self.low > 0 or self.high < 0


def difference_of_ratios(
    first: Sequence[Ratio], second: Sequence[Ratio], *, draws: int = DRAWS, seed: int = 1
) -> Difference:
    """Return the difference of a ratio over all samples, with its uncertainty.

    The same samples and seed always give the same ends. Of fewer than `LEAST` samples they hold 0:
    draws of so few agree by chance.

    Args:
        first, second: Each sample of both models, in the same order.
        draws: How many sets of samples are drawn.
        seed: Of the draws.
    """
    if not first:
        return Difference(value=0.0, low=0.0, high=0.0)
    sides = [np.array(side, float) for side in (first, second)]
    random = np.random.default_rng(seed)
    size = len(first)
    weights = random.multinomial(size, np.full(size, 1 / size), size=draws).astype(float)
    drawn = _ratio(weights @ sides[1]) - _ratio(weights @ sides[0])
    (value,) = _ratio(sides[1].sum(axis=0, keepdims=True)) - _ratio(sides[0].sum(axis=0, keepdims=True))
    low, high = np.percentile(drawn, [(100 - COVERED) / 2, (100 + COVERED) / 2])
    if size < LEAST:
        low, high = min(low, 0.0), max(high, 0.0)
    return Difference(value=float(value), low=float(low), high=float(high))


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide rows (above, below); 0 where there is nothing below."""
    above, below = sums.T
    found: NDArray[np.float64] = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return found
