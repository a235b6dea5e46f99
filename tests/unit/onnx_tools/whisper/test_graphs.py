"""The graphs compute what Whisper does, with short windows too, and go on from a cache."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from appliance.onnx_tools.whisper.decoder import decoder
from appliance.onnx_tools.whisper.encoder import encoder
from appliance.onnx_tools.whisper.silence import FLOOR, STRIDE, by_head, encoded, gelu, normed, silence
from appliance.onnx_tools.whisper.weights import Weights
from tests.support.tiny_whisper import HEADS, LAYERS, MELS, POSITIONS, VOCAB, WIDTH, arrays

Array = NDArray[Any]

WEIGHTS = Weights(arrays())
TOKENS = np.array([[5, 3, 17, 30, 2, 9]], np.int64)
HEARD = np.random.default_rng(3).normal(size=(1, POSITIONS, WIDTH)).astype(np.float32)


class Session:
    """A graph that runs, with values by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self.names = [one.name for one in self._session.get_outputs()]

    def run(self, **values: Array) -> dict[str, Array]:
        return dict(zip(self.names, self._session.run(None, values), strict=True))


def spoken(frames: int) -> Array:
    """Log-mel bands of something loud."""
    return np.random.default_rng(frames).uniform(-0.5, 1.1, (1, MELS, frames)).astype(np.float32)


def padded(mel: Array) -> Array:
    """The same with silence up to the longest window."""
    rest = 2 * POSITIONS - mel.shape[2]
    return np.pad(mel, ((0, 0), (0, 0), (0, rest)), constant_values=FLOOR)


def encode(mel: Array, *, still: bool = True, bits: int | None = None) -> Array:
    graph = encoder(WEIGHTS, silence(WEIGHTS) if still else None, bits=bits)
    return Session(graph).run(input_features=mel)["last_hidden_state"]


def test_sizes_are_those_of_the_weights() -> None:
    assert (WEIGHTS.heads, WEIGHTS.width, WEIGHTS.vocab) == (HEADS, WIDTH, VOCAB)
    assert (WEIGHTS.mels, WEIGHTS.positions) == (MELS, POSITIONS)
    assert WEIGHTS.layers == {"encoder": LAYERS, "decoder": LAYERS}


@pytest.mark.parametrize("still", [False, True])
def test_the_encoder_of_the_longest_window_is_plain_whisper(*, still: bool) -> None:
    mel = spoken(2 * POSITIONS)
    assert np.allclose(encode(mel, still=still)[0], encoded(WEIGHTS, mel[0])[-1], atol=1e-5)


def test_a_short_window_answers_much_more_like_padding_than_a_cut_one() -> None:
    mel = spoken(40)
    whole = encode(padded(mel))[:, :20]
    short, cut = (np.abs(encode(mel, still=still) - whole).mean() for still in (True, False))
    assert short < cut / 3


