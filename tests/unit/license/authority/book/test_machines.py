"""The limit on the machines of a resource, however they ask."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from license.authority.book.resource import warnings_of
from license.authority.book.store import Store
from license.authority.http.app import make_app
from license.crypto.ed25519 import SigningKey
from license.errors import AuthorityError, Malformed
from tests.unit.license.authority.http.test_app import ask, check_error, key


def machine() -> SigningKey:
    return SigningKey.generate("offline-appliance/instance")


@pytest.fixture
def limited(new_vendor: Callable[..., Any]) -> Any:
    """A vendor whose resource may have two machines, one of which is there."""
    vendor = new_vendor(max_instances=2)
    vendor.issue()
    return vendor


def refusal(vendor: Any, asking: SigningKey, **terms: Any) -> AuthorityError:
    with pytest.raises(AuthorityError) as caught:
        vendor.issue(vendor.request(machine=asking), **terms)
    assert caught.value.status == "ContainerUseUnauthorized"
    return caught.value


def test_one_machine_too_many_is_refused_and_those_there_are_named(limited: Any) -> None:
    second = machine()
    limited.issue(limited.request(machine=second))
    refused = refusal(limited, machine())
    assert refused.code == "TooManyMachines"
    assert limited.machine.verifying.fingerprint in refused.message
    assert second.verifying.fingerprint in refused.message
    assert "license resource limit acme-ner 3" in refused.hint
    for known in (limited.machine, second):
        assert limited.issue(limited.request(machine=known)), "a renewal is none too many"
    assert len(limited.authority.store.notes("acme-ner")) == 4


def test_leases_and_licences_are_of_the_same_machines(limited: Any) -> None:
    resource = limited.authority.store.get("acme-ner")
    connected = machine()
    limited.authority.grant_lease(resource, limited.request(machine=connected))
    assert refusal(limited, machine()).code == "TooManyMachines"
    with pytest.raises(AuthorityError) as caught:
        limited.authority.grant_lease(resource, limited.request(machine=machine()))
    assert caught.value.code == "TooManyMachines"
    assert limited.issue(limited.request(machine=connected))
    assert limited.authority.grant_lease(resource, limited.request())


def test_over_http_it_is_a_403_that_says_why(limited: Any, serve: Callable[..., Any]) -> None:
    limited.authority.limit("acme-ner", 1)
    with serve(make_app(limited.authority)) as url:
        for path in ("/v1/licenses", "/v1/connected"):
            body = limited.request(machine=machine())
            status, reply, _ = ask(url, "POST", path, key(limited.key), body)
            assert (status, check_error(reply, "ContainerUseUnauthorized")) == (403, "TooManyMachines")
            assert ask(url, "POST", path, key(limited.key), limited.request())[0] == 200


def test_machines_that_ask_at_once_do_not_pass_together(limited: Any) -> None:
    def get(_: int) -> bool:
        try:
            limited.issue(limited.request(machine=machine()))
        except AuthorityError as error:
            assert error.code == "TooManyMachines"
            return False
        return True

    with ThreadPoolExecutor(6) as callers:
        assert sum(callers.map(get, range(6))) == 1
    assert len(limited.authority.store.machines("acme-ner")) == 2


def test_the_limit_can_be_moved_and_lifted_and_is_in_the_history(limited: Any) -> None:
    assert limited.authority.limit("acme-ner", 1).max_instances == 1
    assert refusal(limited, machine())
    assert limited.authority.limit("acme-ner", None).max_instances is None
    assert limited.issue(limited.request(machine=machine()))
    words = [change.what for change in limited.authority.store.history("acme-ner")]
    assert words[1:] == ["limited to one machine", "any number of machines"]
    with pytest.raises(AuthorityError, match="no resource"):
        limited.authority.limit("nobody", 1)


def test_a_licence_may_have_a_limit_of_its_own_and_the_lower_one_holds(limited: Any) -> None:
    assert refusal(limited, machine(), max_instances=1).code == "TooManyMachines"
    limited.issue(limited.request(machine=machine()), max_instances=9)
    assert refusal(limited, machine(), max_instances=9).code == "TooManyMachines"


def test_a_bearer_licence_and_a_limit_exclude_each_other(
    limited: Any, new_vendor: Callable[..., Any]
) -> None:
    assert refusal(limited, machine(), binding="any").code == "BearerWithLimit"
    with pytest.raises(Malformed, match="bearer licences run on any number"):
        limited.authority.create_resource("b", customer="B", binding="any", max_instances=1)
    with pytest.raises(Malformed, match="bearer licences run on any number"):
        new_vendor(binding="any").authority.limit("acme-ner", 1)


@pytest.mark.parametrize("number", [0, -1, 1_000_001])
def test_a_limit_is_a_number_of_machines(vendor: Any, number: int) -> None:
    with pytest.raises(Malformed, match="1 to 1,000,000 machines"):
        vendor.authority.limit("acme-ner", number)


def test_a_book_from_before_has_no_limits(limited: Any) -> None:
    engine = limited.authority.store.engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE machine_limit")
    again = Store(limited.authority.home / "authority.db")
    assert again.get("acme-ner").max_instances is None
    again.close()


def test_the_vendor_is_warned_where_a_plan_that_blocks_is_no_limit_in_all(
    new_vendor: Callable[..., Any],
) -> None:
    def warned(**choices: Any) -> str:
        return " ".join(warnings_of(new_vendor(**choices).authority.store.get("acme-ner")))

    free: dict[str, Any] = {"tier": "F0", "meters": None}
    assert "license resource limit acme-ner 1" in warned(**free)
    assert warned(**free, max_instances=1) == ""
    assert "a bearer licence counts anew" in warned(**free, binding="any")
    assert "a bearer licence counts anew" in warned(overage="block", binding="any")
    assert warned(overage="block") == ""
    assert "license resource add-units acme-ner METER=UNITS" in warned(overage="block", meters={})
    assert warned(binding="any") == ""
    resource = new_vendor(overage="block").authority.store.get("acme-ner")
    assert "a bearer licence counts anew" in " ".join(warnings_of(resource, "any"))
