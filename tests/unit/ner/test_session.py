from collections.abc import Callable

import numpy as np
import pytest

from appliance.errors import ModelError
from appliance.ner.session import OnnxSession

MakeGraph = Callable[..., bytes]


def test_a_session_returns_one_score_per_label(make_graph: MakeGraph) -> None:
    ids = np.array([[2, 4, 3]], dtype=np.int64)
    session = OnnxSession(make_graph(quantised=False), labels=7)
    logits = session.run(ids, np.ones_like(ids), None)
    assert logits.shape == (1, 3, 7)
    assert logits.dtype == np.float32
    assert (logits == session.run(ids, np.ones_like(ids), np.zeros_like(ids))).all()


def test_only_the_logits_are_computed(make_graph: MakeGraph) -> None:
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_from_string(make_graph(quantised=False))
    model.graph.node.append(helper.make_node("Identity", ["hidden"], ["hidden_2"]))
    model.graph.output.append(helper.make_tensor_value_info("hidden_2", TensorProto.FLOAT, None))
    ids = np.array([[2, 4, 3]], dtype=np.int64)
    assert OnnxSession(model.SerializeToString(), labels=7).run(ids, np.ones_like(ids), None).shape[2] == 7


@pytest.mark.parametrize(
    ("options", "labels", "words"),
    [
        ({"output": "last_hidden_state"}, 7, "logits"),
        ({}, 9, "9 labels"),
    ],
)
def test_a_graph_of_another_kind_is_refused(
    make_graph: MakeGraph, options: dict[str, str], labels: int, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        OnnxSession(make_graph(quantised=False, **options), labels=labels)


@pytest.mark.parametrize(
    ("old", "new"), [(b"token_type_ids", b"visual_feature"), (b"input_ids", b"input_idz")]
)
def test_inputs_of_another_kind_are_refused(make_graph: MakeGraph, old: bytes, new: bytes) -> None:
    with pytest.raises(ModelError, match="inputs"):
        OnnxSession(make_graph(quantised=False).replace(old, new), labels=7)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (("batch", 16), "of exactly 16 tokens"),
        ((1, 16), "of exactly 16 tokens"),
        ((4, "tokens"), "in batches of exactly 4"),
    ],
)
def test_inputs_of_a_fixed_shape_are_refused(
    make_graph: MakeGraph, shape: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as refused:
        OnnxSession(make_graph(quantised=False, shape=shape), labels=7)
    assert "dynamic axes" in refused.value.hint


def test_a_graph_for_one_text_a_call_says_so(make_graph: MakeGraph) -> None:
    assert OnnxSession(make_graph(quantised=False, shape=(1, "tokens")), labels=7).one_row
    assert not OnnxSession(make_graph(quantised=False), labels=7).one_row


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError, match="refused by onnxruntime"):
        OnnxSession(b"\x08\x07", labels=7)


def test_a_provider_that_is_not_there_is_refused(make_graph: MakeGraph) -> None:
    with pytest.raises(ModelError, match="NoSuchProvider"):
        OnnxSession(make_graph(quantised=False), labels=7, providers=["NoSuchProvider"])
