"""A small set is shown more often, so that there are steps enough to learn in."""

import pytest

from appliance.speech.training.tuning import Tuning


@pytest.mark.parametrize(("recordings", "epochs"), [(20, 20), (160, 16), (758, 4), (100_000, 4)])
def test_epochs_make_up_for_few_recordings(recordings: int, epochs: int) -> None:
    assert Tuning().most_epochs(recordings) == epochs
