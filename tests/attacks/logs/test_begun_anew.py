"""Before the first export the log is thrown away, and another one is begun under its name."""

import shutil

import pytest

from license.crypto.ed25519 import SigningKey
from tests.support.customer import Customer
from tests.support.evidence import codes, record, run_days
from tests.support.ledger import DAY, Machine

# What is thrown away beside the directory of the log, and what then tells.
KEPT = {
    "all": (),
    "the last head": ("day-*.key", "usage-*"),
    "the key of the day": ("head", "usage-*"),
    "the count": ("head", "day-*.key"),
}
EVERY_TRACE = ("head", "day-*.key", "usage-*")


def use_and_throw_away(machine: Machine, *patterns: str) -> None:
    ledger = machine.open()
    record(ledger, *range(20))
    ledger.close()
    shutil.rmtree(machine.output)
    machine.output.mkdir()
    for pattern in patterns:
        for path in machine.state.glob(pattern):
            path.unlink()


@pytest.mark.parametrize("patterns", KEPT.values(), ids=KEPT)
def test_what_is_left_in_the_state_directory_tells_that_a_log_is_missing(
    customer: Customer, patterns: tuple[str, ...]
) -> None:
    use_and_throw_away(customer.machine, *patterns)
    run_days(customer.machine, 1, first=3)
    report = customer.ingest().report
    assert {"missing-log", "recovered"} <= codes(report)
    assert "missing-log" in codes(report, 2)


def test_a_log_begun_anew_days_after_the_licence_is_found_by_the_vendor(customer: Customer) -> None:
    machine = customer.machine
    use_and_throw_away(machine, *EVERY_TRACE)
    machine.pass_time(2 * DAY)
    run_days(machine, 2, first=3)
    done = customer.ingest()
    assert codes(done.report) == {"begins-late"}
    (found,) = [finding for finding in done.report.findings if finding.code == "begins-late"]
    assert "the log begins 2 days after its licence" in found.message
    run_days(machine, 1, first=5)
    assert "begins-late" not in codes(customer.ingest().report)  # said once, and accepted


def test_on_the_day_of_the_licence_only_what_others_kept_tells(customer: Customer) -> None:
    """The limit of it: the tail of today, here the whole log, is protected by what others kept of it."""
    use_and_throw_away(customer.machine, *EVERY_TRACE)
    run_days(customer.machine, 1, first=3)
    assert codes(customer.ingest().report) == set()


def test_a_bearer_licence_that_counts_anew_days_later_is_found_by_the_vendor(customer: Customer) -> None:
    machine = customer.machine
    machine.licensed = customer.license(binding="any")
    use_and_throw_away(machine, *EVERY_TRACE)
    machine.pass_time(3 * DAY)
    machine.identity = SigningKey.generate("offline-appliance/instance")
    run_days(machine, 1)
    (found,) = [finding for finding in customer.ingest().report.findings if finding.code == "begins-late"]
    assert "the log begins 3 days after its licence" in found.message
