"""Weights of Whisper under the names that CTranslate2 gives them.

In each layer `self_attention/linear_0` is query, key and value stacked, and `linear_1` the projection after
them. The decoder's `attention` sees the encoder: `linear_0` query, `linear_1` key and value, `linear_2` the
projection. `ffn/linear_0` grows and `linear_1` shrinks. A `layer_norm` stands before its block. The table of
tokens is the last projection too.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Linear = tuple[Array, Array]
"""Weights [in, out] and bias [out]."""

PARTS: Final = ("encoder", "decoder")


class Weights:
    """Arrays as float32 by name, and the sizes that they imply.

    Args:
        arrays: By the names of CTranslate2, and `encoder/num_heads`.

    Attributes:
        heads: Heads of each attention.
        vocab: Tokens.
        width: Numbers of a state.
        mels: Bands of the input.
        positions: States of the longest input, at 20 ms each.
        layers: By part of the network.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self.heads = int(arrays["encoder/num_heads"])
        self.vocab, self.width = (int(size) for size in arrays["decoder/embeddings/weight"].shape)
        self.mels = int(arrays["encoder/conv1/weight"].shape[1])
        self.positions = len(arrays["encoder/position_encodings/encodings"])
        self.layers = {part: self._count(part) for part in PARTS}

    def _count(self, part: str) -> int:
        beginnings = (name.split("/")[:2] for name in self._arrays)
        found = {layer for first, layer in beginnings if first == part and layer.startswith("layer_")}
        return len(found - {"layer_norm"})

    @property
    def size(self) -> int:
        """Numbers of a head."""
        return self.width // self.heads

    def __call__(self, name: str) -> Array:
        """Return an array as float32."""
        return self._arrays[name].astype(np.float32)

    def names(self) -> list[str]:
        """Return the names of all arrays of numbers."""
        return [name for name in self._arrays if name != "encoder/num_heads"]

    def towards(self, other: "Weights", share: float) -> "Weights":
        """Return weights a share of the way from these to others of the same sizes."""
        between = {name: (1 - share) * self(name) + share * other(name) for name in self.names()}
        return Weights(between | {"encoder/num_heads": np.array(self.heads)})

    def linear(self, name: str) -> Linear:
        """Return the weights and bias of a projection."""
        return np.ascontiguousarray(self(f"{name}/weight").T), self(f"{name}/bias")

    def asking(self, name: str, parts: int) -> Linear:
        """Return a projection of stacked parts, the first, the query, divided by the root of `size`."""
        weight, bias = self.linear(name)
        factor = np.ones(parts * self.width, np.float32)
        factor[: self.width] = self.size**-0.5
        return weight * factor, bias * factor

    def norm(self, name: str) -> tuple[Array, Array]:
        """Return factor and bias of a layer normalisation."""
        return self(f"{name}/gamma"), self(f"{name}/beta")
