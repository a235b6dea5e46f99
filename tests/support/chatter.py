"""Somebody who talks for hours in the language of tones: short words, and a pause after each sentence."""

import hashlib
import io
import json
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from tests.support.tones import silence, speak, write_model

RATE: Final = 8_000
SENTENCE: Final = "we go on so it is as he or me if no one is up at it we do so to be by my ox"
SECONDS: Final = 8
"""Of a sentence with its pause."""
WORDS: Final = len(SENTENCE.split())


def chatter(seconds: int) -> bytes:
    """Return a WAV file of mu-law, 8,000 bytes a second: `WORDS` words in each `SECONDS`.

    Args:
        seconds: A multiple of `SECONDS`.
    """
    spoken = speak(SENTENCE, rate=RATE)
    one = np.concatenate((spoken, silence(SECONDS, rate=RATE)))[: SECONDS * RATE]
    assert len(spoken) < (SECONDS - 1) * RATE
    data = io.BytesIO()
    soundfile.write(data, np.tile(one, seconds // SECONDS), RATE, "ULAW", format="WAV")
    return data.getvalue()


def write_mishearing(folder: Path) -> Path:
    """Write the folder of a model that takes each l for an r and each r for an l."""
    write_model(folder, name="tones-mishearing", line="mishearing/1")
    swapped = str.maketrans("lr", "rl")
    known = json.loads((folder / "vocab.json").read_text())
    data = json.dumps({piece.translate(swapped): number for piece, number in known.items()}).encode()
    (folder / "vocab.json").write_bytes(data)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["files"]["vocab.json"] = hashlib.sha256(data).hexdigest()
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder
