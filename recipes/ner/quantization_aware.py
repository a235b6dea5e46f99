"""Training with the numbers of the served graph: 7-bit weights, values of 8 bits with one scale a token.

What is rounded away is seen by the loss and not by the gradient (straight through; Bengio, Leonard and
Courville 2013), so weights settle where rounding does little harm.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from appliance.onnx_tools.bert_graph import HALF_RANGE, quantized
from recipes.ner.model import NerModel

LEVELS = 127


class Rounded(nn.Linear):  # type: ignore[misc, unused-ignore]  # where torch is not installed
    """A product that computes with rounded weights and values; made of a plain one by `rounded`."""

    scale: Tensor

    def forward(self, value: Tensor) -> Tensor:
        """Compute values [.., in] x weights [out, in] + bias."""
        seen = value.detach()
        step = seen.abs().amax(-1, keepdim=True).clamp_min(1e-9) / LEVELS
        value = value + ((seen / step).round() * step - seen)
        held = self.weight.detach()
        near = (held / self.scale).round().clamp(-HALF_RANGE, HALF_RANGE - 1) * self.scale
        product: Tensor = functional.linear(value, self.weight + (near - held), self.bias)
        return product


def rounded(model: NerModel) -> None:
    """Let every product of the encoder's layers compute rounded, and switch dropout off, in place."""
    model.encoder.config.attention_probs_dropout_prob = 0.0
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for layer in model.encoder.encoder.layer:
        layer.attention.self.dropout_prob = 0.0
        for module in layer.modules():
            if type(module) is nn.Linear:
                module.__class__ = Rounded
    adjust(model)


def adjust(model: NerModel) -> None:
    """Find the scales of the weights as they are now, as `graph.quantized` does for the served graph."""
    for module in model.modules():
        if isinstance(module, Rounded):
            _, scale = quantized(module.weight.detach().numpy().T)
            module.scale = torch.from_numpy(scale)[:, None]
