"""The desk's page as HTML: what it says of a site, and that nothing of it can become markup."""

import base64
import hashlib
import re
from typing import Any

from appliance.site.page import MOST_ROWS, notices, policy, render_page

METER = "CognitiveServices.TextAnalytics.TextRecords"


def replica(number: int, state: str = "Live", **changes: Any) -> dict[str, Any]:
    units = {METER: {"allowed": 300, "used": None, "counted": 100, "lost": 40 if state == "Lost" else 0}}
    return {
        "instance": f"{number:012x}",
        "state": state,
        "software": "0.1.0",
        "lease": "l",
        "leaseUntil": "2026-11-30T12:30:00Z",
        "since": "2026-11-30T10:00:00Z",
        "heard": "2026-11-30T12:00:05Z",
        "units": units,
        **changes,
    }


def status(*replicas: dict[str, Any], charged: int = 120, **license: Any) -> dict[str, Any]:
    return {
        "desk": "0123456789ab",
        "time": "2026-11-30T12:00:10Z",
        "license": {
            "id": "01X",
            "serial": 7,
            "customer": "A & B <b>",
            "product": "ner",
            "state": "Valid",
            "expires": "2027-11-30T00:00:00Z",
            "daysLeft": 365,
            "maxInstances": 10,
            "leaseSeconds": 3600,
            **license,
        },
        "plan": {
            "tier": "S0",
            "overage": "block",
            "from": "2026-11-30",
            "until": "2027-11-30",
            "meters": [
                {"name": METER, "included": 1000, "charged": charged, "lost": 40, "open": 200, "free": 680}
            ],
        },
        "live": sum(one["state"] == "Live" for one in replicas),
        "grantsFrom": None,
        "replicas": list(replicas),
    }


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]).split())


def test_it_says_who_is_there_with_which_version_what_is_left_and_what_was_lost() -> None:
    shown = words(render_page(status(replica(1), replica(2, "Lost"), replica(3, "Left"))))
    assert "Nothing: the site serves." in shown
    assert "Replicas: 1 of 10 hold a lease" in shown
    assert "000000000001 Live 0.1.0 2026-11-30 12:00 UTC 2026-11-30 12:30 UTC 300 100 0" in shown
    assert "120 of 1,000 TextRecords are charged (12 %), of them 40 lost with replicas" in shown
    assert "200 lie with replicas, 680 are free" in shown
    assert "2 of them; 40 units were lost with them" in shown


def test_each_notice_has_a_next_step() -> None:
    gone, cloned = replica(1, "Gone"), replica(2, "Cloned")
    other = replica(4, software="0.2.0")
    bad = status(gone, cloned, replica(3), other, charged=1000, state="Grace", maxInstances=2)
    found = notices({**bad, "grantsFrom": "2026-11-30T13:00:00Z"})
    assert len(found) == 7
    assert all(one.hint for one in found)
    said = "\n".join(f"{one.message} {one.hint}" for one in found)
    for part in (
        "its grace runs",
        "No units are granted before 2026-11-30 13:00 UTC",
        "1,000 of the 1,000 units of TextRecords until 2027-11-30 are charged (100 %); then requests",
        "All 2 places are taken",
        "Replica 000000000001 is gone, last heard 2026-11-30 12:00 UTC; it holds 200 units",
        "appliance site write-off 000000000002",
        "different versions: 0.1.0, 0.2.0",
    ):
        assert part in said, part
    for state, part in (
        ("Expired", "ended on 2027-11-30"),
        ("NotYetValid", "not begun"),
        ("Expiring", "365 days"),
    ):
        (one,) = notices(status(state=state))
        assert part in one.message
        assert one.hint


def test_nothing_that_a_licence_or_a_replica_says_becomes_markup() -> None:
    page = render_page(status(replica(1, software="<script>alert(1)</script>")))
    assert "<script" not in page
    assert "A &amp; B &lt;b&gt;" in page
    assert " style=" not in page.partition("</style>")[2]


def test_the_policy_lets_in_its_own_style_by_hash_and_nothing_else() -> None:
    style = render_page(status()).partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy()
    assert "unsafe" not in policy()
    assert "script-src" not in policy()
    assert "default-src 'none'" in policy()


def test_a_site_of_thousands_is_a_page_that_loads() -> None:
    for state in ("Live", "Gone"):
        page = render_page(status(*(replica(n, state) for n in range(5_000)), maxInstances=6_000))
        assert page.count("<tr>") == MOST_ROWS + 1
        assert "And 4,800 more:" in words(page)
        assert len(page) < 150_000
    assert "4,990 more replicas are gone or were copied" in words(page)
