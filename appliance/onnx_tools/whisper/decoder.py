"""The decoder, merged: with or without a cache of what it has seen, as `use_cache_branch` says."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from appliance.onnx_tools.whisper.layers import TABLE, Layers, Silence, floats, made_model
from appliance.onnx_tools.whisper.silence import States, by_head
from appliance.onnx_tools.whisper.weights import Weights
from appliance.onnx_tools.whisper.whole_numbers import rows

IDS, HEARD, CACHED = "input_ids", "encoder_hidden_states", "use_cache_branch"
FORBIDDEN = -1e9
"""Added to scores of tokens that come later."""


def decoder(weights: Weights, still: States | None, *, bits: int | None) -> onnx.ModelProto:
    """Return the merged decoder, its inputs and outputs named as Optimum does.

    Inputs: `input_ids` int64 [batch, tokens]; `encoder_hidden_states`; of each layer N
    `past_key_values.N.decoder|encoder.key|value` float32 [batch, heads, positions, size];
    `use_cache_branch` bool [1]. Outputs: `logits`; `present...`, of which those of the encoder are empty
    where a cache was given; and, more than Optimum has, `cross_attentions.N` [batch, heads, tokens, states of
    the encoder and of silence].

    Args:
        weights: Of the network.
        still: The encoder's answer to silence, as `silence.silence` has it last; None for plain Whisper.
        bits: As `Layers` takes them.
    """
    layers = Layers(weights, bits=bits)
    then, otherwise = (_Branch(layers, still, past=past).finished() for past in (True, False))
    results = _results(weights)
    names = [name for name, _ in results]
    layers.nodes.append(
        helper.make_node("If", [CACHED], names, "use_cache", then_branch=then, else_branch=otherwise)
    )
    inputs = [
        helper.make_tensor_value_info(IDS, TensorProto.INT64, ["batch_size", "decoder_sequence_length"]),
        floats(HEARD, ["batch_size", "encoder_sequence_length", weights.width]),
    ]
    for name in names:
        if name.startswith("present"):
            kind = "past_decoder_sequence_length" if ".decoder." in name else "encoder_memory_length_past"
            shape = ["batch_size_past", weights.heads, kind, weights.size]
            inputs.append(floats(name.replace("present", "past_key_values"), shape))
    inputs.append(helper.make_tensor_value_info(CACHED, TensorProto.BOOL, [1]))
    return made_model(
        layers, "whisper_decoder_merged", inputs, [floats(name, shape) for name, shape in results]
    )


def _results(weights: Weights) -> list[tuple[str, list[Any]]]:
    """Names of the outputs and their shapes."""
    count, heads = weights.layers["decoder"], weights.heads
    found: list[tuple[str, list[Any]]] = [
        ("logits", ["batch_size", "decoder_sequence_length", weights.vocab])
    ]
    for number in range(count):
        for part, length in (
            ("decoder", "total_sequence_length_out"),
            ("encoder", "encoder_memory_length_out"),
        ):
            shape = ["batch_size_out", heads, length, weights.size]
            found += [(f"present.{number}.{part}.{kind}", shape) for kind in ("key", "value")]
    shape = ["batch_size", heads, "decoder_sequence_length", "encoder_memory_length"]
    return found + [(f"cross_attentions.{number}", shape) for number in range(count)]


class _Branch:
    """One branch: `past` goes on from a cache, the other begins with what the encoder gave."""

    def __init__(self, outer: Layers, still: States | None, *, past: bool) -> None:
        self._weights = outer.weights
        self._layers = layers = Layers(
            outer.weights, bits=outer.bits, prefix="past." if past else "first.", outer=outer
        )
        self._past = past
        self._still = still
        self._presents: list[str] = []
        self._shares: list[str] = []
        self._mask = ""
        self._silence: Silence | None = None
        if still is not None:
            window, batch = layers.length(HEARD, 1), layers.length(IDS, 0)
            self._silence = Silence(layers, window, batch, len(still))

    def finished(self) -> onnx.GraphProto:
        """Add all nodes and return the branch."""
        layers, weights = self._layers, self._weights
        table, scales, x = self._tokens()
        x = layers.one("Add", x, self._places())
        for number in range(weights.layers["decoder"]):
            at, name = f"decoder/layer_{number}", f"decoder.layers.{number}"
            x = self._self_attention(x, number, at, name)
            x = self._cross_attention(x, number, at, name)
            x = layers.feed_forward(x, name, at)
        x = layers.norm(x, "decoder.layer_norm", "decoder/layer_norm")
        across = layers.one("Transpose", table, perm=[1, 0])
        logits = layers.product(x, across, scales) if scales else layers.one("MatMul", x, across)
        found = [logits, *self._presents, *self._shares]
        names = [name for name, _ in _results(weights)]
        prefix = "past.out." if self._past else "first.out."
        outputs = []
        for value, name in zip(found, names, strict=True):
            rank = 3 if name == "logits" else 4
            outputs.append(floats(layers.one("Identity", value, name=prefix + name), [None] * rank))
        return helper.make_graph(layers.nodes, prefix + "branch", [], outputs)

    def _tokens(self) -> tuple[str, str, str]:
        """The table of tokens, its factors (empty in float32), and the rows of the tokens that are given."""
        layers, table = self._layers, self._weights("decoder/embeddings/weight")
        if layers.bits is None:
            kept = layers.keep(TABLE, table)
            return kept, "", layers.one("Gather", kept, IDS)
        numbers, scale = rows(table, layers.bits)
        kept, scales = layers.keep(f"{TABLE}_quantized", numbers), layers.keep(f"{TABLE}_scale", scale)
        taken = layers.one("Cast", layers.one("Gather", kept, IDS), to=TensorProto.FLOAT)
        factor = layers.one("Unsqueeze", layers.one("Gather", scales, IDS), layers.whole(-1))
        return kept, scales, layers.one("Mul", taken, factor)

    def _places(self) -> str:
        """Position encodings of the new tokens; on the way, what hides later tokens from earlier ones."""
        layers = self._layers
        new = layers.length(IDS, 1)
        old = layers.length("past_key_values.0.decoder.key", 2) if self._past else layers.whole(0)
        total = layers.one("Add", old, new)
        begin, end = (layers.one("Squeeze", size) for size in (old, total))
        keys = layers.one("Range", layers.lone(0), end, layers.lone(1))
        queries = layers.one("Unsqueeze", layers.one("Range", begin, end, layers.lone(1)), layers.whole(1))
        seen = layers.one("LessOrEqual", keys, queries)
        self._mask = layers.one("Where", seen, layers.number(0.0), layers.number(FORBIDDEN))
        places = layers.half("decoder.embed_positions", self._weights("decoder/position_encodings/encodings"))
        return layers.one("Slice", places, old, total, layers.whole(0))

    def _self_attention(self, x: str, number: int, at: str, name: str) -> str:
        layers, weights, cache = self._layers, self._weights, f"past_key_values.{number}.decoder"
        inner = layers.norm(x, f"{name}.self_attn_layer_norm", f"{at}/self_attention/layer_norm")
        stacked = layers.linear(
            inner, f"{name}.self_attn.qkv", *weights.asking(f"{at}/self_attention/linear_0", 3)
        )
        query, key, value = layers.split(stacked, 3)
        if self._past:
            key = layers.one("Concat", f"{cache}.key", key, axis=2)
            value = layers.one("Concat", f"{cache}.value", value, axis=2)
        self._presents += [key, value]
        mixed, _ = layers.attention(query, key, value, self._mask)
        after = layers.linear(
            mixed, f"{name}.self_attn.out", *weights.linear(f"{at}/self_attention/linear_1")
        )
        return layers.one("Add", x, after)

    def _cross_attention(self, x: str, number: int, at: str, name: str) -> str:
        layers, weights = self._layers, self._weights
        inner = layers.norm(x, f"{name}.encoder_attn_layer_norm", f"{at}/attention/layer_norm")
        query = layers.by_head(
            layers.linear(inner, f"{name}.encoder_attn.q", *weights.asking(f"{at}/attention/linear_0", 1))
        )
        key, value = self._heard(number, at, name)
        mixed, shares = layers.attention(query, key, value, self._silence.bias if self._silence else "")
        self._shares.append(shares)
        after = layers.linear(mixed, f"{name}.encoder_attn.out", *weights.linear(f"{at}/attention/linear_2"))
        return layers.one("Add", x, after)

    def _heard(self, number: int, at: str, name: str) -> tuple[str, str]:
        """Keys and values of what the encoder gave: out of the cache, or computed."""
        layers, weights, cache = self._layers, self._weights, f"past_key_values.{number}.encoder"
        if self._past:  # as Optimum does, nothing new is returned: callers keep the first ones
            nothing = helper.make_tensor("v", TensorProto.FLOAT, [0, weights.heads, 1, weights.size], [])
            self._presents += [layers.one("Constant", value=nothing) for _ in range(2)]
            return f"{cache}.key", f"{cache}.value"
        weight, bias = weights.linear(f"{at}/attention/linear_1")
        key, value = layers.split(layers.linear(HEARD, f"{name}.encoder_attn.kv", weight, bias), 2)
        if self._silence is not None and self._still is not None:
            seen = self._still @ weight.astype(np.float64) + bias
            keys, values = (by_head(part, weights.heads) for part in np.split(seen, 2, axis=1))
            key = self._silence.behind(key, f"{name}.silence.key", keys)
            value = self._silence.behind(value, f"{name}.silence.value", values)
        self._presents += [key, value]
        return key, value
