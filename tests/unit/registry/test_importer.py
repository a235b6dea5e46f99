"""Folders and archives that somebody made on purpose: refused with a reason, nothing left behind."""

import json
import os
import pickle
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from onnx import load_model_from_string as load

from appliance.errors import ModelError
from appliance.models.folder_reader import MAX_MODEL_BYTES
from appliance.registry.add import add
from appliance.registry.importer import import_model
from appliance.registry.open_source import open_source
from appliance.registry.registry import ModelRegistry
from appliance.registry.smoke_test import try_folder

Export = Callable[..., Path]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")


def refused(source: Path, registry: ModelRegistry) -> ModelError:
    """Add a source that must be refused; nothing may lie in the registry afterwards."""
    with pytest.raises(ModelError) as caught:
        add(source, registry, project="p", name="m")
    assert not registry.entries()
    assert not list(registry.root.glob("**/*"))
    return caught.value


def zipped(path: Path, members: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (modes or {}).get(name, 0) << 16
            archive.writestr(entry, data)
    return path


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/cron.d/evil", "a/../../evil", "..\\evil", "C:evil", "model/../../x/model.onnx"]
)
def test_a_name_that_leads_out_of_the_archive_refuses_all_of_it(
    name: str, tmp_path: Path, registry: ModelRegistry, exported_files: Mapping[str, bytes]
) -> None:
    error = refused(zipped(tmp_path / "a.zip", {**exported_files, name: b"x"}), registry)
    assert "leads out of its folder" in error.message
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path.parent / "evil").exists()


def test_a_link_in_an_archive_is_refused(
    tmp_path: Path, registry: ModelRegistry, exported_files: Mapping[str, bytes]
) -> None:
    members = {**exported_files, "tokenizer.json": b"/etc/passwd"}
    source = zipped(tmp_path / "a.zip", members, {"tokenizer.json": stat.S_IFLNK | 0o777})
    assert "link" in refused(source, registry).message


def test_a_name_that_stands_twice_in_an_archive_is_refused(
    tmp_path: Path, registry: ModelRegistry, exported_files: Mapping[str, bytes]
) -> None:
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in [*exported_files.items(), *exported_files.items()]:
            archive.writestr(name, data)
    assert "twice" in refused(tmp_path / "a.zip", registry).message


def test_an_archive_that_swells_is_stopped_at_the_limit(
    tmp_path: Path, registry: ModelRegistry, exported_files: Mapping[str, bytes]
) -> None:
    source = zipped(tmp_path / "a.zip", {**exported_files, "config.json": b" " * (5 * 2**20)})
    assert "config.json" in refused(source, registry).message
    data = bytearray(source.read_bytes())  # an archive that lies about the size in its directory
    size = (5 * 2**20).to_bytes(4, "little")
    lying = data.replace(size, (100).to_bytes(4, "little"))
    source.write_bytes(lying)
    refused(source, registry)


def test_a_symbolic_link_in_a_folder_is_refused(export: Export, registry: ModelRegistry) -> None:
    folder = export(tokenizer__json=None)
    (folder / "tokenizer.json").symlink_to("/etc/passwd")
    error = refused(folder, registry)
    assert "symbolic link" in error.message
    assert "cp -rL" in error.hint


def test_a_sparse_file_of_ten_gigabytes_is_refused_unread(export: Export, registry: ModelRegistry) -> None:
    folder = export()
    os.truncate(folder / "model.onnx", 10 * 10**9)
    error = refused(folder, registry)
    assert str(MAX_MODEL_BYTES) in error.message


def test_a_fifo_does_not_hang_the_intake(export: Export, registry: ModelRegistry) -> None:
    folder = export(config__json=None)
    os.mkfifo(folder / "config.json")
    assert "not a plain file" in refused(folder, registry).message


def test_external_data_that_points_outside_is_refused(
    export: Export, registry: ModelRegistry, exported_files: Mapping[str, bytes]
) -> None:
    model = load(exported_files["model.onnx"])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    error = refused(export(model__onnx=model.SerializeToString()), registry)
    assert "external data" in error.message


def test_operators_of_foreign_code_are_refused(
    export: Export, registry: ModelRegistry, make_graph_with_domain: bytes
) -> None:
    assert "foreign code" in refused(export(model__onnx=make_graph_with_domain), registry).message


@pytest.fixture
def make_graph_with_domain() -> bytes:
    from tests.unit.ner.conftest import graph_bytes

    return graph_bytes(quantised=False, domain="evil.ops")


class _Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (Path("exploded"),)  # type: ignore[return-value]


def test_no_pickle_is_ever_read(
    export: Export, registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = pickle.dumps(_Bomb())
    error = refused(export("weights", model__onnx=None, **{"pytorch_model__bin": bomb}), registry)
    assert "never opened" in error.message
    assert "optimum-cli" in error.hint
    beside = export("beside", **{"pytorch_model__bin": bomb, "training_args__bin": bomb, "x__pkl": bomb})
    added = add(beside, registry, project="p", name="m")
    assert set(added.left_out) == {"pytorch_model.bin", "training_args.bin", "x.pkl"}
    assert not (added.entry.path / "pytorch_model.bin").exists()
    for source in (export("named", model__onnx=bomb), export("asked", tokenizer__json=bomb)):
        with pytest.raises(ModelError):
            add(source, registry, project="p", name="other")
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "tokenizer.json cannot be read"),
        (b"[]", "tokenizer.json cannot be read"),
        (b'{"version":"1.0","model":{"type":"WordPiece"}}', "tokenizer.json cannot be read"),
        (b"[" * 200_000, "tokenizer.json cannot be read"),
    ],
)
def test_a_malformed_tokenizer_is_refused(
    export: Export, registry: ModelRegistry, data: bytes, reason: str
) -> None:
    assert reason in refused(export(tokenizer__json=data), registry).message


