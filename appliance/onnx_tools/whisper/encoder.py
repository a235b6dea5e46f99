"""The encoder: log-mel bands of a window to states of 20 ms."""

from collections.abc import Sequence

import numpy as np
import onnx

from appliance.onnx_tools.whisper.layers import Layers, Silence, floats, made_model
from appliance.onnx_tools.whisper.silence import States, by_head, normed
from appliance.onnx_tools.whisper.weights import Weights


def encoder(weights: Weights, still: Sequence[States] | None, *, bits: int | None) -> onnx.ModelProto:
    """Return the encoder, its inputs and outputs named as Optimum does.

    Input `input_features` float32 [batch, mels, frames of 10 ms], an even number of frames. Output
    `last_hidden_state` float32 [batch, frames / 2, width].

    Args:
        weights: Of the network.
        still: As `silence.silence` returns them; None for plain Whisper, which wants the longest window.
        bits: As `Layers` takes them.
    """
    layers = Layers(weights, bits=bits)
    x = "input_features"
    for number, step in ((1, 1), (2, 2)):
        at, name = f"encoder/conv{number}", f"encoder.conv{number}"
        kernel = layers.half(f"{name}.weight", weights(f"{at}/weight"))
        bias = layers.keep(f"{name}.bias", weights(f"{at}/bias"))
        x = layers.one("Conv", x, kernel, bias, kernel_shape=[3], pads=[1, 1], strides=[step])
        x = layers.gelu(x)
    x = layers.one("Transpose", x, perm=[0, 2, 1])
    length = layers.length(x, 1)
    places = layers.half("encoder.embed_positions", weights("encoder/position_encodings/encodings"))
    x = layers.one("Add", x, layers.one("Slice", places, layers.whole(0), length, layers.whole(0)))
    silence = None if still is None else Silence(layers, length, layers.length(x, 0), len(still[0]))
    for number in range(weights.layers["encoder"]):
        x = _layer(layers, x, number, silence, None if still is None else still[number])
    layers.norm(x, "encoder.layer_norm", "encoder/layer_norm", "last_hidden_state")
    return made_model(
        layers,
        "whisper_encoder",
        [floats("input_features", ["batch_size", weights.mels, "num_frames"])],
        [floats("last_hidden_state", ["batch_size", "encoder_sequence_length", weights.width])],
    )


def _layer(layers: Layers, x: str, number: int, silence: Silence | None, still: States | None) -> str:
    weights, at, name = layers.weights, f"encoder/layer_{number}", f"encoder.layers.{number}"
    weight, bias = weights.asking(f"{at}/self_attention/linear_0", 3)
    inner = layers.norm(x, f"{name}.self_attn_layer_norm", f"{at}/self_attention/layer_norm")
    query, key, value = layers.split(layers.linear(inner, f"{name}.self_attn.qkv", weight, bias), 3)
    scores = ""
    if silence is not None and still is not None:
        seen = normed(still, *weights.norm(f"{at}/self_attention/layer_norm")) @ weight.astype(np.float64)
        keys, values = (by_head(part, weights.heads) for part in np.split(seen + bias, 3, axis=1)[1:])
        key = silence.behind(key, f"{name}.silence.key", keys)
        value = silence.behind(value, f"{name}.silence.value", values)
        scores = silence.bias
    mixed, _ = layers.attention(query, key, value, scores)
    after = layers.linear(mixed, f"{name}.self_attn.out", *weights.linear(f"{at}/self_attention/linear_1"))
    return layers.feed_forward(layers.one("Add", x, after), name, at)
