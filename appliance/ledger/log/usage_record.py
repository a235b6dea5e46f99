"""What one request used of one meter: the value that becomes a `use` entry.

A tuple and not a dataclass: one is made for every request, and a tuple costs a third.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from license.evidence.log.entry import Tally, is_token

MAX_QUANTITY = 10**15

_is_meter = lru_cache(maxsize=256)(is_token)  # a service has a handful of meters


class _Fields(NamedTuple):
    meter: str
    quantity: int
    billed: int
    request_id: str
    grace: bool


class UsageRecord(_Fields):
    """What one request used of one meter; becomes one `use` entry.

    Attributes:
        meter: Name of the meter.
        quantity: Units used.
        billed: Units that count against the plan.
        request_id: Identifier that the caller sees too.
        grace: Whether it was served after the licence expired, in its grace.

    Raises:
        ValueError: A value cannot be said in an entry.
    """

    __slots__ = ()

    def __new__(
        cls, *, meter: str, quantity: int, billed: int, request_id: str, grace: bool = False
    ) -> "UsageRecord":
        """Check the values, and keep them."""
        if not _is_meter(meter) or not is_token(request_id):
            raise ValueError("a meter and a request id are 1 to 200 letters, digits and ._:/+=@-")
        if not (0 <= quantity <= MAX_QUANTITY and 0 <= billed <= MAX_QUANTITY):
            raise ValueError(f"a quantity lies between 0 and {MAX_QUANTITY}")
        return tuple.__new__(cls, (meter, quantity, billed, request_id, grace))


def sums_of(groups: Iterable[Sequence[UsageRecord]]) -> dict[str, Tally]:
    """Add up uses by meter."""
    total: dict[str, list[int]] = {}
    for group in groups:
        for meter, quantity, billed, _, _ in group:
            found = total.get(meter)
            if found is None:
                total[meter] = [1, quantity, billed]
            else:
                found[0] += 1
                found[1] += quantity
                found[2] += billed
    return {meter: Tally(*sums) for meter, sums in total.items()}
