"""A model that is worth shrinking."""

from collections.abc import Callable
from pathlib import Path

import pytest

Export = Callable[..., Path]


@pytest.fixture
def trained(tmp_path: Path, export: Export) -> Path:
    """A float32 model with matrices worth shrinking: the tiny one and a wide layer that changes nothing."""
    import numpy as np
    from onnx import helper, load_model_from_string, numpy_helper

    folder = export("wide")
    model = load_model_from_string((folder / "model.onnx").read_bytes())
    last = model.graph.node[-1]
    source = last.input[0]
    up = np.eye(7, 700, dtype=np.float32)
    wide = [
        helper.make_node("MatMul", [source, "up"], ["wide"]),
        helper.make_node("MatMul", ["wide", "down"], ["back"]),
    ]
    model.graph.initializer.append(numpy_helper.from_array(up, "up"))
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(up.T), "down"))
    last.input[0] = "back"
    nodes = [*model.graph.node[:-1], *wide, last]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder
