"""Whisper in torch, as the graphs of `appliance.onnx_tools.whisper` compute it. Needs the extra `train`.

A short window also sees silence where the longest would hold nothing else. What learns is rounded to whole
numbers in each step, as the graphs will keep it, while gradients reach the numbers behind: Bengio et al.
2013, "Estimating or Propagating Gradients Through Stochastic Neurons".
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from appliance.onnx_tools.whisper.silence import EPSILON, FLOOR, STRIDE
from appliance.onnx_tools.whisper.weights import Array, Weights

_TABLE = "decoder/embeddings/weight"
_NOT_IN_PRODUCTS = ("encoder/conv", "encoder/position_encodings", "decoder/position_encodings", _TABLE)


class TorchWhisper(nn.Module):  # type: ignore[misc, unused-ignore]  # where torch is not installed
    """Features and tokens to logits.

    Args:
        weights: To begin from.
        bits: In which the graphs keep the weights of products; None for float32.
        learns: Says of each array by its name whether it learns.
        seed: Of the places inside a step of rounding at which weights begin.

    Attributes:
        silence: States of silence before each layer of the encoder, and its answer last; see `hear_silence`.
    """

    def __init__(
        self, weights: Weights, *, bits: int | None, learns: Callable[[str], bool], seed: int = 1
    ) -> None:
        super().__init__()
        self.sizes = weights
        self.values_of = nn.ParameterDict()
        self._top = 0 if bits is None else 2 ** (bits - 1) - 1
        random = torch.Generator().manual_seed(seed)
        for name in weights.names():
            value = torch.from_numpy(weights(name))
            if learns(name) and self._is_rounded(name, value):
                value = self._inside_steps(value, random)
            self.values_of[name] = nn.Parameter(value, requires_grad=learns(name))
        self.silence: list[Tensor] = []
        self.hear_silence()

    def _is_rounded(self, name: str, value: Tensor) -> bool:
        return self._top > 0 and value.ndim == 2 and not name.startswith(_NOT_IN_PRODUCTS)

    def _inside_steps(self, value: Tensor, random: torch.Generator) -> Tensor:
        """Move rounded weights to some place inside their steps, where rounding brings them back.

        With all of them in the middle of their steps, small changes would be rounded away.
        """
        step = self._steps(value)
        moved = value + (torch.rand(value.shape, generator=random) - 0.5) * 0.98 * step
        return torch.where(value.abs() > (self._top - 0.5) * step, value, moved)

    def _steps(self, value: Tensor) -> Tensor:
        step = value.abs().amax(1, keepdim=True) / self._top
        return torch.where(step == 0, torch.ones_like(step), step)

    def _get(self, name: str) -> Tensor:
        """An array as the graphs will keep it."""
        value: Tensor = self.values_of[name]
        if not value.requires_grad or not self._is_rounded(name, value):
            return value
        with torch.no_grad():
            step = self._steps(value)
            rounded = torch.round(value / step) * step
        return value + (rounded - value).detach()

    def weights(self) -> Weights:
        """Return the weights of now, not rounded; the graph writer rounds them to what was learnt with."""
        found: dict[str, Array] = {
            name: value.detach().numpy().copy() for name, value in self.values_of.items()
        }
        return Weights(found | {"encoder/num_heads": np.array(self.sizes.heads, np.int16)})

    def hear_silence(self) -> None:
        """Compute anew what the encoder makes of silence; what learns makes it stale slowly."""
        with torch.no_grad():
            still = torch.full((1, self.sizes.mels, 2 * self.sizes.positions), FLOOR)
            self.silence = []
            x = self._convolved(still)
            states = [x]
            for number in range(self.sizes.layers["encoder"]):
                x = self._encoder_layer(x, number)
                states.append(x)
            states[-1] = self._norm(x, "encoder/layer_norm")
            self.silence = [state[0, ::STRIDE] for state in states]

    def encode(self, features: Tensor, *, first: int = 0, before: Tensor | None = None) -> Tensor:
        """Features [batch, mels, frames] to states [batch, frames / 2, width].

        Args:
            features: Log-mel bands, an even number of frames.
            first: The layer to begin with, where the states before it are known.
            before: Those states.
        """
        x = self._convolved(features) if before is None else before
        for number in range(first, self.sizes.layers["encoder"]):
            x = self._encoder_layer(x, number)
        return self._norm(x, "encoder/layer_norm")

    def below(self, features: Tensor, layer: int) -> Tensor:
        """States [batch, frames / 2, width] before a layer of the encoder."""
        x = self._convolved(features)
        for number in range(layer):
            x = self._encoder_layer(x, number)
        return x

    def decode(self, heard: Tensor, tokens: Tensor) -> Tensor:
        """States of the encoder and tokens [batch, tokens] to states [batch, tokens, width] for `logits`."""
        places = self._get("decoder/position_encodings/encodings")[: tokens.shape[1]]
        x = functional.embedding(tokens, self._get(_TABLE)) + places
        for number in range(self.sizes.layers["decoder"]):
            at = f"decoder/layer_{number}"
            inner = self._norm(x, f"{at}/self_attention/layer_norm")
            query, key, value = self._heads(self._linear(inner, f"{at}/self_attention/linear_0"), 3)
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + self._linear(_joined(mixed), f"{at}/self_attention/linear_1")
            (query,) = self._heads(
                self._linear(self._norm(x, f"{at}/attention/layer_norm"), f"{at}/attention/linear_0"), 1
            )
            key, value = self._heads(self._linear(heard, f"{at}/attention/linear_1"), 2)
            still = self._linear(self.silence[-1], f"{at}/attention/linear_1")[None]
            mixed = self._with_silence(query, key, value, *self._heads(still, 2))
            x = x + self._linear(_joined(mixed), f"{at}/attention/linear_2")
            x = self._feed_forward(x, at)
        return self._norm(x, "decoder/layer_norm")

    def logits(self, states: Tensor) -> Tensor:
        """States of the decoder [.., width] to what each token is likely to be [.., vocabulary]."""
        return functional.linear(states, self._get(_TABLE))

    def _convolved(self, features: Tensor) -> Tensor:
        x = features
        for number in (1, 2):
            name = f"encoder/conv{number}"
            x = functional.gelu(
                functional.conv1d(
                    x, self._get(f"{name}/weight"), self._get(f"{name}/bias"), stride=number, padding=1
                )
            )
        x = x.transpose(1, 2)
        return x + self._get("encoder/position_encodings/encodings")[: x.shape[1]]

    def _encoder_layer(self, x: Tensor, number: int) -> Tensor:
        at = f"encoder/layer_{number}"

        def stacked(states: Tensor) -> tuple[Tensor, ...]:
            inner = self._norm(states, f"{at}/self_attention/layer_norm")
            return self._heads(self._linear(inner, f"{at}/self_attention/linear_0"), 3)

        query, key, value = stacked(x)
        if self.silence:
            mixed = self._with_silence(query, key, value, *stacked(self.silence[number][None])[1:])
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self._linear(_joined(mixed), f"{at}/self_attention/linear_1")
        return self._feed_forward(x, at)

    def _with_silence(
        self, query: Tensor, key: Tensor, value: Tensor, still_key: Tensor, still_value: Tensor
    ) -> Tensor:
        """Attention to a window, and to as much silence as it is shorter than the longest."""
        window = key.shape[2]
        rest = slice(-(-window // STRIDE), still_key.shape[2])
        every = [
            torch.cat((part, still[:, :, rest].expand(len(part), -1, -1, -1)), 2)
            for part, still in ((key, still_key), (value, still_value))
        ]
        bias = torch.zeros(1, 1, 1, every[0].shape[2])
        bias[..., window:] = math.log(STRIDE)
        mixed: Tensor = functional.scaled_dot_product_attention(
            query, every[0], every[1], attn_mask=bias.expand(-1, -1, query.shape[2], -1).to(query.dtype)
        )
        return mixed

    def _feed_forward(self, x: Tensor, at: str) -> Tensor:
        inner = self._norm(x, f"{at}/ffn/layer_norm")
        return x + self._linear(
            functional.gelu(self._linear(inner, f"{at}/ffn/linear_0")), f"{at}/ffn/linear_1"
        )

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._get(f"{name}/weight"), self._get(f"{name}/bias"))

    def _norm(self, x: Tensor, name: str) -> Tensor:
        factor, bias = self._get(f"{name}/gamma"), self._get(f"{name}/beta")
        return functional.layer_norm(x, factor.shape, factor, bias, EPSILON)

    def _heads(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """[batch, positions, parts · width] to parts of [batch, heads, positions, size]."""
        batch, positions, _ = x.shape
        split = x.view(batch, positions, parts, self.sizes.heads, -1).permute(2, 0, 3, 1, 4)
        return tuple(split.unbind(0))


def _joined(x: Tensor) -> Tensor:
    """[batch, heads, positions, size] to [batch, positions, width]."""
    return x.transpose(1, 2).flatten(2)


def learnt_names(names: Iterable[str], *, layer: int, layers: int) -> set[str]:
    """Return which arrays learn: the decoder without its tables, and the encoder from a layer on.

    Args:
        names: Of all arrays.
        layer: The first layer of the encoder that learns; `layers` for none.
        layers: Of the encoder.
    """
    above = tuple(f"encoder/layer_{number}/" for number in range(layer, layers))
    parts = ("decoder/layer_", *above, *(("encoder/layer_norm/",) if layer < layers else ()))
    return {name for name in names if name.startswith(parts)}
