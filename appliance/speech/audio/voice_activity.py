"""Voice activity detection: by energy above the noise floor, or by a small ONNX model.

The energy detector prefers to say "speech": a false positive costs CPU; a false negative loses speech.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np

from appliance.errors import ModelError
from appliance.onnx_tools.runtime import open_session
from appliance.speech.audio.wav import Samples

_FRAME_SECONDS: Final = 0.02
_MARGIN_DB: Final = 9.0
_QUIETEST_DB: Final = -72.0  # below full scale; nothing this quiet is speech
_MEMORY_FRAMES: Final = 150  # the room's noise is the quietest of the last three seconds
_SETTLED_FRAMES: Final = 25
_SMOOTH_FRAMES: Final = 4


class Activity(Protocol):
    """Tells speech from silence, frame by frame; keeps state, so one for each stream.

    Attributes:
        frame: Samples of a frame.
    """

    frame: int

    def voiced(self, samples: Samples) -> bool:
        """Whether the next frame, of exactly `frame` samples, is speech."""
        ...


class EnergyActivity:
    """Speech is what stands out of the quietest moments of the last three seconds.

    Args:
        rate: Samples a second.
    """

    def __init__(self, rate: int) -> None:
        self.frame = int(rate * _FRAME_SECONDS)
        self._smooth: deque[float] = deque(maxlen=_SMOOTH_FRAMES)
        self._recent: deque[float] = deque(maxlen=_MEMORY_FRAMES)

    def voiced(self, samples: Samples) -> bool:
        """See `Activity.voiced`."""
        centred = samples - samples.mean()
        power = float(np.dot(centred, centred)) / len(centred)
        level = 10 * math.log10(power + 1e-12)
        self._smooth.append(level)
        self._recent.append(sum(self._smooth) / len(self._smooth))
        floor = min(self._recent) if len(self._recent) >= _SETTLED_FRAMES else -120.0
        return level > max(floor + _MARGIN_DB, _QUIETEST_DB)


class OnnxActivity:
    """A small recurrent network in the layout of Silero VAD: input, state and rate in, probability out.

    Args:
        session: Computes one frame: samples [1, context + frame], state, to probability and state.
        rate: Samples a second, 8000 or 16000.
        threshold: Probability from which a frame is speech.
    """

    def __init__(
        self, session: Callable[[Samples, Any], tuple[float, Any]], *, rate: int, threshold: float = 0.4
    ) -> None:
        self.frame = 512 if rate == 16_000 else 256
        self._context = np.zeros(self.frame // 8, np.float32)
        self._session = session
        self._state: Any = np.zeros((2, 1, 128), np.float32)
        self._threshold = threshold

    def voiced(self, samples: Samples) -> bool:
        """See `Activity.voiced`."""
        window = np.concatenate((self._context, samples))
        self._context = samples[-len(self._context) :]
        probability, self._state = self._session(window, self._state)
        return probability >= self._threshold


def load_onnx_activity(data: bytes, *, rate: int) -> Callable[[], Activity]:
    """Load a network in the layout of Silero VAD; what returns makes a detector for a stream.

    Raises:
        ModelError: It is of another layout, or fails on silence.
    """
    session = open_session(data, name="the voice activity model")
    inputs = {node.name for node in session.get_inputs()}
    if not {"input", "state"} <= inputs <= {"input", "state", "sr"}:
        raise ModelError(
            f"the voice activity model takes inputs {sorted(inputs)}",
            hint="inputs must be input, state and sr, as Silero VAD 5 and later has them",
        )

    def run(window: Samples, state: Any) -> tuple[float, Any]:
        feed: dict[str, Any] = {"input": window[None, :], "state": state}
        if "sr" in inputs:
            feed["sr"] = np.array(rate, np.int64)
        probability, state = session.run(None, feed)
        return float(probability.ravel()[0]), state

    try:
        tried = OnnxActivity(run, rate=rate)
        tried.voiced(np.zeros(tried.frame, np.float32))
    except Exception as error:  # onnxruntime's exceptions share no base class but this
        raise ModelError(f"the voice activity model fails on silence: {error}") from error
    return lambda: OnnxActivity(run, rate=rate)
