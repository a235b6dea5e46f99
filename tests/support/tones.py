"""A language of tones, and a model that reads it: each letter is a pure tone of its own.

The model has the layout and the finite context of the bundled one and writes what is played to it without a
mistake, so protocol and segmentation are tested against known texts, whatever any trained model can do.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

RATE = 16_000
FRAME = 320
LETTERS = "|'abcdefghijklmnopqrstuvwxyz"
PIECES = ["<pad>", "<unk>", *LETTERS]
LETTER_SECONDS = 0.06
GAP_SECONDS = 0.02
_LOUD = 0.2


def frequency(letter: str) -> float:
    """A whole number of periods in a frame, so that neighbours do not disturb one another."""
    return 400.0 + 100.0 * LETTERS.index("|" if letter == " " else letter)


def speak(text: str, *, rate: int = RATE, level: float = _LOUD) -> NDArray[np.float32]:
    """Play a text: letters of 60 ms with gaps of 20 ms."""
    tone = np.arange(int(LETTER_SECONDS * rate)) / rate
    gap = np.zeros(int(GAP_SECONDS * rate))
    parts = [np.concatenate((level * np.sin(2 * np.pi * frequency(one) * tone), gap)) for one in text]
    return np.concatenate(parts).astype(np.float32)


def silence(seconds: float, *, rate: int = RATE) -> NDArray[np.float32]:
    return np.zeros(int(seconds * rate), np.float32)


def wave(samples: NDArray[np.float32]) -> bytes:
    """PCM of 16 bits."""
    return (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def write_model(folder: Path, *, streaming: bool = True, language: str = "en-US", **more: Any) -> Path:
    """Write the model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(FRAME) / RATE
    waves = []
    for letter in LETTERS:
        for shape in (np.sin, np.cos):
            waves.append(shape(2 * np.pi * frequency(letter) * time) * 2 / FRAME)
    kernel = np.array(waves, np.float32)[:, None, :]
    pairs = np.zeros((len(LETTERS), 2 * len(LETTERS)), np.float32)
    for number in range(len(LETTERS)):
        pairs[number, 2 * number : 2 * number + 2] = 1
    weights: dict[str, NDArray[Any]] = {
        "kernel": kernel,
        "pairs": pairs[:, :, None],
        "scale": np.array(4_000, np.float32),
        "axis": np.array([1], np.int64),
        # <pad> wins where no tone is heard, or only its edge, which has a bit of every letter; <unk> never
        "columns": np.array([[14.0], [-50.0]], np.float32)[None],
        "none": np.zeros((1, 2, 1), np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "axis"], ["wide"]),
        helper.make_node("Conv", ["wide", "kernel"], ["waves"], strides=[FRAME]),
        helper.make_node("Mul", ["waves", "waves"], ["squares"]),
        helper.make_node("Conv", ["squares", "pairs"], ["power"]),
        helper.make_node("Mul", ["power", "scale"], ["letters"]),
        helper.make_node("Slice", ["letters", "zero", "two", "one"], ["first"]),
        helper.make_node("Mul", ["first", "none"], ["blank"]),
        helper.make_node("Add", ["blank", "columns"], ["special"]),
        helper.make_node("Concat", ["special", "letters"], ["rows"], axis=1),
        helper.make_node("Transpose", ["rows"], ["logits"], perm=[0, 2, 1]),
    ]
    weights |= {name: np.array([value], np.int64) for name, value in (("zero", 0), ("two", 2), ("one", 1))}
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "frames", len(PIECES)])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    files = {
        "model.onnx": model.SerializeToString(),
        "vocab.json": json.dumps({piece: number for number, piece in enumerate(PIECES)}).encode(),
        "config.json": json.dumps({"architectures": ["TonesForCTC"], "vocab_size": len(PIECES)}).encode(),
        "preprocessor_config.json": json.dumps({"sampling_rate": RATE, "do_normalize": False}).encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    manifest: dict[str, Any] = {
        "format": 1,
        "task": "speech-ctc",
        "name": "tones",
        "line": "tones/1",
        "release": "1.0.0",
        "language": language,
        "description": "Reads tones.",
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        **more,
    }
    if streaming:
        manifest["streaming"] = {"frame_samples": FRAME, "left_samples": 0, "right_samples": FRAME}
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder
