"""What usage costs: tiers, included units, and the vendor's own table of prices."""

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from license.authority.billing.bill import charges
from license.authority.billing.prices import Price, PriceTable, read_prices, write_template
from license.authority.book.metering import LogUsage, MeterRepository
from license.authority.book.resource import make_plan
from license.authority.cli.bars import bars
from license.authority.cli.main import main
from license.encoding.strict import DAY, parse_date
from license.errors import Malformed, Unwritable
from license.evidence.log.entry import Tally
from tests.unit.license.authority.book.test_metering import origin_of, report, signed
from tests.unit.license.conftest import METER

PERIOD = (parse_date("2026-01-01"), parse_date("2027-01-01"))
TABLE = f"""\
# prices of this year
tier,meter,from,price,per,currency
S0,{METER},0,1.00,1000,EUR
S0,{METER},500000,0.75,1000,EUR
DC0,{METER},0,0.50,1000,EUR
"""


def table(home: Path, text: str = TABLE) -> PriceTable:
    (home / "prices.csv").write_text(text)
    return read_prices(home)


def used(days: dict[str, int], origin: str = "log/1") -> LogUsage:
    sums = {(date, METER): Tally(1, units, units) for date, units in days.items()}
    return LogUsage(origin=origin, source="connected", size=1, at=0, days=sums)


def test_units_cost_what_the_row_they_fall_under_says(tmp_path: Path) -> None:
    prices = table(tmp_path)
    assert prices.currency == "EUR"
    assert prices.cost("S0", METER, 0) == 0
    assert prices.cost("S0", METER, 1_000) == 1
    assert prices.cost("S0", METER, 500_000) == 500
    assert prices.cost("S0", METER, 600_000) == 575
    assert prices.cost("F0", METER, 600_000) is None


def test_without_a_table_nothing_has_a_price(tmp_path: Path) -> None:
    prices = read_prices(tmp_path)
    assert (prices.currency, prices.cost("S0", METER, 1)) == ("XXX", None)


