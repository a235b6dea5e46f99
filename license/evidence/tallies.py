"""The sums of one log, added up from its entries: of the day, of the month, and in all."""

from license.evidence.entry import NOTHING, Sums, Tally, UsedFields


class Tallies:
    """Adds up usage in the order of the log."""

    def __init__(self) -> None:
        self._day: dict[str, list[int]] = {}
        self._month: dict[str, Tally] = {}
        self._totals: dict[tuple[str, str], Tally] = {}

    def add(self, used: UsedFields) -> None:
        """Count one entry of the day in progress."""
        sums = self._day.get(used.meter)
        if sums is None:
            sums = self._day[used.meter] = [0, 0, 0]
        sums[0] += 1
        sums[1] += used.quantity
        sums[2] += used.billed

    def end_day(self, month: str) -> Sums:
        """Begin another day; return the sums of the one that ends, which lies in this month."""
        day = {meter: Tally(*sums) for meter, sums in self._day.items()}
        for meter, tally in day.items():
            self._month[meter] = self._month.get(meter, NOTHING).plus(tally)
            key = (month, meter)
            self._totals[key] = self._totals.get(key, NOTHING).plus(tally)
        self._day = {}
        return day

    def end_month(self) -> Sums:
        """Begin another month; return the sums since the last one began, up to the last day that ended."""
        month, self._month = self._month, {}
        return month

    @property
    def totals(self) -> dict[tuple[str, str], Tally]:
        """Sums by month and meter, of the days that have ended."""
        return self._totals
