"""What the trial of a model finds out: whether padding disturbs it, so that each text is computed alone."""

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx
import pytest

from appliance.errors import ModelError
from appliance.models.folder_reader import MANIFEST
from appliance.ner.manifest import describe, write_manifest
from appliance.ner.model_folder import ModelFolder
from appliance.registry.add import add
from appliance.registry.registry import ModelRegistry
from appliance.training.evaluation.examine import answers

Export = Callable[..., Path]


def disturbed(graph: bytes) -> bytes:
    """The same graph, but the mean of the window is taken over its padding too."""
    model = onnx.load_model_from_string(graph)
    (total,) = (node for node in model.graph.node if node.output[0] == "sum")
    total.input[0] = "own"
    return bytes(model.SerializeToString())


def with_convolution(graph: bytes) -> bytes:
    """The same graph with a convolution that nothing reads, as ConvBERT has some that are read."""
    model = onnx.load_model_from_string(graph)
    weight = onnx.helper.make_tensor("kernel", onnx.TensorProto.FLOAT, [1, 1, 1], [1.0])
    model.graph.initializer.append(weight)
    axes = onnx.helper.make_tensor("middle", onnx.TensorProto.INT64, [1], [1])
    model.graph.initializer.append(axes)
    model.graph.node.append(onnx.helper.make_node("Unsqueeze", ["weight", "middle"], ["channel"]))
    model.graph.node.append(onnx.helper.make_node("Conv", ["channel", "kernel"], ["unread"]))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("change", [disturbed, with_convolution])
def test_a_model_that_padding_may_disturb_is_asked_one_text_a_call(
    export: Export,
    exported_files: Mapping[str, bytes],
    tmp_path: Path,
    change: Callable[[bytes], bytes],
) -> None:
    folder = export(model__onnx=change(exported_files["model.onnx"]))
    added = add(folder, ModelRegistry(tmp_path / "models"), project="p", name="m")
    assert not added.folder.batch_invariant
    texts = ["john", "mary smith said that it is not far from berlin and john was there", "acme corp"]
    served = ModelFolder.open(added.entry.path)
    together = answers(served, texts)
    alone = [answers(served, [text]) for text in texts]
    assert [one.scores[0] for one in alone] == list(together.scores)


def test_a_model_that_padding_does_not_disturb_keeps_its_batches(export: Export, tmp_path: Path) -> None:
    added = add(export(), ModelRegistry(tmp_path / "models"), project="p", name="m")
    assert added.folder.batch_invariant


def test_a_model_json_that_says_otherwise_is_refused(
    export: Export, exported_files: Mapping[str, bytes], tmp_path: Path
) -> None:
    folder = export(model__onnx=disturbed(exported_files["model.onnx"]))
    write_manifest(folder, describe(ModelFolder.open(folder), batch_invariant=True))
    with pytest.raises(ModelError, match="do not depend on what shares their batch, and they do") as caught:
        add(folder, ModelRegistry(tmp_path / "models"), project="p", name="m")
    assert MANIFEST in caught.value.hint
