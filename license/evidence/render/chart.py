"""Bar charts of usage by day, as SVG that needs nothing else: no script, no font, no network."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from license.encoding.strict import DAY, format_date, parse_date

_WIDTH: Final = 960
_HEIGHT: Final = 220
_LEFT: Final = 76
_BOTTOM: Final = 26
_TOP: Final = 12
_MAX_DAYS: Final = 400  # more than a year on one chart cannot be read
_STEPS: Final = (1, 2, 5)


def charts(days: Mapping[str, int], title: str) -> list[str]:
    """Return the charts of one meter: one, or one for each year where there is more than a year.

    Args:
        days: Units used by UTC day, `YYYY-MM-DD`.
        title: What is counted.
    """
    if not days:
        return []
    first, last = min(days), max(days)
    if parse_date(last) - parse_date(first) <= _MAX_DAYS * DAY:
        return [_chart(_every_day(first, last), days, title)]
    years = sorted({day[:4] for day in days})
    return [
        _chart(_every_day(max(first, f"{year}-01-01"), min(last, f"{year}-12-31")), days, f"{title}, {year}")
        for year in years
    ]


def _every_day(first: str, last: str) -> list[str]:
    return [format_date(at) for at in range(parse_date(first), parse_date(last) + 1, DAY)]


def _chart(dates: Sequence[str], days: Mapping[str, int], title: str) -> str:
    top = _round_up(max(days.get(date, 0) for date in dates))
    plot_width, plot_height = _WIDTH - _LEFT - 8, _HEIGHT - _TOP - _BOTTOM
    slot = plot_width / len(dates)
    bar = min(max(slot * 0.78, 1.0), 46.0)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}, by day">',
        f"<title>{escape(title)}, by day (UTC)</title>",
    ]
    for step in range(5):
        value = top * step // 4
        y = _TOP + plot_height - plot_height * step / 4
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
    for i, date in enumerate(dates):
        value = days.get(date, 0)
        if value:
            height = max(plot_height * value / top, 1.0)
            x = _LEFT + slot * i + (slot - bar) / 2
            parts.append(
                f'<rect class="bar" x="{x:.2f}" y="{_TOP + plot_height - height:.2f}" width="{bar:.2f}" '
                f'height="{height:.2f}"><title>{date}: {value:,}</title></rect>'
            )
    for i in _labelled(dates):
        x = _LEFT + slot * (i + 0.5)
        label = dates[i][5:] if len(dates) <= 62 else dates[i][:7]
        parts.append(f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{label}</text>')
    return "".join([*parts, "</svg>"])


def _labelled(dates: Sequence[str]) -> list[int]:
    """Which days get a label: up to a dozen, or the first of each month where there are many."""
    if len(dates) > 62:
        firsts = [i for i, date in enumerate(dates) if date.endswith("-01")]
        return firsts[:: -(-len(firsts) // 13)] if firsts else [0]
    return list(range(0, len(dates), -(-len(dates) // 12)))


def _round_up(value: int) -> int:
    """The next number of the form 4, 8 or 20 times a power of ten: quarters of it are whole."""
    power = 1
    while True:
        for step in _STEPS:
            if 4 * step * power >= value:
                return 4 * step * power
        power *= 10
