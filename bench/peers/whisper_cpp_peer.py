"""whisper.cpp with one thread: processor seconds and texts of recordings as JSON.

python whisper_cpp_peer.py MODEL CLIPS.npz TURNS
"""

import sys

import numpy as np
from pywhispercpp.model import Model
from turns import report

model = Model(
    sys.argv[1], n_threads=1, print_progress=False, print_realtime=False, redirect_whispercpp_logs_to=None
)
clips = [clip.astype(np.float32) for clip in np.load(sys.argv[2]).values()]


def heard(samples):
    found = model.transcribe(samples, language="en", no_context=True, no_timestamps=True)
    return " ".join(part.text.strip() for part in found)


report(heard, clips, int(sys.argv[3]))
