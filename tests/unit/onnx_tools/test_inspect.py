from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from appliance.onnx_tools.inspect import MalformedGraphError, read_graph
from tests.support.onnx_facts import check_agreement, real_facts

MakeGraph = Callable[..., bytes]


def model_of(
    *nodes: onnx.NodeProto, constants: list[onnx.TensorProto] | None = None, **more: object
) -> bytes:
    graph = helper.make_graph(list(nodes), "g", [], [], constants or [])
    return bytes(helper.make_model(graph, **more).SerializeToString())


def external() -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/shadow")
    return tensor


def test_a_plain_graph_is_harmless(make_graph: MakeGraph) -> None:
    facts = read_graph(make_graph(quantised=False))
    assert not facts.external_data
    assert facts.unknown_domains == ()
    assert not facts.mixes_rows
    assert not facts.eight_bit
    assert {"Gather", "MatMul"} <= facts.operators


def test_dynamic_quantisation_shows(make_graph: MakeGraph) -> None:
    facts = read_graph(make_graph(quantised=True))
    assert facts.mixes_rows
    assert facts.eight_bit


def test_weights_in_other_files_show_wherever_they_hide() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=external())
    inner = helper.make_graph([constant], "inner", [], [])
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    function = helper.make_function("custom", "f", [], [], [constant], [helper.make_opsetid("", 17)])
    sparse = onnx.SparseTensorProto(values=external(), indices=TensorProto(), dims=[1])
    held = helper.make_node("Constant", [], ["c"], sparse_value=sparse)
    plain = helper.make_node("Relu", ["x"], ["y"])
    assert read_graph(model_of(plain, constants=[external()])).external_data
    assert read_graph(model_of(constant)).external_data
    assert read_graph(model_of(branch)).external_data
    assert read_graph(model_of(plain, functions=[function])).external_data
    assert read_graph(model_of(held)).external_data


def test_operators_of_foreign_libraries_show(make_graph: MakeGraph) -> None:
    assert read_graph(make_graph(quantised=False, domain="ai.onnx.contrib")).unknown_domains == (
        "ai.onnx.contrib",
    )
    assert read_graph(make_graph(quantised=False, domain="com.microsoft")).unknown_domains == ()


@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_what_onnxruntimes_own_optimiser_writes_needs_nothing_foreign(
    make_graph: MakeGraph, tmp_path: Path, level: str
) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(make_graph(quantised=True), options)
    written = (tmp_path / "optimised.onnx").read_bytes()
    declared = {entry.domain for entry in onnx.load_model_from_string(written).opset_import}
    assert "com.microsoft.experimental" in declared, "it declares every domain it knows"
    assert read_graph(written).unknown_domains == ()


def test_graphs_nested_without_end_are_refused() -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    for _ in range(20):
        node = helper.make_node("If", ["x"], ["y"], then_branch=graph)
        graph = helper.make_graph([node], "g", [], [])
    with pytest.raises(MalformedGraphError, match="deep"):
        read_graph(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    "data", [b"", b"\x08\x07", b"{}", b"\x3a\x05abc", b"\xff" * 20, b"\x38\x01", b"\x3a\x00"]
)
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedGraphError):
        read_graph(data)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    try:
        read_graph(data)
    except MalformedGraphError:
        return


@given(st.data())
def test_a_damaged_model_raises_nothing_else(make_graph: MakeGraph, data: st.DataObject) -> None:
    good = bytearray(make_graph(quantised=True))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] = data.draw(st.integers(0, 255))
    try:
        read_graph(bytes(good[: data.draw(st.integers(1, len(good)))]))
    except MalformedGraphError:
        return


def test_values_that_the_real_parser_drops_are_refused() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=TensorProto(name="w", dims=[1]))
    for tail in (b"\xa0\x01\x15", b"\xa0\x01\xa0\x01"):
        data = model_of(constant).replace(b"\xa0\x01\x04", tail)
        with pytest.raises(MalformedGraphError):
            read_graph(data)


@given(st.data())
def test_what_is_read_is_what_the_real_parser_reads(make_graph: MakeGraph, data: st.DataObject) -> None:
    changed = bytearray(make_graph(quantised=True) + model_of(helper.make_node("Constant", [], ["c"])))
    changed = bytearray(data.draw(st.sampled_from([bytes(changed), make_graph(quantised=False)])))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=6))
    check_agreement(bytes(changed))


def test_models_of_every_kind_are_read_as_the_real_parser_reads_them() -> None:
    paths = [path for package in (onnx, onnxruntime) for path in Path(package.__path__[0]).rglob("*.onnx")]
    assert len(paths) > 100
    for path in paths:
        data = path.read_bytes()
        assert read_graph(data) == real_facts(onnx.load_model_from_string(data)), path
