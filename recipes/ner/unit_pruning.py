"""Which units of a layer to keep, and what the kept ones must say for those that go.

A feed-forward layer's output is a product `units x weights`. Many units say what others say already. Units
are dropped where the rest can make up for them best, and the weights of the rest are solved anew by least
squares over real text, so that most of the output stays as it was before anything is trained again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP = 32
"""Units dropped between two looks at what each of the rest is worth."""

RIDGE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What is known of a layer's units: their mean [units] and covariance [units, units] over tokens."""

    mean: Array
    covariance: Array

    @classmethod
    def of(cls, values: Array) -> "Moments":
        """Measure units [tokens, units]."""
        mean = values.mean(axis=0)
        centred = values - mean
        return cls(mean=mean, covariance=centred.T @ centred / len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """The units that stay and the layer that follows them.

    Attributes:
        kept: Numbers of the units, ascending, int64 [kept].
        weights: For the kept units, [outputs, kept].
        bias: [outputs].
        lost: Share of the output's variance that the kept units do not give back, 0…1.
    """

    kept: NDArray[np.int64]
    weights: Array
    bias: Array
    lost: float


def narrowed(moments: Moments, weights: Array, bias: Array, units: int) -> Narrowed:
    """Keep so many units of a layer: those that can best stand for the rest.

    Backward elimination by the exact increase of the squared error, as in Optimal Brain Surgeon (Hassibi and
    Stork 1993), some at a time.

    Args:
        moments: Of the units, over real text.
        weights: Of the product that follows, [outputs, units].
        bias: Of that product, [outputs].
        units: How many to keep, 1 or more.

    Raises:
        ValueError: There are not so many.
    """
    covariance = moments.covariance
    if not 1 <= units <= len(covariance):
        raise ValueError(f"cannot keep {units} of {len(covariance)} units")
    kept = np.arange(len(covariance))
    ridge = RIDGE * covariance.diagonal().mean()
    wanted = covariance @ weights.T
    while len(kept) > units:
        inverse = np.linalg.inv(covariance[np.ix_(kept, kept)] + ridge * np.eye(len(kept)))
        cost = ((inverse @ wanted[kept]) ** 2).sum(axis=1) / inverse.diagonal()
        fewer = max(units, len(kept) - STEP)
        kept = np.sort(kept[np.argsort(-cost, kind="stable")[:fewer]])
    inner = covariance[np.ix_(kept, kept)]
    solved = np.linalg.solve(inner + ridge * np.eye(len(kept)), wanted[kept]).T
    whole = np.trace(weights @ wanted)
    error = whole - 2 * (solved * wanted[kept].T).sum() + np.trace(solved @ inner @ solved.T)
    return Narrowed(
        kept=kept,
        weights=solved,
        bias=bias + weights @ moments.mean - solved @ moments.mean[kept],
        lost=max(0.0, float(error / whole)) if whole > 0 else 0.0,
    )
