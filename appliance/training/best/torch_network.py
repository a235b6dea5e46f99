"""The encoder with a head, in torch: what the route `best` fine-tunes. Needs the extra `train`.

Parameters are named as in `recipes.ner.model`, so that the same code writes the graph.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from appliance.training.best.encoder_weights import Array, Weights


class _Attention(nn.Module):  # type: ignore[misc, unused-ignore]  # where torch is not installed
    def __init__(self, width: int, heads: int, epsilon: float, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.self = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, epsilon)}
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, value: Tensor, bias: Tensor) -> Tensor:
        batch, tokens, width = value.shape
        parts = [
            self.self[name](value).view(batch, tokens, self.heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        ]
        mixed = functional.scaled_dot_product_attention(*parts, attn_mask=bias.to(parts[0].dtype))
        mixed = self.output["dense"](mixed.transpose(1, 2).reshape(batch, tokens, width))
        normed: Tensor = self.output["LayerNorm"](self.dropout(mixed) + value)
        return normed


class _Layer(nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, width: int, wide: int, heads: int, epsilon: float, dropout: float) -> None:
        super().__init__()
        self.attention = _Attention(width, heads, epsilon, dropout)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, wide)})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(wide, width), "LayerNorm": nn.LayerNorm(width, epsilon)}
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, value: Tensor, bias: Tensor) -> Tensor:
        value = self.attention(value, bias)
        narrow = self.output["dense"](functional.gelu(self.intermediate["dense"](value)))
        normed: Tensor = self.output["LayerNorm"](self.dropout(narrow) + value)
        return normed


class _Encoder(nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, weights: Weights, dropout: float) -> None:
        super().__init__()
        shape, arrays = weights.shape, weights.arrays
        tables = {
            name: arrays[f"encoder.embeddings.{name}.weight"].shape
            for name in ("word_embeddings", "position_embeddings", "token_type_embeddings")
        }
        width = tables["word_embeddings"][1]
        wide = len(arrays["encoder.encoder.layer.0.intermediate.dense.bias"])
        self.embeddings = nn.ModuleDict(
            {name: nn.Embedding(*size) for name, size in tables.items()}
            | {"LayerNorm": nn.LayerNorm(width, shape.epsilon)}
        )
        layers = [_Layer(width, wide, shape.heads, shape.epsilon, dropout) for _ in range(shape.layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        tables = self.embeddings
        places = tables["position_embeddings"].weight[: ids.shape[1]]
        value = tables["word_embeddings"](ids) + tables["token_type_embeddings"](types) + places
        value = self.dropout(tables["LayerNorm"](value))
        bias = ((1.0 - mask.float()) * -1e4)[:, None, None, :]
        for layer in self.encoder["layer"]:
            value = layer(value, bias)
        return value


def descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take one step down the gradient of a loss, clipped to a norm of 1."""
    loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


class Network(nn.Module):  # type: ignore[misc, unused-ignore]
    """Tokens to label scores: forward(ids, mask, types), int64 [batch, tokens] each."""

    def __init__(self, weights: Weights, labels: Sequence[str], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = _Encoder(weights, dropout)
        self.dropout = nn.Dropout(dropout)
        width = weights.arrays["encoder.embeddings.word_embeddings.weight"].shape[1]
        self.head = nn.Linear(width, len(labels))
        found = {name: torch.from_numpy(np.array(array)) for name, array in weights.arrays.items()}
        missing, unexpected = self.load_state_dict(found, strict=False)
        if unexpected or any(not name.startswith("head.") for name in missing):
            raise ValueError(f"weights do not fit: {unexpected or missing}")
        if not weights.learns_words:
            self.encoder.embeddings["word_embeddings"].weight.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Return the scores of each token."""
        scores: Tensor = self.head(self.dropout(self.encoder(ids, mask, types)))
        return scores

    def arrays(self) -> dict[str, Array]:
        """Return the weights as `appliance.onnx_tools.bert_graph.build` takes them."""
        return {name: value.detach().float().numpy() for name, value in self.state_dict().items()}
