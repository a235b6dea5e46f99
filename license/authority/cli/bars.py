"""Usage by day as bars of characters, for terminals. Pure: numbers in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from license.encoding.strict import DAY, format_date, parse_date

WIDTH: Final = 40
MAX_DAYS: Final = 31
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def bars(days: Mapping[str, int], *, width: int = WIDTH, last: int = MAX_DAYS) -> list[str]:
    """Return a line for each of the last days up to the newest with usage, gaps included.

    Args:
        days: Units by UTC day, `YYYY-MM-DD`.
        width: Characters of the longest bar.
        last: How many days at most.
    """
    if not days:
        return []
    newest = parse_date(max(days))
    oldest = max(parse_date(min(days)), newest - (last - 1) * DAY)
    dates = [format_date(at) for at in range(oldest, newest + 1, DAY)]
    most = max(days.get(date, 0) for date in dates)
    numbers = max(len(f"{days.get(date, 0):,}") for date in dates)
    return [
        f"{date}  {bar(days.get(date, 0), most, width):<{width}}  {days.get(date, 0):>{numbers},}"
        for date in dates
    ]


def bar(value: int, most: int, width: int) -> str:
    """Return a bar for `value`, `width` characters long for `most`; never nothing for something."""
    eighths = 0 if not most else value * width * 8 // most
    if value and not eighths:
        eighths = 1
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
