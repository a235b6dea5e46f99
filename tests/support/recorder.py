"""A recording as a browser makes it: the sound is played inside a page, and MediaRecorder records it."""

import base64
import io
import json
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.support.browser import Page

_RECORD = """
(async () => {
  const bytes = Uint8Array.from(atob(WAV), (one) => one.charCodeAt(0));
  const context = new AudioContext();
  await context.resume();
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(bytes.buffer);
  const stream = context.createMediaStreamDestination();
  source.connect(stream);
  const recorder = new MediaRecorder(stream.stream, OPTIONS);
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((done) => { recorder.onstop = done; });
  const played = new Promise((done) => { source.onended = done; });
  recorder.start(SLICE);
  source.start();
  await played;
  recorder.stop();
  await stopped;
  window.recording = new Blob(parts, {type: recorder.mimeType});
  const found = new Uint8Array(await window.recording.arrayBuffer());
  return btoa(Array.from(found, (one) => String.fromCharCode(one)).join(''));
})()
"""


async def record(
    page: Page, samples: NDArray[np.float32], rate: int, *, slice_ms: int | None = None, **options: Any
) -> bytes:
    """Play samples in a page and return what MediaRecorder makes of them, in the time that they take.

    The page keeps it as `window.recording`.

    Args:
        page: The page.
        samples: One channel.
        rate: Samples a second.
        slice_ms: Have it given in pieces of so many milliseconds; None: as one.
        options: Of the MediaRecorder, beside its type.
    """
    return base64.b64decode(await page.run(script(samples, rate, slice_ms=slice_ms, **options)))


def script(samples: NDArray[np.float32], rate: int, *, slice_ms: int | None = None, **options: Any) -> str:
    """What a page is to run, as of `record`; a promise of the recording in base64."""
    data = io.BytesIO()
    soundfile.write(data, samples, rate, "PCM_16", format="WAV")
    wanted = {"mimeType": "audio/webm;codecs=opus", **options}
    given = _RECORD.replace("WAV", json.dumps(base64.b64encode(data.getvalue()).decode()))
    return given.replace("OPTIONS", json.dumps(wanted)).replace("SLICE", str(slice_ms or ""))
