"""Recordings of ordinary English, and the bundled model that reads them."""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from appliance.speech.model.folder import SpeechFolder
from appliance.speech.whisper.recognizer import WhisperRecognizer, load_recognizer
from tests.support.paths import BUNDLED, ROOT

WHISPER: Final = BUNDLED / "whisper-tiny-en"
RATE: Final = 16_000
_RECORDINGS: Final = ROOT / "tests" / "unit" / "speech" / "dictation"

AMIABLE: Final = "He might even have been made amiable himself."
ASK: Final = (
    "And so my fellow Americans ask not what your country can do for you."
    " Ask what you can do for your country."
)


@cache
def recognizer() -> WhisperRecognizer:
    """The bundled Whisper, loaded once."""
    return load_recognizer(SpeechFolder.open(WHISPER))


def amiable() -> NDArray[np.float32]:
    """Somebody reads a sentence of 3.3 seconds."""
    return _read(_RECORDINGS / "he-might-even-have-been-made-amiable-himself.opus")


def ask() -> NDArray[np.float32]:
    """Eleven seconds of an address."""
    return _read(_RECORDINGS / "ask-what-you-can-do.opus")


def _read(path: Path) -> NDArray[np.float32]:
    found, rate = soundfile.read(path, dtype="float32")
    # Opus is decoded at 48 kHz.
    samples: NDArray[np.float32] = found[:: rate // RATE] if rate != RATE else found
    return samples
