"""Models of other kinds are refused by name, with what works instead."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.registry.add import add
from appliance.registry.registry import ModelRegistry

Export = Callable[..., Path]


def refused(folder: Path, tmp_path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        add(folder, ModelRegistry(tmp_path / "models"), project="p", name="m")
    return caught.value


@pytest.mark.parametrize(
    ("files", "kind", "hint"),
    [
        ({"gliner_config__json": b"{}", "model__onnx": b"x"}, "a GLiNER model", "appliance train"),
        ({"gliner_config__json": b"{}", "pytorch_model__bin": b"x"}, "a GLiNER model", "appliance train"),
        ({"meta__json": b"{}", "config__cfg": b""}, "a spaCy pipeline", "appliance train"),
        ({"final-model__pt": b"x"}, "a Flair model", "appliance train"),
        ({"tf_model__h5": b"x"}, "a TensorFlow model", "optimum-cli"),
        ({"english__nemo": b"x"}, "a NeMo model", "appliance train"),
    ],
)
def test_files_of_another_kind_are_named(
    export: Export, tmp_path: Path, files: dict[str, bytes], kind: str, hint: str
) -> None:
    error = refused(export(**{"model__onnx": None, **files}), tmp_path)
    assert f"is {kind}" in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"architectures": ["BertCrfForTokenClassification"]}, "CRF"),
        ({"use_crf": True}, "CRF"),
        ({"architectures": ["SpanMarkerModel"], "model_type": "span-marker"}, "SpanMarker"),
        ({"model_type": "gliner"}, "GLiNER"),
        ({"span_mode": "markerV0", "max_width": 12}, "GLiNER"),
    ],
)
def test_configurations_of_another_kind_are_named(
    export: Export, exported_files: Mapping[str, bytes], tmp_path: Path, changes: dict[str, object], kind: str
) -> None:
    config = {**json.loads(exported_files["config.json"]), **changes}
    error = refused(export(config__json=json.dumps(config).encode()), tmp_path)
    assert kind in error.message
    assert "models that label tokens are served" in error.message


def test_weights_of_other_libraries_beside_a_graph_do_not_matter(export: Export, tmp_path: Path) -> None:
    folder = export(tf_model__h5=b"x", flax_model__msgpack=b"x")
    added = add(folder, ModelRegistry(tmp_path / "models"), project="p", name="m")
    assert set(added.left_out) == {"tf_model.h5", "flax_model.msgpack"}
