"""The graphs of a Whisper model at work: features to an encoding, tokens to logits, with a cache in between.

Names of inputs and outputs are those of Hugging Face Optimum. A decoder is one merged graph, or one that
begins and one that goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.errors import ModelError
from appliance.onnx_tools.runtime import open_session
from appliance.speech.audio.wav import Samples
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.whisper_config import WhisperConfig
from appliance.speech.whisper.features import WINDOW_FRAMES, log_mel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_CPU: Final = ("CPUExecutionProvider",)
_FLOATS: Final = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

Cache = dict[str, Any]
"""Keys and values by the name of the input that takes them."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the encoder made of a phrase.

    Attributes:
        hidden: [1, positions, width], of the type that the decoder takes.
        positions: How many of them hold the phrase and the silence around it; the rest is padding.
    """

    hidden: NDArray[Any]
    positions: int


@dataclass(slots=True)
class DecoderState:
    """A decoder under way: what it has seen, as keys and values.

    Attributes:
        encoding: What it listens to.
        cross: Keys and values of the encoding, made by the first step.
        past: Keys and values of the tokens so far.
        length: Tokens so far.
    """

    encoding: Encoding
    cross: Cache = field(default_factory=dict)
    past: Cache = field(default_factory=dict)
    length: int = 0

    def cut(self, length: int) -> "DecoderState":
        """The same decoder when it had seen only so many tokens."""
        past = {name: value[:, :, :length] for name, value in self.past.items()}
        return DecoderState(self.encoding, self.cross, past, length)


@dataclass(frozen=True, slots=True)
class Step:
    """What the decoder says to some tokens.

    Attributes:
        logits: [tokens, vocabulary], float32: what may follow each.
        attention: [tokens, heads, positions], float32: where each looks, by the alignment heads; None where
        the graph
            does not tell.
    """

    logits: NDArray[np.float32]
    attention: NDArray[np.float32] | None


class WhisperNetwork:
    """A loaded model; several threads may use it at once.

    Args:
        config: What its folder says.
        encoder: Its encoder.
        decoder: The graph that begins a text, or one that does both.
        further: The graph that goes on; None if the first does both.
    """

    def __init__(
        self,
        config: WhisperConfig,
        encoder: "InferenceSession",
        decoder: "InferenceSession",
        further: "InferenceSession | None",
    ) -> None:
        self.config = config
        self._encoder, self._decoder, self._further = encoder, decoder, further or decoder
        self._merged = "use_cache_branch" in _types(decoder)
        self._feature_type = _FLOATS[_types(encoder)["input_features"]]
        self._float = _FLOATS[_types(decoder)["encoder_hidden_states"]]
        self._types = _types(self._further)
        self._attention = _attention_outputs(self._decoder, self._further)
        self._own = [
            _cache(layer, "decoder", part) for layer in range(config.layers) for part in ("key", "value")
        ]
        self._crossed = [
            _cache(layer, "encoder", part) for layer in range(config.layers) for part in ("key", "value")
        ]
        self.short_windows = self._takes_short_windows()

    def encode(self, samples: Samples) -> Encoding:
        """Encode a phrase of up to 30 seconds, -1…1 at 16 kHz."""
        short = log_mel(samples, bands=self.config.bands)
        positions = min(short.shape[1], WINDOW_FRAMES) // 2
        if self.short_windows and short.shape[1] < WINDOW_FRAMES:
            return self.encode_features(short, positions)
        return self.encode_features(
            log_mel(samples, bands=self.config.bands, frames=WINDOW_FRAMES), positions
        )

    def encode_features(self, features: NDArray[np.float32], positions: int) -> Encoding:
        """Encode features [bands, frames]; so many positions of them hold more than padding."""
        given = features[None].astype(self._feature_type)
        hidden = self._encoder.run(("last_hidden_state",), {"input_features": given})[0]
        return Encoding(hidden.astype(self._float, copy=False), positions)

    def begin(self, encoding: Encoding) -> DecoderState:
        """Start a text about an encoding."""
        return DecoderState(encoding)

    def step(self, state: DecoderState, tokens: Sequence[int], *, attend: bool = False) -> Step:
        """Give the decoder its next tokens; `state` goes on with them.

        Args:
            state: The decoder.
            tokens: At least one.
            attend: Whether to return where it looks.
        """
        first = not state.past
        session = self._decoder if first else self._further
        own = [_present(name) for name in self._own]
        crossed = [_present(name) for name in self._crossed] if first else []
        attention = self._attention if attend else []
        results = session.run(["logits", *own, *crossed, *attention], self._feed(state, tokens, first=first))
        logits = results[0][0].astype(np.float32, copy=False)
        at = 1 + len(own)
        state.past = dict(zip(self._own, results[1:at], strict=True))
        if first:
            state.cross = dict(zip(self._crossed, results[at : at + len(crossed)], strict=True))
        state.length += len(tokens)
        looked = None
        if attention:
            by_layer = results[at + len(crossed) :]
            pairs = self.config.alignment_heads
            rows = np.stack([by_layer[layer][0, head] for layer, head in pairs], axis=1)
            looked = rows[:, :, : state.encoding.positions].astype(np.float32, copy=False)
        return Step(logits, looked)

    def _feed(self, state: DecoderState, tokens: Sequence[int], *, first: bool) -> Mapping[str, Any]:
        feed: dict[str, Any] = {"input_ids": np.array([tokens], np.int64)}
        known = _types(self._decoder) if first else self._types
        if "encoder_hidden_states" in known:
            feed["encoder_hidden_states"] = state.encoding.hidden
        if self._merged:
            feed["use_cache_branch"] = np.array([not first])
        if "cache_position" in known:
            feed["cache_position"] = np.arange(state.length, state.length + len(tokens), dtype=np.int64)
        if first and self._merged:
            empty = np.zeros((1, self.config.heads, 0, self.config.width), self._float)
            feed |= dict.fromkeys([*self._own, *self._crossed], empty)
        if not first:
            feed |= state.past | state.cross
        return feed

    def _takes_short_windows(self) -> bool:
        """Whether windows may be shorter than 30 seconds: the decoder then adds what it would see in silence.

        A graph that merely accepts fewer frames repeats itself without end, since it never saw a short
        window.
        """
        try:
            encoding = self.encode_features(
                log_mel(np.zeros(WINDOW_FRAMES, np.float32), bands=self.config.bands), 1
            )
        except Exception:  # onnxruntime's exceptions share no base class but this
            return False
        state = self.begin(encoding)
        self.step(state, [self.config.start])
        remembered: int = state.cross[self._crossed[0]].shape[2]
        return remembered > int(encoding.hidden.shape[1])


def load_network(folder: SpeechFolder, *, providers: Sequence[str] = _CPU) -> WhisperNetwork:
    """Load the graphs of a folder and try them.

    Raises:
        ModelError: onnxruntime refuses one, or they do not fit together or with `config.json`.
    """
    config = folder.whisper
    if config is None:
        raise ValueError("this is no Whisper folder")
    files = folder.graphs.files
    encoder, decoder, further = (
        open_session(folder.read(part), providers, name=files[part]) if part in files else None
        for part in ("encoder", "decoder", "decoder_with_past")
    )
    if encoder is None or decoder is None:
        raise ValueError("a Whisper folder has an encoder and a decoder")
    try:
        network = WhisperNetwork(config, encoder, decoder, further)
        state = network.begin(network.encode(np.zeros(folder.rate, np.float32)))
        network.step(state, [config.start])
        columns = network.step(state, [config.no_timestamps]).logits.shape[1]
    except Exception as error:  # onnxruntime's exceptions share no base class but this
        raise ModelError(f"the graphs of {folder.name} fail on silence: {error}") from error
    if columns != config.vocabulary:
        raise ModelError(
            f"{files['decoder']} writes {columns} columns, but config.json names {config.vocabulary} tokens",
            hint="take graphs and config.json from the same export",
        )
    return network


def _types(session: "InferenceSession") -> dict[str, str]:
    return {node.name: node.type for node in session.get_inputs()}


def _cache(layer: int, which: str, part: str) -> str:
    return f"past_key_values.{layer}.{which}.{part}"


def _present(name: str) -> str:
    return name.replace("past_key_values", "present", 1)


def _attention_outputs(*sessions: "InferenceSession") -> list[str]:
    """Names of the cross attentions by layer, where all graphs give them."""
    given = [{node.name for node in session.get_outputs()} for session in sessions]
    common = [name for name in set.intersection(*given) if name.startswith("cross_attentions.")]
    return sorted(common, key=lambda name: int(name.rpartition(".")[2]))
