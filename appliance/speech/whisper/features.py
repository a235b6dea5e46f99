"""Log-mel spectrogram as Whisper was trained on.

Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision"; mel scale of Slaney 1998,
"Auditory Toolbox". Checked against the feature extractor of transformers in the tests.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.audio.wav import Samples

RATE: Final = 16_000
HOP: Final = 160
"""Samples from one frame to the next."""
WINDOW_FRAMES: Final = 3000
"""Frames of the 30 seconds that a graph without short windows wants."""

_FFT: Final = 400
_LEAST_POWER: Final = 1e-14  # far below the quietest recording, so that this does not depend on loudness
_RANGE: Final = 8.0  # quieter than the loudest band by more than this (log10) is cut off
_LOUDEST: Final = 0.5  # the loudest band of speech that fills the range (log10)
_ROUND: Final = 32  # frames that windows are rounded up to, so that few shapes occur
SILENCE_SECONDS: Final = 0.4
"""Silence put before and behind a phrase: sound at the very edge is not understood."""


def log_mel(samples: Samples, *, bands: int, frames: int | None = None) -> NDArray[np.float32]:
    """Features of one phrase, independent of how loud it is.

    Args:
        samples: -1 to 1 at `RATE`.
        bands: Mel bands, 80 or 128.
        frames: Frames to return, cut or filled with silence; None for a short window that just holds them.

    Returns:
        [bands, frames], float32.
    """
    around = np.zeros(int(SILENCE_SECONDS * RATE), np.float32)
    padded = np.concatenate((around, samples, around))
    if frames is None:
        frames = -(-len(padded) // (HOP * _ROUND)) * _ROUND
    wanted = np.zeros(frames * HOP, np.float32)
    kept = padded[: len(wanted)]
    wanted[: len(kept)] = kept
    power = np.log10(np.maximum(mel_power(wanted, bands=bands), _LEAST_POWER))
    top = power.max()
    # The shift makes the loudest band that of loud speech: the model understands quiet recordings worse.
    found: NDArray[np.float32] = ((np.maximum(power, top - _RANGE) - top + _LOUDEST + 4) / 4).astype(
        np.float32
    )
    return found


def mel_power(samples: Samples, *, bands: int) -> NDArray[np.float32]:
    """Power in each mel band, [bands, frames], of windows centred on every `HOP` samples."""
    padded = np.pad(samples, _FFT // 2, mode="reflect")
    frames = len(samples) // HOP
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[: frames * HOP : HOP]
    spectrum = np.fft.rfft(windows * _hann(), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    found: NDArray[np.float32] = (mel_filters(bands) @ power.T.astype(np.float32)).astype(np.float32)
    return found


@cache
def _hann() -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)).astype(np.float32)


@cache
def mel_filters(bands: int) -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale, [bands, bins]."""
    bins = np.linspace(0, RATE / 2, _FFT // 2 + 1)
    edges = _hertz(np.linspace(0.0, _mel(RATE / 2), bands + 2))
    widths = np.diff(edges)
    slopes = edges[:, None] - bins[None, :]
    rising, falling = -slopes[:-2] / widths[:-1, None], slopes[2:] / widths[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return weights.astype(np.float32)


_LINEAR: Final = 200 / 3  # hertz of a mel below 1000 Hz
_LOG_FROM: Final = 15.0  # mels at 1000 Hz
_LOG_STEP: Final = float(np.log(6.4) / 27)


def _mel(hertz: float) -> float:
    return _LOG_FROM + float(np.log(hertz / 1000)) / _LOG_STEP if hertz >= 1000 else hertz / _LINEAR


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels < _LOG_FROM, mels * _LINEAR, 1000 * np.exp(_LOG_STEP * (mels - _LOG_FROM)))
