"""The tiny Whisper of `tests/vectors/whisper`, in the layouts that exports have."""

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.paths import VECTORS

TINY = VECTORS / "whisper"
MERGED = ("encoder_model.onnx", "decoder_model_merged.onnx")
SPLIT = ("encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx")
BESIDE = ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json")


def tiny_folder(path: Path, *names: str) -> Path:
    """A folder with some of the files of the tiny model."""
    path.mkdir(exist_ok=True)
    for name in names or (*MERGED, *BESIDE):
        shutil.copy(TINY / name, path / name)
    return path


def reference_features() -> NDArray[np.float32]:
    """[80, 3000]: a second signal, and silence."""
    kept = np.load(TINY / "reference.npz")["features"]
    return np.concatenate((kept, np.repeat(kept[:, -1:], 3000 - kept.shape[1], axis=1)), axis=1)
