"""A week of effective time in seconds: when attempts are made, when queries stop, and when they resume."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import NotMetered
from license.authority.book.metering import MeterRepository
from license.client.metering import MeteringClient
from license.encoding.strict import format_time
from license.errors import CouldNotConnect
from license.licenses.verify import AuthenticLicense, open_license
from license.metering_protocol import Acknowledgement, SignedReport, open_report
from tests.integration.connected.conftest import DAY, NOON, Machine, Vendor

HOUR = 3_600
INTERVAL = 900
TIMEOUT = 30
# From and up to, in seconds since the start, and whether an attempt meanwhile hangs or is refused at once.
OUTAGES = [
    (DAY, DAY + HOUR, False),
    (2 * DAY + 100, 2 * DAY + 7 * HOUR, True),
    (4 * DAY + 77, 6 * DAY + 5 * HOUR + 1, False),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable(MeteringClient):
    """The way to an authority in the same process; it can be cut."""

    vendor: Vendor

    def _cross(self) -> None:
        since = self.vendor.time.now - NOON
        for start, end, hangs in OUTAGES:
            if start <= since < end:
                if hangs:
                    self.vendor.time.pass_time(TIMEOUT)
                raise CouldNotConnect("the cable is cut")

    def lease(self, request_note: bytes, **expected: Any) -> AuthenticLicense:
        self._cross()
        granted = self.vendor.authority.grant_lease(self.vendor.created.resource, request_note)
        expected.pop("now")
        return open_license(granted.note, granted.issuer_note, **expected)

    def report(self, signed: SignedReport, *, now: int) -> Acknowledgement:
        self._cross()
        book = MeterRepository(self.vendor.authority.store.engine)
        counted = book.accept("acme", open_report(signed.note), now=now)
        return Acknowledgement(status="Valid", log=signed.report.log, next=counted)

    def check(self, log: str, *, now: int) -> Acknowledgement:
        self._cross()
        counted = MeterRepository(self.vendor.authority.store.engine).position("acme", log)
        return Acknowledgement(status="Valid", log=log, next=counted)


class Week:
    """Moves time from attempt to attempt and notes each second at which answering changes."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.attempts: list[int] = []
        self.answering = True
        self.changes: list[tuple[int, bool]] = []
        self.shown = 0

    @property
    def now(self) -> int:
        return self.machine.time.now

    def answers(self) -> bool:
        try:
            self.machine.reporter.check(self.now)
        except NotMetered as error:
            assert error.code == "CouldNotConnect"
            assert "could not be reported since" in error.message
            return False
        return True

    def note(self) -> None:
        if self.answers() != self.answering:
            self.answering = not self.answering
            self.changes.append((self.now - NOON, self.answering))

    def step(self) -> None:
        """Go to the next instant at which something can change, and let it."""
        reporter = self.machine.reporter
        due, last = reporter.endpoint_state.next_at, reporter.answers_until()
        assert last is not None
        # What /status shows is kept: every change to silence is one second after it.
        self.shown = last
        if self.answering and last + 1 <= due:
            self.machine.time.pass_time(last + 1 - self.now)
            self.note()
            return
        self.machine.time.pass_time(max(0, due - self.now))
        self.note()
        self.attempts.append(self.now - NOON)
        reporter.attempt()
        self.note()


def test_a_week_of_outages_stops_and_resumes_at_the_right_seconds(
    new_vendor: Callable[..., Vendor], tmp_path: Path
) -> None:
    vendor = new_vendor(period=("2026-01-01", "2028-01-01"))
    cable = Cable(billing="http://x", api_key=vendor.key, timeout_s=TIMEOUT, vendor=vendor)
    machine = Machine(tmp_path / "machine", vendor.authority.roots_dir, cable, vendor.time, interval=INTERVAL)
    machine.open()
    week = Week(machine)
    leases = {machine.manager.current.license.id}
    while week.now < NOON + 7 * DAY:
        week.step()
        if week.answering and len(week.attempts) % 16 == 0:
            machine.use(1, 2)
        leases.add(machine.manager.current.license.id)
    machine.reporter.attempt()
    assert vendor.metered() == machine.recorded()
    assert sum(tally.entries for tally in vendor.metered().values()) > 50
    # The first outage is shorter than ten attempts and stops nothing. The others stop answers a second after
    # the tenth attempt could have ended, and the first attempt after them resumes.
    expected = []
    for start, end, _ in OUTAGES[1:]:
        before = max(at for at in week.attempts if at < start)
        after = min(at for at in week.attempts if at >= end)
        expected += [(before + 10 * INTERVAL + TIMEOUT + 1, False), (after, True)]
        assert after - end <= INTERVAL
    assert week.changes == expected
    # One attempt an interval, outages or not: nobody hammers the endpoint, nobody forgets it.
    gaps = {later - earlier for earlier, later in zip(week.attempts, week.attempts[1:], strict=False)}
    assert gaps == {INTERVAL}
    # A lease a day where one could be had: at the start, after each outage, and on the third day.
    assert len(leases) == 5, sorted(leases)
    assert machine.reporter.report()["answersUntil"] == format_time(machine.reporter.answers_until() or 0)
    machine.close()
