"""Weights in whole numbers of a few bits, one factor for each row."""

import numpy as np
from numpy.typing import NDArray

from appliance.onnx_tools.whisper.weights import Array


def rows(weight: Array, bits: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return rows [out, in] as signed numbers of so many bits, and the factor [out] of each row.

    With 7 bits, two products of an unsigned and a signed byte never overflow 16 bits, so that processors
    without dot-product instructions (x86 with AVX2 but without VNNI) give the same as others.
    """
    top = 2 ** (bits - 1) - 1
    scale = (np.abs(weight).max(axis=1) / top).astype(np.float32)
    scale[scale == 0] = 1
    return np.clip(np.rint(weight / scale[:, None]), -top, top).astype(np.int8), scale
