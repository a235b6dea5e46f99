"""What the network takes and gives: labels, frames, sizes, and how far around it a frame listens.

Needs no torch: the graph and its tests use it too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOCABULARY = ("<pad>", "<unk>", "|", "'", *"abcdefghijklmnopqrstuvwxyz")
"""Labels in the order of the logits; `<pad>` is the blank of CTC, `|` the space between words."""
BLANK, SPACE = 0, 2
RATE = 16_000
WINDOW, HOP = 400, 160
BEFORE, AFTER = 120, 120
"""Samples of silence put before and after, so that frame k of 20 ms is about samples 320 k to 320 k + 320."""
FRAME, ALIGNED = 320, 640
"""Samples of a frame of the answer, and of the step inside the network, which gives two frames at once."""
FLOOR = 1e-9
"""Added to the power of a band: -90 dB of full scale, a little over the rounding noise of 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes. `blocks`: (left, right) frames of 40 ms that each block takes in around its own."""

    bands: int = 64
    mean_frames: int = 64
    maps: tuple[int, int] = (32, 48)
    width: int = 256
    wide: int = 512
    blocks: tuple[tuple[int, int], ...] = ((4, 1),) * 9
    tap: int = 5
    dropout: float = 0.1


def mel_matrix(bands: int, warp: float = 1.0) -> NDArray[np.float32]:
    """Return triangular filters [WINDOW / 2 + 1, bands] from 60 Hz to 7.8 kHz, equally wide in mel.

    The mel scale is O'Shaughnessy's, 2595 log10(1 + f / 700). `warp` multiplies the centre frequencies, as a
    shorter vocal tract does.
    """
    edges = np.linspace(_mel(60.0), _mel(7800.0), bands + 2)
    frequencies = 700 * (10 ** (edges / 2595) - 1) * warp
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rising = (bins[:, None] - frequencies[:-2]) / np.diff(frequencies)[:-1]
    falling = (frequencies[2:] - bins[:, None]) / np.diff(frequencies)[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    # Narrow filters may fall between two bins: give each at least the weight of one bin.
    nearest = np.abs(bins[:, None] - np.minimum(frequencies[1:-1], bins[-1])).argmin(axis=0)
    filters[nearest, np.arange(bands)] = np.maximum(filters[nearest, np.arange(bands)], 0.5)
    return np.asarray(filters, dtype=np.float32)


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))


def window() -> NDArray[np.float32]:
    """Return the Hann window, scaled so that a full-scale sine has power 1 in its bin."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return np.asarray(hann * 2 / hann.sum(), dtype=np.float32)


def context(shape: Shape) -> tuple[int, int]:
    """Return the samples before the start and after the end of a 20 ms frame that its scores depend on.

    This holds for recordings cut at multiples of `ALIGNED` samples.
    """
    left, right = (sum(part) for part in zip(*shape.blocks, strict=True))
    # A step of 40 ms takes in seven log-mel frames, three before its own four; a frame of 20 ms is its first
    # or second half.
    before = ALIGNED // 2 + ALIGNED * left + 3 * HOP + HOP * (shape.mean_frames - 1) + BEFORE
    after = ALIGNED // 2 + ALIGNED * right + WINDOW - BEFORE - HOP
    return before, after
