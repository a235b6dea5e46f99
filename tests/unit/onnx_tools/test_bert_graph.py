import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.ner.casing import CASE_CLASSES
from appliance.onnx_tools.bert_graph import (
    BLOCK,
    HALF_RANGE,
    Shape,
    build,
    quantized,
    quantized_rows,
    unpacked_rows,
)
from appliance.training.best.encoder_weights import read_weights
from recipes.ner.corpora import LABELS, SERVED_LABELS

WORDS, WIDTH, WIDE, PLACES = 50, 32, 64, 40
SHAPE = Shape(layers=2, heads=2, epsilon=1e-12)
Feed = dict[str, NDArray[np.int64]]


def weights() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(1)
    sizes: dict[str, tuple[int, ...]] = {"head.weight": (len(LABELS), WIDTH), "head.bias": (len(LABELS),)}
    rows = {"word": WORDS, "position": PLACES, "token_type": CASE_CLASSES}
    sizes |= {f"encoder.embeddings.{name}_embeddings.weight": (count, WIDTH) for name, count in rows.items()}
    dense = {
        "attention.self.query": (WIDTH, WIDTH),
        "attention.self.key": (WIDTH, WIDTH),
        "attention.self.value": (WIDTH, WIDTH),
        "attention.output.dense": (WIDTH, WIDTH),
        "intermediate.dense": (WIDE, WIDTH),
        "output.dense": (WIDTH, WIDE),
    }
    for layer in range(SHAPE.layers):
        for name, size in dense.items():
            sizes[f"encoder.encoder.layer.{layer}.{name}.weight"] = size
            sizes[f"encoder.encoder.layer.{layer}.{name}.bias"] = size[:1]
    made = {name: random.normal(scale=0.2, size=size).astype(np.float32) for name, size in sizes.items()}
    norms = ["encoder.embeddings.LayerNorm"]
    for layer in range(SHAPE.layers):
        norms += [
            f"encoder.encoder.layer.{layer}.{part}.LayerNorm" for part in ("attention.output", "output")
        ]
    for norm in norms:
        made[f"{norm}.weight"] = np.ones(WIDTH, dtype=np.float32)
        made[f"{norm}.bias"] = np.zeros(WIDTH, dtype=np.float32)
    return made


def session(scaling: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    data = build(
        weights(), SHAPE, scaling, hidden=(1, 2), served_labels=len(SERVED_LABELS)
    ).SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


SESSIONS = {scaling: session(scaling) for scaling in ("float", "token", "tensor")}


def feed(seed: int, batch: int, tokens: int) -> Feed:
    random = np.random.default_rng(seed)
    return {
        "input_ids": random.integers(0, WORDS, (batch, tokens)),
        "attention_mask": np.ones((batch, tokens), dtype=np.int64),
        "token_type_ids": random.integers(0, CASE_CLASSES, (batch, tokens)),
    }


@pytest.mark.parametrize("scaling", SESSIONS)
def test_outputs_are_served_labels_and_hidden_layers(scaling: str) -> None:
    names = [output.name for output in SESSIONS[scaling].get_outputs()]
    logits, first, _ = SESSIONS[scaling].run(None, feed(1, 2, 5))
    assert names == ["logits", "hidden_1", "hidden_2"]
    assert logits.shape == (2, 5, len(SERVED_LABELS))
    assert first.shape == (2, 5, WIDTH)


@pytest.mark.parametrize("scaling", ["token", "tensor"])
def test_eight_bits_stay_close_to_float(scaling: str) -> None:
    values = feed(2, 3, 9)
    exact = SESSIONS["float"].run(["logits"], values)[0]
    rounded = SESSIONS[scaling].run(["logits"], values)[0]
    assert np.abs(exact - rounded).mean() < 0.15 * exact.std()


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(1, 20), st.integers(0, 19), st.integers(0, 4))
def test_scales_per_token_make_a_row_independent_of_its_batch(
    seed: int, tokens: int, padding: int, others: int
) -> None:
    alone = feed(seed, 1, tokens)
    shared = feed(seed + 1, others + 1, tokens + padding)
    for name, values in alone.items():
        shared[name][-1] = np.pad(values[0], (0, padding))
    results = SESSIONS["token"].run(None, alone), SESSIONS["token"].run(None, shared)
    for mine, ours in zip(*results, strict=True):
        assert np.array_equal(mine[0], ours[-1, :tokens])


@given(st.integers(0, 999))
def test_weights_use_seven_bits_and_lose_at_most_a_part_of_the_largest(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32)
    numbers, scale = quantized(values)
    assert numbers.min() >= -HALF_RANGE
    assert numbers.max() < HALF_RANGE
    assert np.abs(numbers * scale - values).max() <= 0.31 * np.abs(values).max()


def unpacked(table: NDArray[np.float32]) -> NDArray[np.float32]:
    return unpacked_rows(*quantized_rows(table))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-3, 1.0, 100.0]))
@settings(max_examples=50)
def test_a_table_in_four_bits_is_off_by_less_than_a_step_and_comes_out_again_as_it_was(
    seed: int, size: float
) -> None:
    table = np.random.default_rng(seed).normal(scale=size, size=(6, 2 * BLOCK)).astype(np.float32)
    once = unpacked(table)
    step = np.abs(table.reshape(6, 2, BLOCK)).max(-1).repeat(BLOCK, axis=-1) / 8
    assert (np.abs(once - table) <= step * 1.01 + 1e-6).all()
    assert (unpacked(once) == once).all()


def test_tokens_are_looked_up_in_four_bits_as_in_the_table_they_stand_for() -> None:
    given_weights = weights()
    name = "encoder.embeddings.word_embeddings.weight"
    given_weights[name] = unpacked(given_weights[name])
    no_layers = Shape(layers=0, heads=2, epsilon=1e-12)
    whole, small = (
        ort.InferenceSession(
            build(given_weights, no_layers, scaling, hidden=(), word_bits=4).SerializeToString(),
            providers=["CPUExecutionProvider"],
        ).run(None, feed(3, 2, 7))[0]
        for scaling in ("float", "token")
    )
    assert (whole == small).all()


def test_a_table_in_four_bits_is_read_back_exactly() -> None:
    name = "encoder.embeddings.word_embeddings.weight"
    data = build(weights(), SHAPE, "token", hidden=(1,), word_bits=4).SerializeToString()
    again = read_weights(data)
    assert again.shape.layers == SHAPE.layers and again.shape.heads == SHAPE.heads
    assert (again.arrays[name] == unpacked(weights()[name])).all()
