"""Log-mel filter banks as Kaldi computes them, which k2 models take: 25 ms windows every 10 ms, 80 bands.

Options are those sherpa-onnx uses: no dither, DC offset removed, pre-emphasis 0.97, Povey window, power
spectrum, bands from 20 Hz to 400 Hz below half the rate, frames beyond the ends mirrored. Checked against
kaldi-native-fbank in the tests. D. Povey et al., "The Kaldi Speech Recognition Toolkit", 2011.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

_PREEMPHASIS: Final = 0.97
_LOW_HZ: Final = 20.0
_BELOW_NYQUIST_HZ: Final = 400.0
_FLOOR: Final = float(np.finfo(np.float32).eps)


def fbank(samples: NDArray[np.float32], *, rate: int = 16_000, bands: int = 80) -> Features:
    """Compute the features of some audio.

    Args:
        samples: One channel, -1…1.
        rate: Samples a second.
        bands: Mel bands.

    Returns:
        Natural logarithms of band energies, [frames, bands]; a frame every 10 ms.
    """
    window, shift = rate * 25 // 1000, rate // 100
    frames = (len(samples) + shift // 2) // shift
    if frames == 0:
        return np.empty((0, bands), np.float32)
    first = shift // 2 - window // 2
    places = first + shift * np.arange(frames)[:, None] + np.arange(window)[None, :]
    framed = samples.astype(np.float64)[_mirrored(places, len(samples))]
    framed -= framed.mean(axis=1, keepdims=True)
    before = np.concatenate((framed[:, :1], framed[:, :-1]), axis=1)
    framed -= _PREEMPHASIS * before
    framed *= _povey(window)
    size = 1 << (window - 1).bit_length()
    spectrum = np.fft.rfft(framed, size)
    power = spectrum.real**2 + spectrum.imag**2
    energies = power[:, : size // 2] @ _mel(rate, size, bands)
    return np.log(np.maximum(energies, _FLOOR)).astype(np.float32)


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Positions beyond the ends, mirrored at them as often as it takes."""
    period = 2 * length
    inside = np.mod(places, period)
    mirrored: NDArray[np.int64] = np.where(inside < length, inside, period - 1 - inside)
    return mirrored


@lru_cache(maxsize=4)
def _povey(window: int) -> NDArray[np.float64]:
    phase = 2 * np.pi * np.arange(window) / (window - 1)
    found: NDArray[np.float64] = np.power(0.5 - 0.5 * np.cos(phase), 0.85)
    return found


@lru_cache(maxsize=4)
def _mel(rate: int, size: int, bands: int) -> NDArray[np.float64]:
    """Weights [bins, bands] of triangles that are even on the mel scale."""
    low, high = _hertz_to_mel(_LOW_HZ), _hertz_to_mel(rate / 2 - _BELOW_NYQUIST_HZ)
    step = (high - low) / (bands + 1)
    left = low + step * np.arange(bands)
    mel = _hertz_to_mel(rate / size * np.arange(size // 2, dtype=np.float64))[:, None]
    rising = (mel - left) / step
    falling = (left + 2 * step - mel) / step
    weights: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return weights


def _hertz_to_mel(hertz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
    return found
