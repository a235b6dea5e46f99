"""Voices are told from rooms: by the real Silero VAD, and by energy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.models.files import OnDisk
from appliance.models.folder_reader import read_facts
from appliance.speech.audio.voice_activity import Activity, EnergyActivity, load_onnx_activity
from tests.support.dictation import RATE, amiable, ask
from tests.support.paths import VECTORS

SILERO = VECTORS / "silero-vad" / "silero_vad_16k_op15.onnx"


@pytest.fixture(scope="module")
def silero() -> Callable[[], Activity]:
    return load_onnx_activity(SILERO.read_bytes(), rate=RATE)


def share(activity: Activity, samples: NDArray[np.float32]) -> float:
    """Of the frames, those that are speech."""
    frames = [
        activity.voiced(samples[at : at + activity.frame])
        for at in range(0, len(samples) - activity.frame + 1, activity.frame)
    ]
    return sum(frames) / len(frames)


def test_silero_hears_people_and_no_noise(silero: Callable[[], Activity]) -> None:
    white = np.random.default_rng(4).normal(size=4 * RATE).astype(np.float32)
    assert share(silero(), amiable()) > 0.7
    assert share(silero(), ask()) > 0.5
    for noise in (
        white * np.float32(0.1),
        (np.cumsum(white) / 300).astype(np.float32),
        white * np.float32(1e-4),
    ):
        assert share(silero(), noise) < 0.05


def test_streams_of_one_model_do_not_disturb_one_another(silero: Callable[[], Activity]) -> None:
    alone = share(silero(), amiable())
    first, second = silero(), silero()
    size = first.frame
    heard = []
    for at in range(0, len(amiable()) - size + 1, size):
        heard.append(first.voiced(amiable()[at : at + size]))
        second.voiced(np.zeros(size, np.float32))
    assert sum(heard) / len(heard) == alone


def test_a_folder_with_the_file_is_what_the_setting_wants(tmp_path: Path) -> None:
    shutil.copy(SILERO, tmp_path / SILERO.name)
    assert not read_facts(OnDisk(tmp_path), SILERO.name).unknown_domains


def test_energy_prefers_to_hear_speech() -> None:
    quiet = np.random.default_rng(4).normal(0, 1e-4, RATE).astype(np.float32)
    assert share(EnergyActivity(RATE), np.concatenate((quiet, amiable()))) > 0.5
    assert share(EnergyActivity(RATE), np.zeros(RATE, np.float32)) == 0.0
