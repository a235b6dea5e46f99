"""Which licence is in force: renewals that wait, bad files that change nothing, starts after the end."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.config.identity import load_identity
from appliance.licensing.manager import LicenseManager
from license.authority.authority import Authority
from license.encoding.strict import DAY
from license.errors import Expired, Forged, NotYetValid
from license.licenses.license import License
from license.trust.roots import load_roots
from tests.support.site import Site

NOW = int(time.time())


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority.create(tmp_path_factory.mktemp("vendor") / "home") as authority:
        yield authority


@pytest.fixture
def site(tmp_path: Path, vendor: Authority) -> Site:
    return Site(tmp_path / "site", vendor)


def dates(first: int, last: int, grace: int = 30) -> dict[str, Any]:
    """Claims from one day to another, counted from now."""
    begin, end = NOW + first * DAY, NOW + last * DAY
    return {
        "not_before": begin,
        "expires": end,
        "terminates": end + grace * DAY,
        "report_by": end,
    }


class Clock:
    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self, _: License) -> int:
        return self.now


def keeper(site: Site, clock: Clock, **seen: Any) -> LicenseManager:
    return LicenseManager(
        site.license,
        roots=load_roots(site.vendor.roots_dir),
        product="ner",
        instance_vkey=load_identity(site.state).vkey,
        time_under=clock,
        **seen,
    )


def put(site: Site, name: str, changes: dict[str, Any]) -> License:
    issued = site.issue(into=site.home / name, changes=changes)
    for file in ("license", "issuer"):
        (site.home / name / f"{file}.note").rename(site.license / f"{name}-{file}.note")
    return issued


def accept_all(_: Any) -> None:
    pass


def test_a_renewal_waits_for_its_first_day_and_takes_over_by_itself(site: Site) -> None:
    present = put(site, "present", dates(0, 40))
    renewed = put(site, "renewed", dates(30, 400))
    clock = Clock()
    kept = keeper(site, clock)
    assert kept.current.license.id == present.id
    assert kept.pending is not None
    assert kept.pending.license.id == renewed.id
    clock.now = NOW + 30 * DAY - 301
    kept.reload(accept_all, time_under=clock)
    assert kept.current.license.id == present.id
    clock.now = NOW + 30 * DAY - 300
    accepted: list[str] = []
    kept.reload(lambda one: accepted.append(one.license.id), time_under=clock)
    assert accepted == [renewed.id] == [kept.current.license.id]
    assert kept.pending is None


def test_the_highest_serial_that_serves_wins_over_one_that_does_not(site: Site) -> None:
    longer = put(site, "longer", dates(0, 400))
    put(site, "shorter", dates(0, 10, grace=0))
    clock = Clock(NOW + 20 * DAY)
    assert keeper(site, clock).current.license.id == longer.id


def test_a_licence_once_in_force_is_not_followed_by_one_before_it(site: Site) -> None:
    put(site, "longer", dates(0, 400))
    shorter = put(site, "shorter", dates(0, 10, grace=0))
    clock = Clock()
    kept = keeper(site, clock)
    assert kept.current.license.id == shorter.id
    clock.now = NOW + 20 * DAY
    kept.reload(accept_all, time_under=clock)
    assert kept.current.license.id == shorter.id


def test_a_bad_file_changes_nothing_and_is_named_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.issue()
    clock = Clock()
    kept = keeper(site, clock)
    (site.license / "new.note").write_bytes(
        (site.license / "license.note").read_bytes().replace(b"Test customer", b"Best customer")
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            kept.reload(accept_all, time_under=clock)
    assert [(path.name, type(error)) for path, error in kept.refused] == [("new.note", Forged)]
    assert len([r for r in caplog.records if "new.note is refused and changes nothing" in r.message]) == 1
    (site.license / "new.note").unlink()
    kept.reload(accept_all, time_under=clock)
    assert kept.refused == ()


def test_an_empty_directory_leaves_the_licence_in_force(site: Site) -> None:
    site.issue()
    clock = Clock()
    kept = keeper(site, clock)
    before = kept.current.sha256
    for path in site.license.iterdir():
        path.unlink()
    kept.reload(accept_all, time_under=clock)
    assert kept.current.sha256 == before
    assert kept.problem is not None
    assert kept.problem.code == "LicenseNotFound"


def test_a_licence_that_expired_elsewhere_does_not_start_here(site: Site) -> None:
    put(site, "old", dates(0, 10, grace=0))
    clock = Clock(NOW + 20 * DAY)
    with pytest.raises(Expired):
        keeper(site, clock).require_startable(clock.now)


def test_a_service_that_ran_under_a_licence_starts_again_after_its_end(site: Site) -> None:
    old = put(site, "old", dates(0, 10, grace=0))
    clock = Clock(NOW + 20 * DAY)
    keeper(site, clock, min_serial=old.serial).require_startable(clock.now)


def test_a_first_licence_before_its_first_day_does_not_start(site: Site) -> None:
    put(site, "early", dates(5, 100))
    clock = Clock()
    with pytest.raises(NotYetValid):
        keeper(site, clock).require_startable(clock.now)


def test_each_announced_day_is_logged_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    put(site, "present", {**dates(0, 100), "report_by": NOW + 110 * DAY})
    kept = keeper(site, Clock())
    with caplog.at_level(logging.WARNING):
        for hours in range(0, 100 * 24, 6):
            for notice in kept.notices(NOW + hours * 3600):
                if notice.code == "Expiring":
                    kept.announce(notice)
    days = [int(r.message.split("in ")[1].split()[0]) for r in caplog.records]
    assert days == [90, 60, 30, 14, 7, 6, 5, 4, 3, 2, 1]


def test_with_the_renewal_in_place_its_end_is_no_news(site: Site) -> None:
    put(site, "present", dates(0, 20))
    put(site, "renewed", dates(20, 400))
    kept = keeper(site, Clock())
    assert [notice.code for notice in kept.notices(NOW + 19 * DAY)] == ["ReportDue"]


def test_the_licence_of_a_renewed_resource_waits_for_its_period(site: Site) -> None:
    bought = site.buy()
    first = site.issue(bought=bought)
    renewed = site.issue(bought=site.vendor.renew_resource(bought.name), into=site.license / "..")
    assert (renewed.not_before, renewed.plan.period[0]) == (first.expires, first.expires)
    for name in ("license", "issuer"):
        (site.license / ".." / f"{name}.note").rename(site.license / f"renewed-{name}.note")
    clock = Clock(first.expires - DAY)
    kept = keeper(site, clock)
    assert kept.current.license.id == first.id
    assert kept.pending is not None
    assert kept.pending.license.id == renewed.id
    clock.now = renewed.not_before
    kept.reload(accept_all, time_under=clock)
    assert kept.current.license.id == renewed.id
