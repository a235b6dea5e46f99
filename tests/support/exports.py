"""Tiny models to take in, as others would export them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.unit.ner.conftest import graph_bytes, tokenizer_json

Export = Callable[..., Path]


@pytest.fixture(scope="session")
def exported_files() -> Mapping[str, bytes]:
    labels = ("O", "B-Person", "I-Person", "B-Organization", "I-Organization", "B-Location", "I-Location")
    config = {
        "architectures": ["BertForTokenClassification"],
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "max_position_embeddings": 64,
        "model_type": "bert",
        "pad_token_id": 0,
    }
    return {
        "model.onnx": graph_bytes(quantised=False),
        "tokenizer.json": tokenizer_json(),
        "config.json": json.dumps(config).encode(),
    }


@pytest.fixture
def export(tmp_path: Path, exported_files: Mapping[str, bytes]) -> Export:
    """Write a folder as Optimum would; keywords replace, add or (None) leave out files."""

    def make(name: str = "export", **files: bytes | None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        changes = {key.replace("__", "."): data for key, data in files.items()}
        for file, data in {**exported_files, **changes}.items():
            if data is not None:
                (folder / file).write_bytes(data)
        return folder

    return make
