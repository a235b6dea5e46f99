"""Acoustic models: samples in, one row of log-probabilities (or of encodings) for each frame out.

Every layout is brought to the same shape here; what texts are made of the rows is decided elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.errors import ModelError
from appliance.onnx_tools.runtime import open_session
from appliance.speech.acoustic.fbank import fbank
from appliance.speech.acoustic.types import LogProbs
from appliance.speech.audio.wav import Samples
from appliance.speech.model.folder import Context, SpeechFolder
from appliance.speech.model.layout import Layout

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_BANDS: Final = 80
_LEAST_SECONDS: Final = 0.2  # shorter audio is padded: convolutions need something to stand on
_TRIED_SECONDS: Final = (1, 3)
_CPU: Final = ("CPUExecutionProvider",)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcousticModel:
    """A loaded acoustic model; several threads may use it at once.

    Attributes:
        rate: Samples a second that it takes.
        frame: Samples from one frame to the next.
        context: What a frame depends on; None if on the whole utterance.
        rows: Samples, -1…1, to log-probabilities [frames, tokens].
    """

    rate: int
    frame: int
    context: Context | None
    rows: Callable[[Samples], LogProbs]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransducerModel:
    """A loaded transducer; several threads may use it at once.

    Attributes:
        rate: Samples a second that it takes.
        frame: Samples from one frame to the next.
        encode: Samples to encodings [frames, width].
        predict: The last pieces, `history` of them, to a decoder row [1, width].
        join: An encoding and a decoder row [1, width] to log-probabilities [tokens].
        history: Pieces that the decoder looks back.
    """

    rate: int
    frame: int
    encode: Callable[[Samples], NDArray[np.float32]]
    predict: Callable[[Sequence[int]], NDArray[np.float32]]
    join: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
    history: int


def load_ctc(folder: SpeechFolder, *, providers: Sequence[str] = _CPU) -> AcousticModel:
    """Load a CTC model and try it on silence.

    Raises:
        ModelError: onnxruntime refuses it, or it does not do what the folder says.
    """
    session = open_session(folder.read("model"), providers, name=folder.graphs.files["model"])
    if folder.graphs.layout is Layout.HF_CTC:
        rows = _waveform_rows(session, normalize=folder.normalize)
    else:
        rows = _feature_rows(session, rate=folder.rate)
    padded = _padded(rows, folder.rate)
    frame = _frame(padded, folder.rate, folder.graphs.files["model"], columns=len(folder.vocabulary))
    context = folder.context
    if context is not None and context.frame != frame:
        raise ModelError(
            f"model.json says a frame is {context.frame} samples, but the model writes one every {frame}"
        )
    return AcousticModel(rate=folder.rate, frame=frame, context=context, rows=padded)


def load_transducer(folder: SpeechFolder, *, providers: Sequence[str] = _CPU) -> TransducerModel:
    """Load a transducer and try it on silence.

    Raises:
        ModelError: onnxruntime refuses a graph, or they do not fit together.
    """
    encoder, decoder, joiner = (
        open_session(folder.read(part), providers, name=folder.graphs.files[part])
        for part in ("encoder", "decoder", "joiner")
    )
    history = folder.metadata["decoder"].get("context_size", "2")
    if not history.isdecimal() or not 1 <= int(history) <= 16:
        raise ModelError(f"{folder.graphs.files['decoder']} states no usable context_size")
    names = [node.name for node in joiner.get_inputs()]
    first, second = ("encoder_out", "decoder_out") if set(names) == {"encoder_out", "decoder_out"} else names

    def encode(samples: Samples) -> NDArray[np.float32]:
        return _features_into(encoder, samples, folder.rate)

    def predict(last: Sequence[int]) -> NDArray[np.float32]:
        row: NDArray[np.float32] = decoder.run(None, {"y": np.array([last], np.int64)})[0]
        return row.reshape(1, -1)

    def join(row: NDArray[np.float32], state: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = joiner.run(None, {first: row.reshape(1, -1), second: state})[0]
        scores: NDArray[np.float32] = log_softmax(logits.reshape(1, -1))[0]
        return scores

    padded = _padded(encode, folder.rate)
    frame = _frame(padded, folder.rate, folder.graphs.files["encoder"], columns=None)
    try:
        row = padded(np.zeros(folder.rate, np.float32))[0]
        tokens = len(join(row, predict([-1] * (int(history) - 1) + [folder.vocabulary.blank])))
    except Exception as error:  # onnxruntime's exceptions share no base class but this
        raise ModelError(f"the parts of the transducer do not fit together: {error}") from error
    _check_columns(tokens, len(folder.vocabulary))
    return TransducerModel(
        rate=folder.rate, frame=frame, encode=padded, predict=predict, join=join, history=int(history)
    )


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of probabilities along the last axis; what is one already stays the same."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def _waveform_rows(session: "InferenceSession", *, normalize: bool) -> Callable[[Samples], LogProbs]:
    names = {node.name for node in session.get_inputs()}

    def rows(samples: Samples) -> LogProbs:
        values = samples.astype(np.float32, copy=False)
        if normalize:
            values = (values - values.mean()) / np.sqrt(values.var() + 1e-7)
        feed: dict[str, Any] = {"input_values": values[None, :]}
        if "attention_mask" in names:
            feed["attention_mask"] = np.ones((1, len(values)), np.int64)
        logits = session.run(("logits",), feed)[0]
        return log_softmax(logits[0].astype(np.float32, copy=False))

    return rows


def _feature_rows(session: "InferenceSession", *, rate: int) -> Callable[[Samples], LogProbs]:
    return lambda samples: log_softmax(_features_into(session, samples, rate))


def _features_into(session: "InferenceSession", samples: Samples, rate: int) -> NDArray[np.float32]:
    features = fbank(samples, rate=rate, bands=_BANDS)
    outputs = session.run(None, {"x": features[None], "x_lens": np.array([len(features)], np.int64)})
    rows: NDArray[np.float32] = outputs[0][0].astype(np.float32, copy=False)
    return rows[: int(outputs[1].ravel()[0])] if len(outputs) > 1 else rows


def _padded(rows: Callable[[Samples], LogProbs], rate: int) -> Callable[[Samples], LogProbs]:
    least = int(rate * _LEAST_SECONDS)

    def padded(samples: Samples) -> LogProbs:
        if len(samples) < least:
            samples = np.concatenate((samples, np.zeros(least - len(samples), np.float32)))
        return rows(samples)

    return padded


def _frame(rows: Callable[[Samples], LogProbs], rate: int, name: str, *, columns: int | None) -> int:
    """Samples of a frame, from what two stretches of silence give; a bad export fails here."""
    short, long = _TRIED_SECONDS
    try:
        shorter, longer = (rows(np.zeros(seconds * rate, np.float32)) for seconds in (short, long))
    except Exception as error:  # onnxruntime's exceptions share no base class but this
        raise ModelError(f"{name} fails on {short} s of silence: {error}") from error
    if columns is not None:
        _check_columns(longer.shape[-1], columns)
    gained = len(longer) - len(shorter)
    if shorter.ndim != 2 or gained <= 0:
        raise ModelError(f"{name} does not write more frames for longer audio")
    frame = rate * (long - short) / gained
    return round(frame / 16) * 16 if frame >= 64 else round(frame)


def _check_columns(columns: int, tokens: int) -> None:
    if columns != tokens:
        raise ModelError(
            f"the model writes {columns} columns, but its vocabulary names {tokens} pieces",
            hint="take vocabulary and model from the same export",
        )