def test_what_is_seen_of_silence_are_strided_states_with_the_logarithm_of_the_stride() -> None:
    """The first layer's attention computed beside the graph: keys of the window and of silence together."""
    small = Weights({name: value for name, value in arrays().items() if "layer_1/" not in name})
    graph = encoder(small, silence(small), bits=None)
    mel = spoken(48)
    found = Session(graph).run(input_features=mel)["last_hidden_state"][0]
    window, still = encoded(small, mel[0])[0], silence(small)[0][-(-24 // STRIDE) :]
    at = "encoder/layer_0/self_attention"
    weight, bias = small.linear(f"{at}/linear_0")
    seen = normed(np.concatenate((window, still)), *small.norm(f"{at}/layer_norm")) @ weight + bias
    query, key, value = (by_head(part, HEADS)[0] for part in np.split(seen, 3, axis=1))
    score = query[:, :24] @ key.swapaxes(1, 2) / np.sqrt(small.size)
    score[:, :, 24:] += np.log(STRIDE)
    shares = np.exp(score) / np.exp(score).sum(-1, keepdims=True)
    weight, bias = small.linear(f"{at}/linear_1")
    x = window + (shares @ value).swapaxes(0, 1).reshape(24, WIDTH) @ weight + bias
    assert np.allclose(found, finished(small, x, "encoder"), atol=1e-5)


def finished(weights: Weights, x: Array, part: str) -> Array:
    """The dense half of the first layer and the last normalisation."""
    inner = normed(x, *weights.norm(f"{part}/layer_0/ffn/layer_norm"))
    for name, after in (("linear_0", gelu), ("linear_1", lambda value: value)):
        weight, bias = weights.linear(f"{part}/layer_0/ffn/{name}")
        inner = after(inner @ weight + bias)
    return normed(x + inner, *weights.norm(f"{part}/layer_norm"))


def attention(query: Array, key: Array, value: Array, *, causal: bool) -> Array:
    """Attention of all heads, [positions, width] each."""
    q, k, v = (by_head(one, HEADS)[0] for one in (query, key, value))
    score = q @ k.swapaxes(1, 2) / np.sqrt(WIDTH // HEADS)
    if causal:
        score = np.where(np.tri(*score.shape[1:]) > 0, score, -np.inf)
    shares = np.exp(score - score.max(-1, keepdims=True))
    found: Array = (shares / shares.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(query.shape)
    return found


def decoded() -> Array:
    """Logits of `TOKENS` by a decoder in numpy."""
    table = WEIGHTS("decoder/embeddings/weight").astype(np.float64)
    x = table[TOKENS[0]] + WEIGHTS("decoder/position_encodings/encodings")[: TOKENS.shape[1]]
    for layer in range(LAYERS):
        at = f"decoder/layer_{layer}"

        def linear(value: Array, name: str, at: str = at) -> Array:
            weight, bias = WEIGHTS.linear(f"{at}/{name}")
            found: Array = value @ weight + bias
            return found

        def inner(value: Array, name: str, at: str = at) -> Array:
            return normed(value, *WEIGHTS.norm(f"{at}/{name}/layer_norm"))

        parts = np.split(linear(inner(x, "self_attention"), "self_attention/linear_0"), 3, axis=1)
        x = x + linear(attention(*parts, causal=True), "self_attention/linear_1")
        query = linear(inner(x, "attention"), "attention/linear_0")
        key, value = np.split(linear(HEARD[0], "attention/linear_1"), 2, axis=1)
        x = x + linear(attention(query, key, value, causal=False), "attention/linear_2")
        x = x + linear(gelu(linear(inner(x, "ffn"), "ffn/linear_0")), "ffn/linear_1")
    found: Array = normed(x, *WEIGHTS.norm("decoder/layer_norm")) @ table.T
    return found


def nothing() -> dict[str, Array]:
    """An empty cache."""
    empty = np.zeros((1, HEADS, 0, WIDTH // HEADS), np.float32)
    return {
        f"past_key_values.{layer}.{part}.{kind}": empty
        for layer in range(LAYERS)
        for part in ("decoder", "encoder")
        for kind in ("key", "value")
    }


def first(session: Session, heard: Array, tokens: Array) -> dict[str, Array]:
    return session.run(
        input_ids=tokens, encoder_hidden_states=heard, use_cache_branch=np.array([False]), **nothing()
    )


def step_by_step(session: Session, heard: Array) -> Array:
    """Logits of `TOKENS`, two at first and then one by one from the cache."""
    found = first(session, heard, TOKENS[:, :2])
    rows, cache = [found["logits"]], nothing()
    for at in range(2, TOKENS.shape[1]):
        for name in cache:
            value = found[name.replace("past_key_values", "present")]
            if ".encoder." not in name or at == 2:
                cache[name] = value
        found = session.run(
            input_ids=TOKENS[:, at : at + 1],
            encoder_hidden_states=heard,
            use_cache_branch=np.array([True]),
            **cache,
        )
        assert found["present.0.encoder.key"].size == 0
        rows.append(found["logits"])
    return np.concatenate(rows, axis=1)


@pytest.mark.parametrize("still", [False, True])
def test_the_decoder_of_the_longest_window_is_plain_whisper(*, still: bool) -> None:
    session = Session(decoder(WEIGHTS, silence(WEIGHTS)[-1] if still else None, bits=None))
    assert np.allclose(first(session, HEARD, TOKENS)["logits"][0], decoded(), atol=1e-4)


@pytest.mark.parametrize("positions", [20, POSITIONS])
def test_token_by_token_gives_what_all_at_once_gives(positions: int) -> None:
    session = Session(decoder(WEIGHTS, silence(WEIGHTS)[-1], bits=None))
    heard = HEARD[:, :positions]
    whole = first(session, heard, TOKENS)["logits"]
    assert np.allclose(step_by_step(session, heard), whole, atol=1e-4)


def test_attention_to_a_short_window_covers_the_window_and_silence() -> None:
    session = Session(decoder(WEIGHTS, silence(WEIGHTS)[-1], bits=None))
    shares = first(session, HEARD[:, :20], TOKENS)["cross_attentions.1"]
    assert shares.shape == (1, HEADS, TOKENS.shape[1], 20 + POSITIONS // STRIDE - 2)
    assert np.allclose(shares.sum(-1), 1, atol=1e-5)


def test_in_8_bits_the_answers_stay_near() -> None:
    mel = spoken(40)
    plain, small = encode(mel), encode(mel, bits=7)
    assert np.abs(small - plain).mean() < 0.1 * np.abs(plain).mean()
    logits = [
        first(Session(decoder(WEIGHTS, silence(WEIGHTS)[-1], bits=bits)), HEARD[:, :20], TOKENS)["logits"]
        for bits in (None, 7)
    ]
    assert np.abs(logits[1] - logits[0]).mean() < 0.1 * np.abs(logits[0]).mean()


def test_two_recordings_at_once_give_what_each_gives() -> None:
    mel = np.concatenate((spoken(40), spoken(40)[:, :, ::-1]))
    graph = Session(encoder(WEIGHTS, silence(WEIGHTS), bits=None))
    both = graph.run(input_features=mel)["last_hidden_state"]
    each = [graph.run(input_features=one[None])["last_hidden_state"][0] for one in mel]
    assert np.allclose(both, each, atol=1e-5)
