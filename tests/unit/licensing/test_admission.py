import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.errors import LicenseRefusal
from appliance.licensing.admission import AdmissionControl
from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import DAY
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.validity import State
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import load_roots

METER = "CognitiveServices.Ner.Container.TextRecords"
NOW = int(time.time())


class Kept:
    def __init__(self, licensed: AuthenticLicense) -> None:
        self.current = licensed


@pytest.fixture
def issued(tmp_path: Path) -> Iterator[Callable[..., AuthenticLicense]]:
    with Authority.create(tmp_path / "vendor", clock=lambda: NOW) as vendor:

        def make(*, overage: str = "record", units: int = 100) -> AuthenticLicense:
            key = SigningKey.generate("machine")
            request = LicenseRequest(instance=key.verifying.vkey, product="ner", software="test", created=NOW)
            created = vendor.create_resource(customer="C", meters={METER: units}, overage=overage)
            terms = Terms(days=100, grace_days=10, report_days=100)
            note = vendor.issue(created.resource, sign_request(request, key), terms=terms)
            return open_license(note.note, note.issuer_note, roots=load_roots(vendor.roots_dir))

        yield make


def gate(licensed: AuthenticLicense, *, at: int = NOW, used: int = 0) -> AdmissionControl:
    return AdmissionControl(manager=Kept(licensed), now=lambda: at, used=lambda *_: used, meter=METER)


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (-1, State.NOT_YET_VALID),
        (0, State.VALID),
        (99, State.EXPIRING),
        (101, State.GRACE),
        (111, State.EXPIRED),
    ],
)
def test_the_state_is_computed_at_the_instant_of_use(
    issued: Callable[..., AuthenticLicense], days: int, state: State
) -> None:
    opened = gate(issued(), at=NOW + days * DAY)
    assert opened.state() is state
    if state.serves:
        assert opened.admit(1).grace is (state is State.GRACE)
    else:
        with pytest.raises(LicenseRefusal) as caught:
            opened.admit(1)
        assert caught.value.code == state


def test_a_licence_in_grace_warns_the_caller_in_a_header_safe_sentence(
    issued: Callable[..., AuthenticLicense],
) -> None:
    warning = gate(issued(), at=NOW + 101 * DAY).admit(1).warning
    assert "expired" in warning
    assert warning.isascii()
    assert '"' not in warning


def test_a_plan_that_blocks_refuses_beyond_its_units_and_counts_what_is_in_flight(
    issued: Callable[..., AuthenticLicense],
) -> None:
    opened = gate(issued(overage="block", units=10), used=4)
    with opened.admit(5):
        with pytest.raises(LicenseRefusal) as caught:
            opened.admit(2)
        assert caught.value.code == "OutOfQuota"
        opened.admit(1)
    opened.admit(1)
    with pytest.raises(LicenseRefusal):
        opened.admit(2)


def test_what_was_not_recorded_is_given_back(issued: Callable[..., AuthenticLicense]) -> None:
    opened = gate(issued(overage="block", units=10))
    with pytest.raises(RuntimeError), opened.admit(10):
        raise RuntimeError("the model failed")
    opened.admit(10)


def test_a_plan_that_records_admits_beyond_its_units(issued: Callable[..., AuthenticLicense]) -> None:
    gate(issued(overage="record", units=10), used=1_000).admit(5)


def test_a_new_licence_is_counted_from_the_ledger_anew(issued: Callable[..., AuthenticLicense]) -> None:
    kept = Kept(issued(overage="block", units=10))
    opened = AdmissionControl(manager=kept, now=lambda: NOW, used=lambda *_: 0, meter=METER)
    with opened.admit(10):
        pass
    kept.current = issued(overage="block", units=10)
    opened.admit(10)
