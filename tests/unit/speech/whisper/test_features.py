"""The log-mel spectrogram is that of transformers, and loudness does not count."""

import numpy as np

from appliance.speech.whisper.features import HOP, WINDOW_FRAMES, log_mel, mel_power
from tests.support.paths import VECTORS

RATE = 16_000


def signal() -> np.ndarray:
    """As `tests/vectors/make_whisper.py` makes it."""
    random = np.random.default_rng(3)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / RATE) * np.linspace(0, 1, 48_000)
    return (tone + 0.02 * random.normal(size=48_000)).astype(np.float32)


def test_features_are_those_of_transformers() -> None:
    expected = np.load(VECTORS / "whisper" / "reference.npz")["features"]
    padded = np.concatenate((signal(), np.zeros(WINDOW_FRAMES * HOP - 48_000, np.float32)))
    power = np.log10(np.maximum(mel_power(padded, bands=80), 1e-10))
    found = (np.maximum(power, power.max() - 8) + 4) / 4
    assert np.abs(found[:, :400] - expected).max() < 1e-4


def test_loudness_does_not_count() -> None:
    loud, quiet = log_mel(signal(), bands=80), log_mel(signal() * np.float32(0.01), bands=80)
    assert np.abs(loud - quiet).max() < 1e-3
    assert loud.max() == np.float32((0.5 + 4) / 4)


def test_a_short_window_holds_the_phrase_with_silence_around_it_and_is_a_multiple_of_32_frames() -> None:
    for seconds in (0.1, 1.0, 2.7):
        found = log_mel(signal()[: int(seconds * RATE)], bands=128)
        assert found.shape[0] == 128
        assert found.shape[1] % 32 == 0
        assert 0 <= found.shape[1] * HOP - (seconds + 0.8) * RATE < 32 * HOP


def test_what_is_longer_than_the_window_is_cut() -> None:
    assert log_mel(np.tile(signal(), 12), bands=80, frames=WINDOW_FRAMES).shape == (80, WINDOW_FRAMES)


def test_silence_has_features() -> None:
    assert np.isfinite(log_mel(np.zeros(RATE, np.float32), bands=80)).all()
    assert np.isfinite(log_mel(np.zeros(0, np.float32), bands=80)).all()
