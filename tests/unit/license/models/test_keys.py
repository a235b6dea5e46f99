from dataclasses import replace
from typing import Any

import pytest

from license.crypto import age
from license.crypto.hpke import HpkeKey
from license.errors import Malformed, NoModelKey, WrongMachine
from license.licenses.license import License
from license.licenses.terms import InstanceBinding, ModelKey
from license.models.keys import bind_identity, identity_for

LINE = age.new_identity()
MACHINE = HpkeKey.generate()


@pytest.fixture
def bound(issued: Any) -> License:
    """A licence bound to one machine, with the keys of two lines."""
    licence = issued[0].license
    keys = (
        bind_identity(LINE, train="ner-en/3", license_id=licence.id, to=MACHINE.public),
        bind_identity(age.new_identity(), train="ner-de/1", license_id=licence.id, to=MACHINE.public),
    )
    found: License = replace(licence, models=keys)
    return found


@pytest.fixture
def bearer(issued: Any) -> License:
    licence = issued[0].license
    key = bind_identity(LINE, train="ner-en/3", license_id=licence.id, to=None)
    found: License = replace(licence, models=(key,), instance=InstanceBinding(binding="any"))
    return found


def test_a_bound_licence_gives_its_machine_the_identity(bound: License) -> None:
    assert identity_for(bound, "ner-en/3", MACHINE) == LINE
    assert LINE.encode() not in bound.models[0].key


def test_a_bearer_licence_gives_it_to_anybody(bearer: License) -> None:
    assert identity_for(bearer, "ner-en/3", None) == LINE
    assert identity_for(bearer, "ner-en/3", MACHINE) == LINE


def test_a_licence_carried_to_another_machine_opens_nothing(bound: License) -> None:
    with pytest.raises(WrongMachine, match=f"ner-en/3 in licence {bound.id}"):
        identity_for(bound, "ner-en/3", HpkeKey.generate())


def test_a_wrapped_key_moved_to_another_licence_or_line_opens_nothing(bound: License) -> None:
    with pytest.raises(WrongMachine):
        identity_for(replace(bound, id="01KDVYAAYHBA6CS5PEC4B9YYXX"), "ner-en/3", MACHINE)
    moved = replace(bound, models=(replace(bound.models[0], train="ner-de/1"),))
    with pytest.raises(WrongMachine):
        identity_for(moved, "ner-de/1", MACHINE)


def test_a_new_line_says_which_line_which_licence_and_what_to_do(bound: License) -> None:
    with pytest.raises(NoModelKey) as caught:
        identity_for(bound, "ner-en/4", MACHINE)
    assert caught.value.message == (
        f"licence {bound.id} (serial {bound.serial}) does not open the model line ner-en/4; "
        "it opens ner-en/3, ner-de/1"
    )
    assert "request and install a new licence" in caught.value.hint
    with pytest.raises(NoModelKey, match="opens no model line"):
        identity_for(replace(bound, models=()), "ner-en/4", MACHINE)


def test_a_machine_that_lost_its_key_is_told_so(bound: License) -> None:
    with pytest.raises(NoModelKey, match="has no key to unwrap it with"):
        identity_for(bound, "ner-en/3", None)


@pytest.mark.parametrize("key", [b"x", b"\xff", LINE[:-1].encode()], ids=["text", "byte", "cut"])
def test_what_is_no_identity_is_refused_and_not_quoted(bearer: License, key: bytes) -> None:
    wrong = replace(bearer, models=(ModelKey(train="ner-en/3", enc="plain", key=key),))
    with pytest.raises(Malformed, match="something else than a key") as caught:
        identity_for(wrong, "ner-en/3", None)
    assert LINE[20:40] not in caught.value.message
