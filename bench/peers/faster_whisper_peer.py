"""faster-whisper (CTranslate2, 8 bits) with one thread: processor seconds and texts of recordings as JSON.

python faster_whisper_peer.py MODEL CLIPS.npz TURNS
"""

import sys

import numpy as np
from faster_whisper import WhisperModel
from turns import report

model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
clips = list(np.load(sys.argv[2]).values())


def heard(samples):
    found, _ = model.transcribe(
        samples,
        language="en",
        beam_size=1,
        temperature=[0.0, 0.4, 0.8],
        without_timestamps=True,
        condition_on_previous_text=False,
    )
    return " ".join(part.text.strip() for part in found)


report(heard, clips, int(sys.argv[3]))
