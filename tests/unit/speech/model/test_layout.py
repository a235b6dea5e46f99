"""Model folders as others write them: read by content, equal to the programs they are for, or refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import sherpa_onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import ModelError
from appliance.speech.acoustic.model import load_ctc, load_transducer
from appliance.speech.audio.voice_activity import load_onnx_activity
from appliance.speech.decoding.ctc import greedy
from appliance.speech.decoding.transducer import search
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.layout import Layout
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.stream import Manner, Phrase
from tests.support.paths import VECTORS
from tests.support.tones import RATE, silence, speak, write_model

WAV2VEC2 = VECTORS / "wav2vec2"
TOKENS = ["<blk>", "k", "\u2581a", "\u2581be", "c", "d", "e", "\u2581f", "g", "h", "\u2581i", "j"]
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
Weights = dict[str, NDArray[Any]]


def noise(seed: int = 2) -> NDArray[np.float32]:
    """As `tests/vectors/make_wav2vec2.py` makes it."""
    randomly = np.random.default_rng(seed)
    white = randomly.normal(0, 0.2, 2 * RATE)
    loudness = np.repeat(randomly.random(40), RATE // 20)
    return (np.convolve(white, 0.7 ** np.arange(12))[: 2 * RATE] * loudness).astype(np.float32)


def graph(
    path: Path,
    nodes: list[Any],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: dict[str, tuple[int, list[Any]]],
    weights: Weights,
    **metadata: str,
) -> None:
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, str(path))


def frames(width: int, last: str) -> tuple[list[Any], Weights]:
    """A convolution over four frames of features, without overlap."""
    kernel = np.random.default_rng(4).normal(0, 0.05, (width, 80, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["columns", "kernel"], ["folded"], strides=[4]),
        helper.make_node("Transpose", ["folded"], [last], perm=[0, 2, 1]),
    ]
    return nodes, {"kernel": kernel, "four": np.array([4], np.int64)}


def k2_ctc(folder: Path, **metadata: str) -> Path:
    folder.mkdir(exist_ok=True)
    nodes, weights = frames(len(TOKENS), "rows")
    nodes += [
        helper.make_node("LogSoftmax", ["rows"], ["log_probs"], axis=2),
        helper.make_node("Div", ["x_lens", "four"], ["log_probs_len"]),
    ]
    graph(
        folder / "ctc.onnx",
        nodes,
        {"x": (FLOAT, ["N", "T", 80]), "x_lens": (INT, ["N"])},
        {"log_probs": (FLOAT, ["N", "U", len(TOKENS)]), "log_probs_len": (INT, ["N"])},
        weights,
        **({"model_type": "zipformer2_ctc", "subsampling_factor": "4"} | metadata),
    )
    (folder / "tokens.txt").write_text("".join(f"{one} {number}\n" for number, one in enumerate(TOKENS)))
    return folder


def transducer(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    width, randomly = 16, np.random.default_rng(6)
    nodes, weights = frames(width, "encoder_out")
    nodes.append(helper.make_node("Div", ["x_lens", "four"], ["encoder_out_lens"]))
    graph(
        folder / "encoder-epoch-1.onnx",
        nodes,
        {"x": (FLOAT, ["N", "T", 80]), "x_lens": (INT, ["N"])},
        {"encoder_out": (FLOAT, ["N", "U", width]), "encoder_out_lens": (INT, ["N"])},
        weights,
        model_type="zipformer2",
    )
    table = randomly.normal(0, 1, (len(TOKENS), width)).astype(np.float32)
    graph(
        folder / "decoder-epoch-1.onnx",
        [
            helper.make_node("Clip", ["y", "zero"], ["known"]),
            helper.make_node("Gather", ["table", "known"], ["rows"]),
            helper.make_node("ReduceSum", ["rows", "one"], ["decoder_out"], keepdims=0),
        ],
        {"y": (INT, ["N", 2])},
        {"decoder_out": (FLOAT, ["N", width])},
        {"table": table, "zero": np.array(0, np.int64), "one": np.array([1], np.int64)},
        context_size="2",
        vocab_size=str(len(TOKENS)),
    )
    graph(
        folder / "joiner-epoch-1.onnx",
        [
            helper.make_node("Add", ["encoder_out", "decoder_out"], ["sum"]),
            helper.make_node("Tanh", ["sum"], ["bent"]),
            helper.make_node("MatMul", ["bent", "out"], ["logit"]),
        ],
        {"encoder_out": (FLOAT, ["N", width]), "decoder_out": (FLOAT, ["N", width])},
        {"logit": (FLOAT, ["N", len(TOKENS)])},
        {"out": randomly.normal(0, 1, (width, len(TOKENS))).astype(np.float32)},
        joiner_dim=str(width),
    )
    (folder / "tokens.txt").write_text("".join(f"{one} {number}\n" for number, one in enumerate(TOKENS)))
    return folder


def reference(recognizer: Any, samples: NDArray[np.float32]) -> str:
    stream = recognizer.create_stream()
    stream.accept_waveform(RATE, samples)
    recognizer.decode_stream(stream)
    return " ".join(str(stream.result.text).split())


def test_a_wav2vec2_gives_the_frames_and_the_text_of_transformers() -> None:
    folder = SpeechFolder.open(WAV2VEC2)
    assert folder.graphs.layout is Layout.HF_CTC
    assert folder.normalize  # nested in processor_config.json
    model = load_ctc(folder)
    assert model.frame == 320
    rows = model.rows(noise())
    logits = np.load(WAV2VEC2 / "expected.npy")
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert rows.shape == expected.shape
    assert np.abs(rows - expected).max() < 5e-3  # of 17: random weights are steep, and fused kernels round
    recorded = json.loads((WAV2VEC2 / "expected.json").read_text())
    assert rows.argmax(axis=1).tolist() == recorded["frames"]
    assert greedy(rows, folder.vocabulary) == recorded["text"].lower()
    assert len(set(recorded["text"])) > 8


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_k2_ctc_model_gives_the_text_of_sherpa(tmp_path: Path, seed: int) -> None:
    place = k2_ctc(tmp_path / "k2")
    folder = SpeechFolder.open(place)
    assert folder.graphs.layout is Layout.K2_CTC
    model = load_ctc(folder)
    assert model.frame == 640
    recognizer = sherpa_onnx.OfflineRecognizer.from_zipformer_ctc(
        model=str(place / "ctc.onnx"), tokens=str(place / "tokens.txt"), num_threads=1
    )
    expected = reference(recognizer, noise(seed))
    assert expected
    assert greedy(model.rows(noise(seed)), folder.vocabulary) == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_transducer_gives_the_text_of_sherpa(tmp_path: Path, seed: int) -> None:
    place = transducer(tmp_path / "rnnt")
    folder = SpeechFolder.open(place)
    assert folder.graphs.layout is Layout.TRANSDUCER
    recognizer = sherpa_onnx.OfflineRecognizer.from_transducer(
        encoder=str(place / "encoder-epoch-1.onnx"),
        decoder=str(place / "decoder-epoch-1.onnx"),
        joiner=str(place / "joiner-epoch-1.onnx"),
        tokens=str(place / "tokens.txt"),
        num_threads=1,
    )
    expected = reference(recognizer, noise(seed))
    found = search(load_transducer(folder), noise(seed), folder.vocabulary)
    assert expected
    assert found.text == expected
    assert " ".join(word.text for word in found.words) == expected
    assert all(one.start < one.end for one in found.words)


@pytest.mark.parametrize("make", [k2_ctc, transducer])
def test_such_a_model_serves_a_stream(tmp_path: Path, make: Any) -> None:
    engine = SpeechEngine.load(SpeechFolder.open(make(tmp_path / "model")), threads=1)
    listener = engine.listener(Manner(single=False))
    events = listener.feed(noise())
    events += listener.finish()
    (phrase,) = [event for event in events if isinstance(event, Phrase)]
    assert phrase.heard[0].text
    engine.close()


def test_a_model_with_finite_context_hears_the_same_in_windows_as_at_once(tmp_path: Path) -> None:
    samples = np.concatenate((silence(0.2), speak("the quick brown fox jumps"), silence(0.4)))
    heard = []
    for streaming in (True, False):
        engine = SpeechEngine.load(
            SpeechFolder.open(write_model(tmp_path / str(streaming), streaming=streaming)), threads=1
        )
        listener = engine.listener(Manner(single=True))
        events = [
            event for at in range(0, len(samples), 700) for event in listener.feed(samples[at : at + 700])
        ]
        events += listener.finish()
        heard.append([event for event in events if isinstance(event, Phrase)])
        engine.close()
    assert heard[0] == heard[1]
    assert heard[0][0].heard[0].text == "the quick brown fox jumps"


OTHERS: dict[str, tuple[list[str], dict[str, str], str]] = {
    "NeMo": (["audio_signal", "length"], {"model_type": "EncDecCTCModelBPE"}, "NeMo"),
    "Whisper encoder": (["input_features"], {}, "Whisper"),
    "Whisper of sherpa": (["mel"], {}, "Whisper"),
    "Moonshine": (["input_values"], {}, "Moonshine"),
    "streaming zipformer": (["x", "cached_key_0"], {}, "streaming"),
    "text model": (["input_ids", "attention_mask"], {}, "not supported"),
    "wenet": (["x", "x_lens"], {"model_type": "wenet_ctc"}, "wenet_ctc"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_layouts_are_refused_with_what_is_supported(tmp_path: Path, name: str) -> None:
    inputs, metadata, word = OTHERS[name]
    kinds: dict[str, tuple[int, list[Any]]] = {one: (FLOAT, ["N", "T"]) for one in inputs}
    node = helper.make_node("Identity", [inputs[0]], ["out"])
    graph(tmp_path / "model.onnx", [node], kinds, {"out": (FLOAT, ["N", "T"])}, {}, **metadata)
    (tmp_path / "vocab.json").write_text('{"<pad>": 0}')
    with pytest.raises(ModelError, match=word) as refused:
        SpeechFolder.open(tmp_path)
    assert "Hugging Face" in refused.value.hint
    assert "sherpa-onnx" in refused.value.hint


def test_a_graph_below_onnx_is_found_and_full_precision_preferred(tmp_path: Path, tones: Path) -> None:
    for name in ("vocab.json", "config.json"):
        shutil.copy(tones / name, tmp_path / name)
    (tmp_path / "onnx").mkdir()
    for name in ("model_quantized.onnx", "model.onnx"):
        shutil.copy(tones / "model.onnx", tmp_path / "onnx" / name)
    folder = SpeechFolder.open(tmp_path)
    assert folder.graphs.files == {"model": "onnx/model.onnx"}
    assert folder.context is None


def changed(tones: Path, tmp_path: Path, **claims: Any) -> Path:
    place = tmp_path / "changed"
    shutil.copytree(tones, place)
    manifest = json.loads((place / "model.json").read_text()) | claims
    (place / "model.json").write_text(json.dumps(manifest))
    return place


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"task": "ner"}, "task"),
        ({"format": 2}, "format"),
        ({"files": {}}, "SHA-256"),
        ({"streaming": {"frame_samples": 320}}, "left_samples"),
        ({"decoding": {"beam": 0}}, "beam"),
        ({"decoding": {"unknown_word": 3}}, "unknown_word"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    tones: Path, tmp_path: Path, claims: dict[str, Any], word: str
) -> None:
    with pytest.raises(ModelError, match=word):
        SpeechFolder.open(changed(tones, tmp_path, **claims))


def test_a_wrong_frame_or_vocabulary_shows_when_the_model_is_loaded(tones: Path, tmp_path: Path) -> None:
    streaming = {"frame_samples": 160, "left_samples": 0, "right_samples": 320}
    with pytest.raises(ModelError, match="every 320"):
        load_ctc(SpeechFolder.open(changed(tones, tmp_path, streaming=streaming)))
    place = k2_ctc(tmp_path / "k2")
    (place / "tokens.txt").write_text("<blk> 0\na 1\n")
    with pytest.raises(ModelError, match="12 columns"):
        load_ctc(SpeechFolder.open(place))


def test_a_changed_file_is_refused(tones: Path, tmp_path: Path) -> None:
    place = changed(tones, tmp_path)
    folder = SpeechFolder.open(place)
    data = bytearray((place / "model.onnx").read_bytes())
    data[data.index(b"tones")] ^= 1  # the name of the graph
    (place / "model.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="changed"):
        folder.read("model")
    with pytest.raises(ModelError, match="SHA-256"):
        SpeechFolder.open(place)


def test_a_voice_model_of_another_layout_is_refused(tones: Path) -> None:
    with pytest.raises(ModelError, match="voice activity"):
        load_onnx_activity((tones / "model.onnx").read_bytes(), rate=RATE)


def test_a_small_voice_model_tells_speech_from_silence(tmp_path: Path) -> None:
    """In the layout of Silero VAD: louder than a hundredth is speech here."""
    weights: Weights = {
        "edge": np.array(-0.01, np.float32),
        "steep": np.array(1e4, np.float32),
        "axis": np.array([1], np.int64),
        "scale": np.array(1.0, np.float32),
    }
    nodes = [
        helper.make_node("Abs", ["input"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["mean", "edge"], ["over"]),
        helper.make_node("Mul", ["over", "steep"], ["sure"]),
        helper.make_node("Sigmoid", ["sure"], ["output"]),
        helper.make_node("Mul", ["state", "scale"], ["stateN"]),
    ]
    graph(
        tmp_path / "vad.onnx",
        nodes,
        {"input": (FLOAT, [1, "n"]), "state": (FLOAT, [2, 1, 128]), "sr": (INT, [])},
        {"output": (FLOAT, [1, 1]), "stateN": (FLOAT, [2, 1, 128])},
        weights,
    )
    activity = load_onnx_activity((tmp_path / "vad.onnx").read_bytes(), rate=RATE)()
    assert activity.frame == 512
    assert not activity.voiced(silence(1)[:512])
    assert activity.voiced(speak("a")[:512])
