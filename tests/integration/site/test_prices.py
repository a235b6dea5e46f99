"""What a site costs at its vendor: as much as one machine that used the same, whoever of its replicas did."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from appliance.ledger.transfer.export_file import export_usage
from license.authority.cli.main import main
from license.authority.ingest import ingest_bundle
from tests.support.replicas import METER, RULES, InProcessSite

PRICES = f"""\
tier,meter,from,price,per,currency
DC0,{METER},0,10.00,10,EUR
DC0,{METER},20,5.00,10,EUR
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[InProcessSite]:
    made = InProcessSite(tmp_path)
    (made.authority.home / "prices.csv").write_text(PRICES)
    yield made
    made.close()


def bill(site: InProcessSite) -> dict[str, Any]:
    """What `license usage` says once the export of the site is taken in."""
    out = site.home / "site.zip"
    with export_usage(site.place.output, site.place.state, out=out, full=True, note=None):
        pass
    assert ingest_bundle(site.authority, out).accepted
    done = CliRunner().invoke(main, ["usage", "acme", "--json", "--home", str(site.authority.home)])
    assert done.exit_code == 0, done.output
    (month,) = json.loads(done.stdout)["months"]
    return dict(month)


def test_a_site_pays_for_what_all_its_replicas_use_beyond_the_plan_by_the_same_price_list(
    site: InProcessSite,
) -> None:
    site.license(30, overage="record")
    with site.open():
        for units in (25, 20, 15):
            member = site.member().start()
            assert member.use_all(most=units) == units
            member.stop()
    month = bill(site)
    assert month["billed"] == 60
    # 30 units beyond the plan: 20 at 1.00 and 10 at 0.50, as for one machine
    assert month["cost"] == "25.00"


def test_what_was_lost_is_billed_with_the_units_of_its_slice(site: InProcessSite) -> None:
    site.license(100)
    with site.open() as desk:
        member = site.member().start()
        member.use_all(most=4)
        member.kill()
        site.time.pass_time(RULES.heartbeat_s)
        assert desk.write_off(member.of)
        charged = site.charged
    month = bill(site)
    assert charged > 4
    assert (month["billed"], month["cost"]) == (charged, "0.00")
