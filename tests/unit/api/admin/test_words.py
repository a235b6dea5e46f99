"""Licences in sentences: each state says what ends when, and what comes after."""

from dataclasses import replace
from typing import Any

import pytest

from appliance.api.admin.words import (
    license_changes,
    license_sentences,
    no_plan_sentence,
    plan_sentence,
    report_sentence,
)
from appliance.licensing.quota import PlanUse
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import DAY, parse_time
from license.licenses.license import License
from license.licenses.terms import Plan
from tests.support.ledger import Vendor

METER = "CognitiveServices.Ner.Container.TextRecords"
BEGINS, ENDS, STOPS = map(
    parse_time, ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-31T00:00:00Z")
)


@pytest.fixture(scope="module")
def license(tmp_path_factory: pytest.TempPathFactory) -> License:
    made = (
        Vendor(tmp_path_factory.mktemp("roots"))
        .license(SigningKey.generate("test/instance").verifying.vkey)
        .license
    )
    return replace(made, not_before=BEGINS, expires=ENDS, terminates=STOPS, report_by=ENDS + 5 * DAY)


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (BEGINS - 10 * DAY, "The licence begins on 1 Jan 2026; nothing is answered before."),
        (ENDS - 200 * DAY, "The licence ends on 1 Jan 2027, in 200 days."),
        (ENDS - DAY, "The licence ends on 1 Jan 2027, in 1 day."),
        (ENDS, "The licence ended on 1 Jan 2027. Requests are still answered for 30 days."),
        (STOPS, "The licence ended on 1 Jan 2027, and its grace on 31 Jan 2027: requests are refused."),
    ],
)
def test_each_state_is_said_with_its_dates(license: License, now: int, first: str) -> None:
    sentences = license_sentences(license, now)
    assert sentences[0].startswith(first)
    assert all(sentence.endswith(".") for sentence in sentences)
    assert any("installing a licence keep" in sentence for sentence in sentences)


def test_a_report_is_asked_for_before_its_day_and_after_it(license: License) -> None:
    assert report_sentence(license, ENDS).endswith("due on 6 Jan 2027, in 5 days.")
    assert report_sentence(license, ENDS + 6 * DAY).startswith("A usage report was due on 6 Jan 2027.")


@pytest.mark.parametrize(
    ("blocks", "after"), [(True, "then requests are refused."), (False, "what is beyond is settled later.")]
)
def test_a_plan_says_how_much_is_used_and_what_comes_after(blocks: bool, after: str) -> None:
    use = PlanUse(meter=METER, included=1_200, used=300, start=BEGINS, end=ENDS, blocks=blocks)
    assert plan_sentence(use) == f"300 of 1,200 TextRecords are used (25 %), until 1 Jan 2027; {after}"


def test_a_plan_without_units_says_so(license: License) -> None:
    assert no_plan_sentence(license.plan) == ""
    assert "counted and settled later" in no_plan_sentence(Plan(tier="S0", period=(BEGINS, ENDS), meters=()))


def changed(one: License, **fields: Any) -> dict[str, tuple[str, str]]:
    rows = license_changes(one, replace(one, **fields))
    return {row["what"]: (row["now"], row["then"]) for row in rows if row["changed"]}


def test_only_what_differs_is_a_change(license: License) -> None:
    assert changed(license) == {}
    assert changed(license, expires=ENDS + DAY) == {"ends": ("1 Jan 2027", "2 Jan 2027")}
    plan = replace(license.plan, meters=((METER, 7_000),), overage="block")
    rows = changed(license, plan=plan)
    assert rows["included units"][1] == "7,000 TextRecords"
    assert rows["beyond them"] == ("counted, settled later", "requests are refused")
