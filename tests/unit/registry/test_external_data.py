"""Weights beside a graph are put into it, from nowhere but beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import convert_model_to_external_data

from appliance.errors import ModelError
from appliance.models.folder_reader import MAX_MODEL_BYTES
from appliance.onnx_tools.inspect import read_graph
from appliance.registry.add import add
from appliance.registry.external_data import merge_external_data
from appliance.registry.open_source import open_source
from appliance.registry.registry import ModelRegistry

Export = Callable[..., Path]


@pytest.fixture
def parted(tmp_path: Path, exported_files: Mapping[str, bytes]) -> Path:
    """A folder whose graph keeps its weights beside it, as the `onnx` package writes it."""
    folder = tmp_path / "parted"
    folder.mkdir()
    model = onnx.load_model_from_string(exported_files["model.onnx"])
    convert_model_to_external_data(model, location="model.onnx.data", size_threshold=0)
    onnx.save_model(model, folder / "model.onnx")
    for name in ("tokenizer.json", "config.json"):
        (folder / name).write_bytes(exported_files[name])
    assert (folder / "model.onnx.data").stat().st_size > 0
    return folder


def weights(data: bytes) -> dict[str, bytes]:
    model = onnx.load_model_from_string(data)
    return {tensor.name: onnx.numpy_helper.to_array(tensor).tobytes() for tensor in model.graph.initializer}


def test_a_parted_export_is_added_as_one_graph_with_the_same_weights(
    parted: Path, tmp_path: Path, exported_files: Mapping[str, bytes]
) -> None:
    added = add(parted, ModelRegistry(tmp_path / "models"), project="p", name="m")
    assert added.left_out == ()
    data = (added.entry.path / "model.onnx").read_bytes()
    assert not read_graph(data).external_data
    assert weights(data) == weights(exported_files["model.onnx"])
    assert sorted(path.name for path in added.entry.path.iterdir()) == [
        "config.json", "model.json", "model.onnx", "tokenizer.json",
    ]  # fmt: skip


def test_a_parted_export_in_the_folder_onnx_is_tried_and_measured_like_any_other(parted: Path) -> None:
    (parted / "onnx").mkdir()
    for name in ("model.onnx", "model.onnx.data"):
        (parted / name).rename(parted / "onnx" / name)
    with open_source(parted) as folder:
        assert not read_graph(folder.read("model.onnx")).external_data


def test_missing_and_cut_data_is_said_with_its_name(parted: Path, tmp_path: Path) -> None:
    data = parted / "model.onnx.data"
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    with pytest.raises(ModelError, match=f"has {len(whole) - 1} bytes, and the graph wants"):
        add(parted, ModelRegistry(tmp_path / "models"), project="p", name="m")
    data.unlink()
    with pytest.raises(ModelError, match=r"'model\.onnx\.data' .*, which is not beside it"):
        add(parted, ModelRegistry(tmp_path / "models"), project="p", name="m")


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "onnx/../../secret", "config.json", "", "model.onnx.data/../x"]
)
def test_a_place_that_is_no_data_file_beside_the_graph_is_not_read(
    parted: Path, tmp_path: Path, location: str
) -> None:
    (tmp_path / "secret").write_bytes(b"key" * 1000)
    model = onnx.load_model_from_string((parted / "model.onnx").read_bytes())
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    (parted / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="which is not beside it"):
        add(parted, ModelRegistry(tmp_path / "models"), project="p", name="m")


@pytest.mark.parametrize(("key", "value"), [("offset", "-1"), ("length", "-5"), ("offset", "x")])
def test_a_place_that_is_no_number_of_bytes_is_refused(
    parted: Path, tmp_path: Path, key: str, value: str
) -> None:
    model = onnx.load_model_from_string((parted / "model.onnx").read_bytes())
    for entry in model.graph.initializer[0].external_data:
        if entry.key == key:
            entry.value = value
    (parted / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="external data of"):
        add(parted, ModelRegistry(tmp_path / "models"), project="p", name="m")


def test_what_does_not_fit_into_one_file_is_refused_unread_with_the_command(parted: Path) -> None:
    def read(name: str) -> bytes:
        raise AssertionError(name)

    graph = (parted / "model.onnx").read_bytes()
    with pytest.raises(ModelError, match=str(MAX_MODEL_BYTES)) as caught:
        merge_external_data(graph, {"model.onnx.data": MAX_MODEL_BYTES}, read)
    assert "optimum-cli onnxruntime quantize" in caught.value.hint


def test_tensors_of_attributes_and_inner_graphs_are_merged_too() -> None:
    tensor = onnx.numpy_helper.from_array(np.array([1.0, 2.0], np.float32), "inner")
    raw = tensor.raw_data
    onnx.external_data_helper.set_external_data(tensor, "w.data", 4, len(raw))
    tensor.ClearField("raw_data")
    constant = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    branch = onnx.helper.make_graph([constant], "branch", [], [onnx.ValueInfoProto(name="c")])
    choice = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = onnx.helper.make_graph(
        [choice], "g", [onnx.ValueInfoProto(name="x")], [onnx.ValueInfoProto(name="y")]
    )
    data = onnx.helper.make_model(graph).SerializeToString()
    merged = onnx.load_model_from_string(
        merge_external_data(data, {"w.data": 4 + len(raw)}, lambda _: bytes(4) + raw)
    )
    for attribute in merged.graph.node[0].attribute:
        assert attribute.g.node[0].attribute[0].t.raw_data == raw
    assert not read_graph(merged.SerializeToString()).external_data
