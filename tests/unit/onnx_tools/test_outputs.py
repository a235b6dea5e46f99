"""Outputs that nobody reads are cut out of a graph's bytes, and nothing else changes."""

import numpy as np
import onnx
import pytest

from appliance.ner.session import OnnxSession
from appliance.onnx_tools.outputs import with_outputs
from appliance.onnx_tools.wire import MalformedGraphError
from tests.support.paths import BUNDLED

MODEL = BUNDLED / "ner-en" / "model.onnx"


def test_everything_but_the_other_outputs_stays() -> None:
    data = MODEL.read_bytes()
    whole, cut = onnx.load_from_string(data), onnx.load_from_string(with_outputs(data, {"logits"}))
    assert [output.name for output in cut.graph.output] == ["logits"]
    wanted = [output for output in whole.graph.output if output.name == "logits"]
    del whole.graph.output[:]
    whole.graph.output.extend(wanted)
    assert cut == whole


def test_the_answers_are_the_same_numbers() -> None:
    data = MODEL.read_bytes()
    ids = np.random.default_rng(0).integers(1000, 8000, (2, 17))
    labels = onnx.load_from_string(data).graph.output[0].type.tensor_type.shape.dim[2].dim_value
    whole, cut = (
        OnnxSession(graph, labels=labels).run(ids, np.ones_like(ids), None)
        for graph in (data, with_outputs(data, {"logits"}))
    )
    np.testing.assert_allclose(cut, whole, atol=2e-3)  # other operators may be fused


def test_a_graph_without_the_output_stays_as_it_is() -> None:
    data = MODEL.read_bytes()
    assert with_outputs(data, {"scores"}) is data
    assert with_outputs(data, {output.name for output in onnx.load_from_string(data).graph.output}) is data


def test_other_bytes_are_refused() -> None:
    with pytest.raises(MalformedGraphError):
        with_outputs(b"\xff\xff", {"logits"})
