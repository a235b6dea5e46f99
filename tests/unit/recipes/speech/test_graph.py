import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recipes.speech.graph import INPUT, Weights, build
from recipes.speech.layout import ALIGNED, FRAME, VOCABULARY, Shape, context, mel_matrix

SHAPE = Shape(
    bands=16,
    mean_frames=8,
    maps=(3, 4),
    width=8,
    wide=12,
    blocks=((2, 1), (1, 0), (0, 2)),
    tap=1,
    dropout=0.0,
)
SECONDS = 2
ROUNDING = 2e-5
Wave = NDArray[np.float32]


def weights(shape: Shape = SHAPE) -> Weights:
    random = np.random.default_rng(1)
    first, second = shape.maps
    sizes: dict[str, tuple[int, ...]] = {
        "first.weight": (first, 2, 3, 3),
        "first.bias": (first,),
        "second.weight": (second, first, 3, 3),
        "second.bias": (second,),
        "enter.weight": (shape.width, second * (shape.bands // 4)),
        "enter.bias": (shape.width,),
        "head.weight": (2 * len(VOCABULARY), shape.width),
        "head.bias": (2 * len(VOCABULARY),),
    }
    for number, (left, right) in enumerate(shape.blocks):
        sizes[f"blocks.{number}.mix.weight"] = (shape.width, 1, left + right + 1)
        sizes[f"blocks.{number}.mix.bias"] = (shape.width,)
        sizes[f"blocks.{number}.grow.weight"] = (shape.wide, shape.width)
        sizes[f"blocks.{number}.grow.bias"] = (shape.wide,)
        sizes[f"blocks.{number}.shrink.weight"] = (shape.width, shape.wide)
        sizes[f"blocks.{number}.shrink.bias"] = (shape.width,)
    made = {name: random.normal(scale=0.4, size=size).astype(np.float32) for name, size in sizes.items()}
    for name in ("norm", *(f"blocks.{number}.norm" for number in range(len(shape.blocks)))):
        made[f"{name}.weight"] = np.ones(shape.width, np.float32)
        made[f"{name}.bias"] = np.zeros(shape.width, np.float32)
    return made | {
        "mean": np.full(shape.bands, -12, np.float32),
        "scale": np.full(shape.bands, 0.3, np.float32),
    }


def session(*, small: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    data = build(weights(), SHAPE, small=small).SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


SESSION = session(small=True)


def speech(samples: int, seed: int = 1) -> Wave:
    random = np.random.default_rng(seed)
    loudness = np.interp(np.arange(samples), np.linspace(0, samples, 12), random.uniform(0, 0.2, 12))
    return (loudness * random.normal(size=samples)).astype(np.float32)


def logits(*waves: Wave) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = SESSION.run(None, {INPUT: np.stack(waves)})[0]
    return rows


@given(samples=st.integers(FRAME, 8000))
@settings(max_examples=25)
def test_there_is_a_frame_for_every_whole_20_ms(samples: int) -> None:
    assert logits(speech(samples)).shape == (1, samples // FRAME, len(VOCABULARY))


@given(first=st.integers(0, 90), count=st.integers(1, 9))
@settings(max_examples=25)
def test_a_window_with_the_stated_context_gives_the_frames_of_the_whole(first: int, count: int) -> None:
    wave = speech(SECONDS * 16_000)
    left, right = context(SHAPE)
    whole = logits(wave)[0, first : first + count]
    start = max(0, first * FRAME - left) // ALIGNED * ALIGNED
    end = (first + count) * FRAME + right
    part = logits(wave[start:end])[0, first - start // FRAME :][:count]
    np.testing.assert_allclose(part[: len(whole)], whole, atol=ROUNDING)


def test_less_context_than_stated_changes_frames() -> None:
    wave = speech(SECONDS * 16_000)
    left, right = context(SHAPE)
    whole = logits(wave)[0]
    start = (51 * FRAME - left) // ALIGNED * ALIGNED + 2 * ALIGNED
    late = logits(wave[start:])[0]
    assert np.abs(late[51 - start // FRAME] - whole[51]).max() > 10 * ROUNDING
    early = logits(wave[: 51 * FRAME + right - ALIGNED])[0]
    assert np.abs(early[50] - whole[50]).max() > 10 * ROUNDING


def test_a_recording_gives_the_same_frames_whatever_shares_its_batch() -> None:
    mine = speech(12_800)
    alone = logits(mine)[0]
    for seed in (2, 3):
        np.testing.assert_array_equal(logits(speech(12_800, seed), mine)[1], alone)


def test_eight_bits_are_close_to_float() -> None:
    wave = speech(16_000)
    exact = session(small=False).run(None, {INPUT: wave[None]})[0]
    assert np.abs(logits(wave) - exact).max() < 0.05 * np.abs(exact).max()


def test_each_filter_of_the_front_end_hears_something_and_a_warp_moves_it() -> None:
    plain, warped = mel_matrix(64), mel_matrix(64, 1.1)
    assert (plain.sum(axis=0) > 0).all()
    centres = [
        (matrix * np.arange(len(matrix))[:, None]).sum(axis=0) / matrix.sum(axis=0)
        for matrix in (plain, warped)
    ]
    assert centres[1][30] == pytest.approx(1.1 * centres[0][30], rel=0.03)


def test_the_graph_is_the_network_that_was_trained() -> None:
    torch = pytest.importorskip("torch", reason="torch is needed to train only and is not installed here")
    from recipes.speech.model import SpeechModel

    model = SpeechModel(SHAPE).eval()
    held = {name: torch.from_numpy(value) for name, value in weights().items()}
    model.load_state_dict(held, strict=False)
    wave = speech(16_123)
    with torch.no_grad():
        trained = model(torch.from_numpy(wave[None])).numpy()
    exact = session(small=False).run(None, {INPUT: wave[None]})[0]
    np.testing.assert_allclose(exact, trained, atol=1e-4)