def test_the_template_is_a_table_and_is_not_written_twice(tmp_path: Path) -> None:
    path = write_template(tmp_path)
    assert read_prices(tmp_path) == PriceTable()
    path.write_text(path.read_text().replace("# S0", "S0").replace("# DC0", "DC0"))
    assert len(read_prices(tmp_path).rows) == 3
    with pytest.raises(Unwritable):
        write_template(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tier,meter", "meter,tier"), "columns"),
        (("1.00", "one"), "line 3"),
        (("1.00", "-1"), "negative"),
        (("1.00", "NaN"), "negative"),
        (("S0,C", "S9,C"), "line 3"),
        (("1000,EUR\nDC0", "1000,USD\nDC0"), "currency"),
        (("500000", "0"), "same unit"),
        (("DC0", "F0"), ""),
        (("0,0.50", "5,0.50"), "no price from unit 0"),
    ],
)
def test_a_table_that_cannot_be_understood_says_where(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    text = TABLE.replace(*change, 1)
    if not said:
        assert table(tmp_path, text)
        return
    with pytest.raises(Malformed, match=said):
        table(tmp_path, text)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 120)), st.integers(0, 400_000), max_size=40
    ),
    st.sampled_from(["S0", "DC0"]),
    st.integers(0, 3_000_000),
)
def test_the_costs_of_days_add_up_to_what_the_month_costs(
    usage: dict[tuple[str, int], int], tier: str, included: int
) -> None:
    rows = [("S0", 0, "1.00"), ("S0", 500_000, "0.75"), ("DC0", 0, "0.5")]
    prices = PriceTable(
        rows=tuple(
            Price(tier=name, meter=METER, first=first, price=Decimal(price), per=1_000, currency="EUR")
            for name, first, price in rows
        )
    )
    plan = make_plan(tier=tier, product="ner", period=PERIOD, meters={METER: included} if included else {})
    logs: dict[str, dict[str, int]] = {"a": {}, "b": {}}
    for (log, day), units in usage.items():
        from license.encoding.strict import format_date

        logs[log][format_date(PERIOD[0] + day * 86_400)] = units
    made = charges([plan], prices, [used(days, log) for log, days in logs.items()])
    assert sum(charge.tally.billed for charge in made) == sum(usage.values())
    assert sum(charge.included for charge in made) == min(included, sum(usage.values()))
    months: defaultdict[str, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    for charge in made:
        assert charge.cost is not None
        assert charge.cost >= 0
        months[charge.date[:7]][0] += charge.tally.billed - charge.included
        months[charge.date[:7]][1] += charge.cost
    for units, cost in months.values():
        assert cost == prices.cost(tier, METER, units)


def test_free_units_come_anew_each_month() -> None:
    plan = make_plan(tier="F0", product="ner", period=PERIOD)
    made = charges([plan], PriceTable(), [used({"2026-03-01": 6_000, "2026-04-01": 100})])
    assert [charge.included for charge in made] == [5_000, 100]


def test_each_period_of_a_renewed_resource_is_charged_by_its_own_plan(tmp_path: Path) -> None:
    plans = [
        make_plan(tier="DC0", product="ner", period=days, meters={METER: included})
        for days, included in [(PERIOD, 5_000), ((PERIOD[1], PERIOD[1] + 31 * DAY), 2_000)]
    ]
    days = {"2026-12-30": 4_000, "2026-12-31": 3_000, "2027-01-01": 1_000, "2027-01-02": 2_000}
    made = charges(plans, table(tmp_path), [used(days)])
    assert [charge.included for charge in made] == [4_000, 1_000, 1_000, 1_000]
    assert [charge.cost for charge in made] == [0, Decimal(1), 0, Decimal("0.5")]


def test_bars_show_every_day_and_nothing_that_was_used_as_nothing() -> None:
    lines = bars({"2026-06-01": 1, "2026-06-03": 40_000}, width=10)
    assert lines == [
        "2026-06-01  ▏                1",
        "2026-06-02                   0",
        "2026-06-03  ██████████  40,000",
    ]
    assert len(bars({"2026-01-01": 1, "2026-06-03": 5})) == 31
    assert bars({}) == []


def run(vendor: Any, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--home", str(vendor.authority.home)])


@pytest.fixture
def sold(new_vendor: Any) -> Any:
    """A vendor whose one resource was used while connected."""
    vendor = new_vendor(tier="S0", meters={})
    resource = vendor.authority.store.find_by_key(vendor.key)
    vendor.authority.grant_lease(resource, vendor.request())
    book = MeterRepository(vendor.authority.store.engine)
    found = report(origin_of(vendor.machine), 0, 12, 4_500)
    book.accept("acme-ner", signed(vendor.machine, found), now=vendor.clock())
    (vendor.authority.home / "prices.csv").write_text(TABLE)
    return vendor


def test_the_command_shows_months_days_logs_and_cost(sold: Any) -> None:
    done = run(sold, "usage", "acme-ner")
    assert done.exit_code == 0, done.output
    assert "4.50 EUR" in done.stdout
    assert "2026-06-01  ████" in done.stdout
    assert origin_of(sold.machine) in done.stdout
    assert "connected" in done.stdout
    assert "no usage" in run(sold, "usage", "acme-ner", "--month", "2025-01").stdout


def test_the_table_of_costs_has_focus_columns_and_the_vendor_s_prices(sold: Any) -> None:
    done = run(sold, "usage", "acme-ner", "--csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["BilledCost"], row["BillingCurrency"]) == ("4.5", "EUR")
    assert (row["ConsumedQuantity"], row["PricingQuantity"]) == ("4500", "4500")
    assert row["BillingAccountName"] == "Acme Ltd"
    assert row["ChargePeriodStart"] == "2026-06-01T00:00:00Z"


def test_programs_get_json(sold: Any) -> None:
    said = json.loads(run(sold, "usage", "acme-ner", "--json").stdout)
    assert said["months"][0]["cost"] == "4.50"
    assert said["logs"][0]["entries"] == 12


def test_prices_are_shown_and_a_table_is_begun(sold: Any, tmp_path: Path) -> None:
    assert "1.00 EUR per 1,000" in run(sold, "prices").stdout
    (sold.authority.home / "prices.csv").unlink()
    assert "license prices --init" in run(sold, "prices").stderr
    assert run(sold, "prices", "--init").exit_code == 0
    assert (sold.authority.home / "prices.csv").exists()
    done = run(sold, "usage", "acme-ner")
    assert "no price" in done.stdout


def test_a_wrong_month_or_resource_is_refused(sold: Any) -> None:
    assert run(sold, "usage", "acme-ner", "--month", "11/2026").exit_code == 2
    assert run(sold, "usage", "nobody").exit_code == 1


def test_an_installation_that_never_reported_is_named(sold: Any) -> None:
    from license.crypto.ed25519 import SigningKey

    resource = sold.authority.store.get("acme-ner")
    silent = SigningKey.generate("offline-appliance/instance")
    sold.authority.grant_lease(resource, sold.request(machine=silent))
    assert origin_of(silent).split("/")[2] in run(sold, "usage", "acme-ner").stdout
