"""The weights of a Whisper folder back out of its graphs, if `encoder` and `decoder` beside this wrote them.

Whole numbers are multiplied by their factors, so what comes out are the weights that the graphs compute with.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from appliance.onnx_tools.whisper.layers import TABLE
from appliance.onnx_tools.whisper.weights import Array, Weights

_NUMBERS: Final = "_quantized"
_FACTORS: Final = "_scale"
_SILENCE: Final = "encoder.layers.0.silence.key"
"""What graphs have that take short windows."""
_SEVEN: Final = 63
"""The largest whole number of 7 bits."""


class OtherGraphsError(ValueError):
    """Graphs that were not written by this package, or not with these weights."""


def read_weights(encoder: bytes, decoder: bytes, *, heads: int) -> tuple[Weights, int | None]:
    """Return the weights of two graphs, and in how many bits they keep those of products.

    Args:
        encoder: The graph of the encoder.
        decoder: The merged graph of the decoder.
        heads: Heads of each attention.

    Returns:
        Weights as float32; and 7 or 8 bits, or None where they are float32.

    Raises:
        OtherGraphsError: The graphs are others than this package writes.
    """
    try:
        stored = _stored(encoder) | _stored(decoder)
        found = _weights(stored, heads), _bits(stored)
    except (KeyError, ValueError, IndexError, onnx.checker.ValidationError) as error:
        raise OtherGraphsError(f"weights are missing or of another shape: {error}") from error
    if _SILENCE not in stored:
        raise OtherGraphsError("they take no short windows")
    return found


def _stored(data: bytes) -> dict[str, Array]:
    try:
        graph = onnx.load_model_from_string(data).graph
    except Exception as error:  # the exceptions of protobuf share no base class but this
        raise OtherGraphsError("a graph is not an ONNX model") from error
    return {one.name: numpy_helper.to_array(one) for one in graph.initializer}


def _bits(stored: dict[str, Array]) -> int | None:
    largest = [int(np.abs(value).max()) for name, value in stored.items() if name.endswith(_NUMBERS)]
    if not largest:
        return None
    return 7 if max(largest) <= _SEVEN else 8


def _weights(stored: dict[str, Array], heads: int) -> Weights:
    found: dict[str, Array] = {"encoder/num_heads": np.array(heads, np.int16)}
    width = len(stored["encoder.layer_norm.weight"])

    def linear(name: str, graph: str, *, queries: bool = False) -> None:
        weight, bias = _product(stored, f"{graph}.weight"), stored[f"{graph}.bias"].astype(np.float32)
        if queries:  # the graphs keep queries divided by the root of a head's size
            factor = np.ones(len(bias), np.float32)
            factor[:width] = (width // heads) ** 0.5
            weight, bias = weight * factor, bias * factor
        found[f"{name}/weight"], found[f"{name}/bias"] = np.ascontiguousarray(weight.T), bias

    def norm(name: str, graph: str) -> None:
        found[f"{name}/gamma"], found[f"{name}/beta"] = stored[f"{graph}.weight"], stored[f"{graph}.bias"]

    for number in (1, 2):
        for kind in ("weight", "bias"):
            value = stored[f"encoder.conv{number}.{kind}"]
            found[f"encoder/conv{number}/{kind}"] = value.astype(np.float32)
    for part in ("encoder", "decoder"):
        places = stored[f"{part}.embed_positions"].astype(np.float32)
        found[f"{part}/position_encodings/encodings"] = places
        norm(f"{part}/layer_norm", f"{part}.layer_norm")
        for number in range(_count(stored, part)):
            at, name = f"{part}/layer_{number}", f"{part}.layers.{number}"
            linear(f"{at}/self_attention/linear_0", f"{name}.self_attn.qkv", queries=True)
            linear(f"{at}/self_attention/linear_1", f"{name}.self_attn.out")
            linear(f"{at}/ffn/linear_0", f"{name}.fc1")
            linear(f"{at}/ffn/linear_1", f"{name}.fc2")
            norm(f"{at}/self_attention/layer_norm", f"{name}.self_attn_layer_norm")
            norm(f"{at}/ffn/layer_norm", f"{name}.final_layer_norm")
            if part == "decoder":
                linear(f"{at}/attention/linear_0", f"{name}.encoder_attn.q", queries=True)
                linear(f"{at}/attention/linear_1", f"{name}.encoder_attn.kv")
                linear(f"{at}/attention/linear_2", f"{name}.encoder_attn.out")
                norm(f"{at}/attention/layer_norm", f"{name}.encoder_attn_layer_norm")
    found["decoder/embeddings/weight"] = _table(stored)
    return Weights(found)


def _product(stored: dict[str, Array], name: str) -> Array:
    """Weights [in, out] of a product."""
    if name in stored:
        return stored[name].astype(np.float32)
    found: Array = stored[name + _NUMBERS].astype(np.float32) * stored[name + _FACTORS]
    return found


def _table(stored: dict[str, Array]) -> Array:
    if TABLE in stored:
        return stored[TABLE].astype(np.float32)
    found: Array = stored[TABLE + _NUMBERS].astype(np.float32) * stored[TABLE + _FACTORS][:, None]
    return found


def _count(stored: Iterable[str], part: str) -> int:
    """Layers of a part: as many as have a number in front."""
    return len({name.split(".")[2] for name in stored if name.startswith(f"{part}.layers.")})