def test_a_tokenizer_of_another_model_is_refused(
    export: Export, registry: ModelRegistry, exported_files: Mapping[str, bytes]
) -> None:
    config = json.loads(exported_files["config.json"])
    error = refused(export(config__json=json.dumps({**config, "vocab_size": 20}).encode()), registry)
    assert "two different models" in error.message


def test_a_model_that_fails_is_refused(export: Export, registry: ModelRegistry) -> None:
    node = helper.make_node("Gather", ["table", "input_ids"], ["logits"])
    table = helper.make_tensor("table", TensorProto.FLOAT, [2, 7], [0.0] * 14)
    graph = helper.make_graph(
        [node],
        "short",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", 7])],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert "first sentence" in refused(export(model__onnx=model.SerializeToString()), registry).message


@pytest.mark.parametrize(
    ("changes", "reason", "hint"),
    [
        ({"model__onnx": None}, "holds no model.onnx", "optimum-cli export"),
        ({"model__onnx": None, "model__safetensors": b"x"}, "no ONNX graph", "optimum-cli"),
        (
            {"model__onnx": None, "model_quantized__onnx": b"x", "model_fp16__onnx": b"x"},
            "but no model.onnx",
            "keep the one that is to be served, or call it model.onnx",
        ),
        ({"tokenizer__json": None, "vocab__txt": b"a"}, "tokenizer as vocab.txt", "use_fast=True"),
        ({"tokenizer__json": None}, "holds no tokenizer.json", "use_fast=True"),
        ({"config__json": None}, "its labels have no names", "optimum-cli"),
        ({"config__json": b'{"id2label": {"0": "O"}, "architectures": ["BertModel"]}'}, "BertModel", "token"),
    ],
)
def test_what_is_missing_or_unsupported_is_said_plainly(
    export: Export, registry: ModelRegistry, changes: dict[str, bytes | None], reason: str, hint: str
) -> None:
    error = refused(export(**changes), registry)
    assert reason in error.message
    assert hint in error.hint


def test_an_archive_of_a_folder_is_taken_like_the_folder(
    tmp_path: Path, exported_files: Mapping[str, bytes]
) -> None:
    members = {f"my-model/{name}": data for name, data in exported_files.items()}
    into = tmp_path / "into"
    into.mkdir()
    taken = import_model(zipped(tmp_path / "a.zip", {**members, "my-model/extra.bin": b"x"}), into)
    assert set(taken.names) == set(exported_files)
    assert taken.left_out == ("extra.bin",)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == dict(exported_files)


@pytest.mark.parametrize("place", ["model_quantized.onnx", "onnx/model.onnx", "onnx/model_int8.onnx"])
def test_the_only_graph_is_taken_whatever_it_is_called(
    tmp_path: Path, exported_files: Mapping[str, bytes], place: str
) -> None:
    members = {(place if name == "model.onnx" else name): data for name, data in exported_files.items()}
    folder = tmp_path / "folder"
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for number, source in enumerate((folder, zipped(tmp_path / "a.zip", members))):
        into = tmp_path / f"into-{number}"
        into.mkdir()
        assert set(import_model(source, into).names) == set(exported_files)
        assert (into / "model.onnx").read_bytes() == exported_files["model.onnx"]


def test_what_a_mac_adds_to_an_archive_does_not_matter(
    tmp_path: Path, exported_files: Mapping[str, bytes]
) -> None:
    members = {f"my-model/{name}": data for name, data in exported_files.items()}
    litter = {f"__MACOSX/my-model/._{name}": b"Mac OS X" for name in exported_files}
    into = tmp_path / "into"
    into.mkdir()
    packed = zipped(tmp_path / "a.zip", {**members, **litter, "my-model/.DS_Store": b"x"})
    taken = import_model(packed, into)
    assert set(taken.names) == set(exported_files)
    assert taken.left_out == ()


@pytest.mark.parametrize("around", ["my-model", "a/b/c"])
def test_folders_around_the_models_own_do_not_matter(
    tmp_path: Path, exported_files: Mapping[str, bytes], around: str
) -> None:
    for number, source in enumerate((tmp_path / "folder", tmp_path / "a.zip")):
        if source.suffix:
            zipped(source, {f"{around}/{name}": data for name, data in exported_files.items()})
        else:
            for name, data in exported_files.items():
                (source / around / name).parent.mkdir(parents=True, exist_ok=True)
                (source / around / name).write_bytes(data)
        into = tmp_path / f"into-{number}"
        into.mkdir()
        assert set(import_model(source, into).names) == set(exported_files)


def test_an_archive_of_an_export_is_tried_as_it_is(
    tmp_path: Path, exported_files: Mapping[str, bytes]
) -> None:
    packed = zipped(tmp_path / "my-model.zip", {f"x/{name}": data for name, data in exported_files.items()})
    with open_source(packed) as folder:
        assert folder.name == "my-model"
        assert try_folder(folder.path).sentence
    assert not folder.path.exists()
