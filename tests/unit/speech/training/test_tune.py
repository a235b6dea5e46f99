"""Learning lowers the loss, keeps the weights that did best, and ends in time."""

import numpy as np
import pytest

from appliance.speech.dataset.recordings import open_recordings
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.training.examples import Example, read_examples
from appliance.speech.training.tuning import Tuning
from appliance.speech.whisper.tokens import WhisperTokens
from tests.support.tiny_custom import tiny_weights, write_recordings, write_tiny_folder
from tests.support.tiny_whisper import LAYERS

torch = pytest.importorskip("torch", reason="needs the extra train")

from appliance.speech.training.torch_whisper import TorchWhisper, learnt_names  # noqa: E402
from appliance.speech.training.tune import loss_on, tune  # noqa: E402

QUICK = Tuning(rate=1e-2, epochs=(4, 4), batch=8, mask_frames=8, mask_bands=1)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    place = tmp_path_factory.mktemp("tune")
    config = SpeechFolder.open(write_tiny_folder(place / "tiny")).whisper
    assert config is not None
    with open_recordings(write_recordings(place / "set", count=32)) as listed:
        return read_examples(listed, listed.recordings, WhisperTokens(config), "en", told=lambda *_: None)[0]


def network() -> TorchWhisper:
    weights = tiny_weights()
    learns = learnt_names(weights.names(), layer=0, layers=LAYERS)
    return TorchWhisper(weights, bits=7, learns=learns.__contains__)


def test_the_loss_on_others_falls_and_the_best_weights_are_kept(examples: list[Example]) -> None:
    learning = network()
    heard: list[float] = []
    course = tune(
        learning,
        examples[:24],
        examples[24:],
        QUICK,
        seconds=60,
        told=lambda step, share: heard.append(share),
    )
    assert course.best > 0
    assert min(course.losses) < 0.8 * course.losses[0]
    assert loss_on(learning, examples[24:], 8) == pytest.approx(min(course.losses), rel=1e-4)
    assert heard == sorted(heard)
    assert not course.out_of_time


def test_without_a_better_epoch_the_weights_stay_what_they_were(examples: list[Example]) -> None:
    learning = network()
    tune(learning, examples[:24], examples[24:], QUICK, seconds=60, told=lambda *_: None)
    before = {name: value.detach().clone() for name, value in learning.values_of.items()}
    harmful = Tuning(rate=3.0, epochs=(4, 4), batch=8, patience=1)
    course = tune(learning, examples[:8], examples[24:], harmful, seconds=60, told=lambda *_: None)
    assert (course.best, len(course.losses)) == (0, 2)
    assert all(torch.equal(value, before[name]) for name, value in learning.values_of.items())


def test_it_ends_when_the_time_is_up(examples: list[Example]) -> None:
    ticks = iter(np.arange(0.0, 1000.0))
    course = tune(
        network(),
        examples[:24],
        examples[24:],
        QUICK,
        seconds=5,
        told=lambda *_: None,
        clock=lambda: next(ticks),
    )
    assert course.out_of_time
    assert (
        len(course.losses) == 3
    )  # before, after the three batches of one epoch, and after a part of the next


def test_the_same_seed_gives_the_same_weights(examples: list[Example]) -> None:
    one, other = network(), network()
    for learning in (one, other):
        tune(learning, examples[:8], examples[24:], QUICK, seconds=60, told=lambda *_: None)
    assert all(torch.equal(one.values_of[name], other.values_of[name]) for name in one.values_of)
