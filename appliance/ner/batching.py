"""Which waiting windows share the next call of the model. Pure: no threads, no clock, no arrays.

Padding is computed work that nobody asked for, and on a CPU a batch buys little, so windows are matched by
length.
"""

from collections.abc import Sequence

PADDING_SHARE = 1 / 8
"""The most of a batch that may be padding; beyond it a second call is cheaper."""


def next_batch(lengths: Sequence[int], *, budget_tokens: int) -> list[int]:
    """Return the indices of the windows to run together, the first one always among them.

    Args:
        lengths: Tokens of each waiting window, the window whose turn it is first.
        budget_tokens: The most a batch may hold, padding included. A single window over the budget is a batch
            of its own: it has to be computed some time.

    The window whose turn it is decides the length; those nearest to it in length keep it company while the
    padded batch fits the budget and its padding stays below `PADDING_SHARE`. So nobody waits for ever for
    mates of the right size.
    """
    if not lengths:
        return []
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    low = order.index(0)
    high = low + 1
    tokens = lengths[0]
    while True:
        side = _nearer_side(lengths, order, low, high)
        if side is None:
            break
        index = order[side]
        width = max(lengths[order[high - 1]], lengths[index])
        padded = width * (high - low + 1)
        if padded > budget_tokens or padded - tokens - lengths[index] > padded * PADDING_SHARE:
            break
        tokens += lengths[index]
        low, high = min(low, side), max(high, side + 1)
    return order[low:high]


def _nearer_side(lengths: Sequence[int], order: Sequence[int], low: int, high: int) -> int | None:
    """Return the position next to `low:high` whose length is closer to the first window's, if any."""
    below, above = low - 1, high
    if below < 0:
        return above if above < len(order) else None
    if above >= len(order):
        return below
    shorter, longer = lengths[0] - lengths[order[below]], lengths[order[above]] - lengths[0]
    return below if shorter <= longer else above
