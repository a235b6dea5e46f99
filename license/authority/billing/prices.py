"""What a unit costs: a table that the vendor edits, `prices.csv` in the authority's directory.

    tier,meter,from,price,per,currency
    S0,CognitiveServices.Ner.Container.TextRecords,0,1.00,1000,EUR
    S0,CognitiveServices.Ner.Container.TextRecords,500000,0.75,1000,EUR

A row says what units cost from that one on, in each calendar month (UTC); the rows before it stay good for
the units before. What a plan includes costs nothing and is not among them. A meter without rows has no price.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from license.encoding.fields import METER, check_choice, check_range, check_text
from license.encoding.strict import MAX_INT, clean_text
from license.errors import Malformed, Unwritable
from license.files import read_limited, write_atomic
from license.licenses.terms import TIERS

FILE: Final = "prices.csv"
COLUMNS: Final = ("tier", "meter", "from", "price", "per", "currency")
_MAX_BYTES: Final = 262_144
_TEMPLATE: Final = """\
# Price of a unit. A row applies from that unit of a calendar month (UTC) on; units in a plan are free.
# Remove the # of these examples and put your own prices.
tier,meter,from,price,per,currency
# S0,CognitiveServices.Ner.Container.TextRecords,0,1.00,1000,EUR
# S0,CognitiveServices.Ner.Container.TextRecords,500000,0.75,1000,EUR
# DC0,CognitiveServices.Ner.Container.TextRecords,0,0.50,1000,EUR
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One row.

    Attributes:
        tier: `F0`, `S0` or `DC0`.
        meter: Name of the meter.
        first: The first unit of a month that has this price, counted from 0.
        price: Price of `per` units.
        per: Number of units.
        currency: ISO 4217 code.
    """

    tier: str
    meter: str
    first: int
    price: Decimal
    per: int
    currency: str

    def __post_init__(self) -> None:
        check_choice("tier", self.tier, TIERS)
        check_text("meter", self.meter, pattern=METER)
        check_range("from", self.first, 0, MAX_INT)
        check_range("per", self.per, 1, MAX_INT)
        if not self.price.is_finite() or self.price < 0:
            raise Malformed(f"price must not be negative, not {self.price}")
        if len(self.currency) != 3 or not (self.currency.isascii() and self.currency.isupper()):
            raise Malformed(f"currency must be three capital letters, not {self.currency!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """All rows; without any, nothing has a price."""

    rows: tuple[Price, ...] = ()

    def __post_init__(self) -> None:
        if len({row.currency for row in self.rows}) > 1:
            raise Malformed("the prices are in more than one currency")
        firsts = {(row.tier, row.meter, row.first) for row in self.rows}
        if len(firsts) != len(self.rows):
            raise Malformed("two prices apply from the same unit on")
        for row in self.rows:
            if (row.tier, row.meter, 0) not in firsts:
                raise Malformed(f"{row.tier} {row.meter} has no price from unit 0 on")

    @property
    def currency(self) -> str:
        """The currency; `XXX` (ISO 4217: none) without prices."""
        return self.rows[0].currency if self.rows else "XXX"

    def cost(self, tier: str, meter: str, units: int) -> Decimal | None:
        """Return what the first `units` of a month cost; None where there is no price."""
        steps = sorted(
            (row for row in self.rows if (row.tier, row.meter) == (tier, meter)), key=lambda row: row.first
        )
        if not steps:
            return None
        ends = [*(row.first for row in steps[1:]), None]
        total = Decimal(0)
        for row, end in zip(steps, ends, strict=True):
            last = units if end is None else min(units, end)
            total += row.price * max(0, last - row.first) / row.per
        return total


def read_prices(home: Path) -> PriceTable:
    """Return the table in an authority's directory; an empty one where there is none.

    Raises:
        Malformed: It cannot be understood; the message names the line.
    """
    path = home / FILE
    if not path.exists():
        return PriceTable()
    text = clean_text(read_limited(path, _MAX_BYTES), max_bytes=_MAX_BYTES)
    try:
        return PriceTable(rows=tuple(_rows(text)))
    except Malformed as error:
        raise Malformed(f"{path}: {error.message}", hint=f"its columns: {','.join(COLUMNS)}") from error


def write_template(home: Path) -> Path:
    """Write a table to be edited, unless there is one; returns its path.

    Raises:
        Unwritable: There is one already, or it cannot be written.
    """
    path = home / FILE
    if path.exists():
        raise Unwritable(f"there already is a table {path}", hint="edit it")
    try:
        write_atomic(path, _TEMPLATE.encode("utf-8"), mode=0o644)
    except OSError as error:
        raise Unwritable(f"cannot write {path}: {error.strerror}") from error
    return path


def _rows(text: str) -> Iterator[Price]:
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line and line[0] != "#"]
    if not lines or tuple(lines[0][1].split(",")) != COLUMNS:
        raise Malformed("the first line must name the columns")
    for number, line in lines[1:]:
        cells = next(csv.reader([line]))
        try:
            tier, meter, first, price, per, currency = (cell.strip() for cell in cells)
            yield Price(
                tier=tier,
                meter=meter,
                first=int(first),
                price=Decimal(price),
                per=int(per),
                currency=currency,
            )
        except (ValueError, InvalidOperation) as error:
            raise Malformed(f"line {number} is not a price: {line[:80]!r}") from error
        except Malformed as error:
            raise Malformed(f"line {number}: {error.message}") from error
