"""The sums of one log, added up from its entries: of the day, of the month, and in all."""

from license.evidence.log.entry import NOTHING, Sums, Tally, UsedFields


class Tallies:
    """Adds up usage in the order of the log; for hidden entries it takes the sums signed for their day."""

    def __init__(self) -> None:
        self._day: dict[str, list[int]] = {}
        self._hidden = 0
        self._any_hidden = False
        self._month: dict[str, Tally] = {}
        self._totals: dict[tuple[str, str], Tally] = {}
        self._days: dict[tuple[str, str], Tally] = {}

    def add(self, used: UsedFields) -> None:
        """Count one entry of the day in progress."""
        sums = self._day.get(used.meter)
        if sums is None:
            sums = self._day[used.meter] = [0, 0, 0]
        sums[0] += 1
        sums[1] += used.quantity
        sums[2] += used.billed

    def hide(self, count: int) -> None:
        """Count entries of the day in progress that are not shown."""
        self._hidden += count
        self._any_hidden = True

    @property
    def hidden(self) -> int:
        """How many entries of the day in progress are neither shown nor summed by one that is."""
        return self._hidden

    @property
    def any_hidden(self) -> bool:
        """Whether an entry of the day in progress is not shown."""
        return self._any_hidden

    def sum_day(self, declared: Sums) -> bool:
        """Say whether these are the sums of the day so far; if so, hidden entries count as they say."""
        day = self._shown()
        if not self._hidden:
            return day == declared
        if not _fits(day, declared, self._hidden):
            return False
        self._day = {meter: [*tally] for meter, tally in declared.items()}
        self._hidden = 0
        return True

    def _shown(self) -> Sums:
        return {meter: Tally(*sums) for meter, sums in self._day.items()}

    def end_day(self, date: str, declared: Sums | None = None) -> Sums:
        """Begin another day; return the sums of the one that ends, `YYYY-MM-DD`.

        Where entries are hidden, the sums declared for the day are taken over if they agree with the number
        of entries and with what is shown; otherwise what is shown is all there is.
        """
        day = self._shown()
        if self._hidden and declared is not None and _fits(day, declared, self._hidden):
            day = declared
        month = date[:7]
        for meter, tally in day.items():
            self._month[meter] = self._month.get(meter, NOTHING).plus(tally)
            for sums, key in ((self._totals, (month, meter)), (self._days, (date, meter))):
                sums[key] = sums.get(key, NOTHING).plus(tally)
        self._day, self._hidden, self._any_hidden = {}, 0, False
        return day

    def end_month(self) -> Sums:
        """Begin another month; return the sums since the last one began, up to the last day that ended."""
        month, self._month = self._month, {}
        return month

    @property
    def totals(self) -> dict[tuple[str, str], Tally]:
        """Sums by month and meter, of the days that have ended."""
        return self._totals

    @property
    def days(self) -> dict[tuple[str, str], Tally]:
        """Sums by day (`YYYY-MM-DD`) and meter, of the days that have ended."""
        return self._days


def _fits(shown: Sums, declared: Sums, hidden: int) -> bool:
    if any(
        counted > signed
        for meter, tally in shown.items()
        for counted, signed in zip(tally, declared.get(meter, NOTHING), strict=True)
    ):
        return False
    entries = sum(tally.entries for tally in shown.values())
    return sum(tally.entries for tally in declared.values()) == entries + hidden
