"""Entries are set to zero before midnight and put back after it: the sums signed between would be too low."""

import contextlib
import sqlite3

import pytest

from appliance.ledger.read.reports import usage_by_day
from license.evidence.log.entry import Tally
from tests.support.customer import Customer
from tests.support.evidence import METER, codes, record
from tests.support.ledger import DAY, Machine

USES, ZEROED = 700, 253
ZERO = 'UPDATE entry SET text = replace(text, \'"q":2,"b":2\', \'"q":0,"b":0\') WHERE n >= ? AND n < ?'
BACK = 'UPDATE entry SET text = replace(text, \'"q":0,"b":0\', \'"q":2,"b":2\') WHERE n >= ? AND n < ?'


@pytest.fixture
def busy(customer: Customer) -> Machine:
    """A machine that was used 700 times today, and stopped."""
    ledger = customer.machine.open()
    record(ledger, *range(USES))
    ledger.close()
    return customer.machine


@pytest.mark.parametrize("first", [3, 300, USES - ZEROED])
def test_a_start_adds_nothing_up_that_is_not_what_was_hashed(busy: Machine, first: int) -> None:
    """Wherever the entries lie: under an old tile, the last one, or behind it."""
    busy.sql(ZERO, first, first + ZEROED)
    ledger = busy.open()
    assert ledger.origin.endswith("/2")
    ledger.close()


def test_no_day_is_signed_with_sums_of_entries_that_were_zeroed(busy: Machine, customer: Customer) -> None:
    busy.sql(ZERO, 3, 3 + ZEROED)
    busy.open().close()
    busy.pass_time(DAY)
    busy.open().close()
    with contextlib.closing(sqlite3.connect(busy.directory / "damaged-1.db", isolation_level=None)) as back:
        back.execute(BACK, (3, 3 + ZEROED))
    days = [usage for usage in usage_by_day(busy.output) if usage.sums]
    assert [usage.sums[METER] for usage in days] == [Tally(USES, 2 * USES, 2 * USES)]
    done = customer.ingest()
    assert "recovered" in codes(done.report)
    assert done.report.totals == {("2026-09", METER): Tally(USES, 2 * USES, 2 * USES)}


def test_a_sum_that_was_edited_is_not_gone_on_with(busy: Machine) -> None:
    """Here a licence entry with a lower serial: it is taken over, and so hashed again too."""
    busy.sql("UPDATE entry SET text = replace(text, '\"s\":1', '\"s\":0') WHERE kind = 'lic'")
    ledger = busy.open()
    assert ledger.origin.endswith("/2")
    ledger.close()


def test_a_tile_above_changed_entries_cannot_be_made_to_fit(busy: Machine) -> None:
    """Leaves and tile made anew fit the texts, but not the head that was signed."""
    from license.evidence.log.merkle import fold, leaf_hash

    busy.sql(ZERO, 3, 3 + ZEROED)
    leaves = [leaf_hash(text.encode()) for text in busy.texts()]
    for n, leaf in enumerate(leaves[:256]):
        busy.sql("UPDATE entry SET leaf = ? WHERE n = ?", leaf, n)
    busy.sql("UPDATE tile SET root = ? WHERE level = 1 AND idx = 0", fold(leaves[:256]))
    ledger = busy.open()
    assert ledger.origin.endswith("/2")
    ledger.close()
