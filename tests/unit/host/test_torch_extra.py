"""What needs torch is refused without it, with the command that installs it."""

import pytest

from appliance.errors import MissingExtra
from appliance.host.torch_extra import has_torch, quick_bfloat16, require_torch


def test_where_torch_is_missing_the_refusal_names_what_wants_it_and_how_to_get_it() -> None:
    if has_torch():
        require_torch("this")
        return
    with pytest.raises(MissingExtra, match="this needs torch, which is not installed here") as caught:
        require_torch("this", instead=", or do without")
    assert caught.value.hint.startswith("pip install 'offline-appliance[train]'")
    assert caught.value.hint.endswith(", or do without")


def test_a_torch_that_cannot_tell_is_taken_for_one_without_quick_16_bits() -> None:
    assert quick_bfloat16(object()) is False
