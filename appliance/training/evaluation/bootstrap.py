"""How sure a difference of F1 is: documents are drawn again and again, the same ones for both models."""

from collections.abc import Sequence

from appliance.statistics.paired_bootstrap import DRAWS, Difference, difference_of_ratios
from appliance.training.evaluation.scoring import Counts


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
    one, two = (
        [(2.0 * counts.right, float(counts.found + counts.labelled)) for counts in side]
        for side in (first, second)
    )
    return difference_of_ratios(one, two, draws=draws, seed=seed)
