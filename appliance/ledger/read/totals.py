"""Running sums of usage by meter, kept beside the log so that nobody has to add it up again."""

from collections.abc import Callable, Iterable, Mapping

from license.evidence.log.entry import NOTHING, Sums, Tally

Days = Mapping[int, Sums]
"""Usage by meter of each UTC day, which is named by its first Unix second."""


class RunningTotals:
    """Sums by meter of the day in progress, of the month in progress, and of every day so far.

    Used by the writer thread; `used` may be asked from any thread.
    """

    def __init__(self) -> None:
        self.day: dict[str, Tally] = {}
        self.month: dict[str, Tally] = {}
        self._by_day: dict[int, dict[str, Tally]] = {}

    def add_past(self, day: int, sums: Sums) -> None:
        """Count a day that is over, given as the Unix second it began at."""
        _add_to(self._by_day.setdefault(day, {}), sums)

    def add(self, day: int, sums: Sums) -> None:
        """Count usage of the day in progress."""
        _add_to(self.day, sums)
        _add_to(self.month, sums)
        self.add_past(day, sums)

    def add_days(self, days: Days) -> None:
        """Count days that are over."""
        for day, sums in days.items():
            self.add_past(day, sums)

    def absorb(self, other: "RunningTotals") -> None:
        """Count every day of another log too."""
        self.add_days(other.days())

    def days(self) -> dict[int, Sums]:
        """Return every day's sums so far."""
        return {day: dict(sums) for day, sums in list(self._by_day.items())}

    def of(self, day: int) -> Sums:
        """Return the sums of one day."""
        return self._by_day.get(day, {})

    def used(self, meter: str, start: int, end: int) -> int:
        """Return the billed units of a meter on the days from `start` up to, not including, `end`."""
        days = list(self._by_day.items())
        return sum(sums.get(meter, NOTHING).billed for day, sums in days if start <= day < end)


def _add_to(total: dict[str, Tally], sums: Sums) -> None:
    for meter, tally in sums.items():
        total[meter] = total.get(meter, NOTHING).plus(tally)


def merge(parts: Iterable[Sums]) -> dict[str, Tally]:
    """Add sums by meter."""
    total: dict[str, list[int]] = {}
    for part in parts:
        for meter, (entries, quantity, billed) in part.items():
            sums = total.get(meter)
            if sums is None:
                total[meter] = [entries, quantity, billed]
            else:
                sums[0] += entries
                sums[1] += quantity
                sums[2] += billed
    return {meter: Tally(*sums) for meter, sums in total.items()}


def greater(first: Days, second: Days) -> dict[int, Sums]:
    """Return of each day and meter the greater of two counts of the same usage."""
    return {
        day: _each(max, first.get(day, {}), second.get(day, {}))
        for day in sorted(first.keys() | second.keys())
    }


def lacking(whole: Days, part: Days) -> dict[int, Sums]:
    """Return what is missing from `part`, which should be all of `whole`; nothing where it is not less."""
    days = {day: _each(_less, sums, part.get(day, {})) for day, sums in whole.items()}
    return {day: sums for day, sums in days.items() if sums}


def _each(choose: Callable[[int, int], int], first: Sums, second: Sums) -> Sums:
    """Compare number by number; meters of which nothing comes are left out."""
    sums = {
        meter: Tally(*map(choose, first.get(meter, NOTHING), second.get(meter, NOTHING)))
        for meter in sorted(first.keys() | second.keys())
    }
    return {meter: tally for meter, tally in sums.items() if tally != NOTHING}


def _less(whole: int, part: int) -> int:
    return max(0, whole - part)
