"""What the encoder makes of half a minute of silence: states that stand for the part that is not there.

Whisper is trained on windows of 30 seconds. If a window ends with a short recording, the decoder repeats
itself; padding two seconds to thirty makes the encoder twenty times as expensive. So the graphs take a short
window, and attention sees, for each `STRIDE` positions that are left out, one state of silence with
log(`STRIDE`) added to its score.

Computed in float64: the result is kept in 16 bits, and is then the same on every processor.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.onnx_tools.whisper.weights import Array, Weights

States = NDArray[np.float64]

STRIDE: Final = 16
"""Positions, of 20 ms each, that one state stands for."""
FLOOR: Final = -0.875
"""Log-mel value of silence beside speech whose loudest band is at 10 ** 0.5: (0.5 - 8 + 4) / 4."""
EPSILON: Final = 1e-5
"""Of the layer normalisations."""

_erf: Any = np.frompyfunc(math.erf, 1, 1)


def gelu(x: States) -> States:
    """x times the share of a normal distribution below x."""
    found: States = 0.5 * x * (1 + _erf(x / math.sqrt(2)).astype(np.float64))
    return found


def normed(x: States, gamma: Array, beta: Array) -> States:
    """Layer normalisation over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    found: States = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON) * gamma + beta
    return found


def by_head(x: Array, heads: int) -> Array:
    """[positions, width] to [1, heads, positions, width / heads]."""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)[None]


def encoded(weights: Weights, mel: Array) -> list[States]:
    """Run the encoder in float64.

    Args:
        weights: Of the network.
        mel: Log-mel bands [mels, frames], an even number of frames.

    Returns:
        States [frames / 2, width] before each layer, and the encoder's answer as the last.
    """
    x = mel.astype(np.float64)
    for name, step in (("encoder/conv1", 1), ("encoder/conv2", 2)):
        x = gelu(_convolved(weights, x, name, step))
    x = x.T + weights("encoder/position_encodings/encodings")[: x.shape[1]]
    states = [x]
    for number in range(weights.layers["encoder"]):
        x = _layer(weights, x, f"encoder/layer_{number}")
        states.append(x)
    return [*states[:-1], normed(x, *weights.norm("encoder/layer_norm"))]


def silence(weights: Weights) -> list[States]:
    """Return every `STRIDE`-th state of silence, as `encoded` lays them out."""
    still = np.full((weights.mels, 2 * weights.positions), FLOOR)
    return [states[::STRIDE] for states in encoded(weights, still)]


def _convolved(weights: Weights, x: States, name: str, step: int) -> States:
    kernel, bias = weights(f"{name}/weight").astype(np.float64), weights(f"{name}/bias")
    padded = np.pad(x, ((0, 0), (1, 1)))
    windows = np.stack([padded[:, at : at + x.shape[1] : step] for at in range(3)], axis=1)
    found: States = np.tensordot(kernel, windows, ((1, 2), (0, 1))) + bias[:, None]
    return found


def _layer(weights: Weights, x: States, at: str) -> States:
    weight, bias = weights.linear(f"{at}/self_attention/linear_0")
    stacked = normed(x, *weights.norm(f"{at}/self_attention/layer_norm")) @ weight.astype(np.float64) + bias
    query, key, value = (by_head(part, weights.heads) for part in np.split(stacked, 3, axis=1))
    score = query @ key.swapaxes(2, 3) / math.sqrt(weights.size)
    score = np.exp(score - score.max(-1, keepdims=True))
    mixed = (score / score.sum(-1, keepdims=True) @ value)[0].swapaxes(0, 1).reshape(x.shape)
    weight, bias = weights.linear(f"{at}/self_attention/linear_1")
    x = x + mixed @ weight.astype(np.float64) + bias
    weight, bias = weights.linear(f"{at}/ffn/linear_0")
    hidden = gelu(normed(x, *weights.norm(f"{at}/ffn/layer_norm")) @ weight.astype(np.float64) + bias)
    weight, bias = weights.linear(f"{at}/ffn/linear_1")
    found: States = x + hidden @ weight.astype(np.float64) + bias
    return found
