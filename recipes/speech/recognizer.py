"""A model folder as it is served, for scoring: whole recordings in, two readings of each out."""

from pathlib import Path

import numpy as np

from appliance.speech.acoustic.model import load_ctc
from appliance.speech.acoustic.types import LogProbs
from appliance.speech.decoding.ctc import CtcDecoder, greedy
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.recognition.stream import LEAD_SECONDS, TAIL_SECONDS
from recipes.speech.clips import RATE, Wave

LEAD = int(LEAD_SECONDS * RATE)
SILENCE = int(TAIL_SECONDS * RATE)
"""Samples of silence before and after a recording, as `Listener` adds them: some begin or end with speech."""


class Recogniser:
    """Reads recordings with the model in the folder `path`.

    Raises:
        ModelError: It is no speech model, or not the one it says it is.
    """

    def __init__(self, path: Path) -> None:
        folder = SpeechFolder.open(path)
        self._model = load_ctc(folder)
        self._decoder = CtcDecoder(folder.vocabulary, lexicon=folder.lexicon, beam=folder.decoding.beam)

    def log_probs(self, wave: Wave) -> LogProbs:
        """Natural logarithms of the chances of each label, float32 [frames, labels]."""
        return self._model.rows(np.pad(wave, (LEAD, SILENCE)))

    def both(self, wave: Wave) -> tuple[str, str]:
        """Read a recording greedily, and by prefix beam with the word list."""
        frames = self.log_probs(wave)
        return greedy(frames, self._decoder.vocabulary), self._decoder.decode(frames).text
