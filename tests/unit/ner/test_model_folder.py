import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.datasets.components.components import Components, EntityComponents
from appliance.errors import ModelError
from appliance.ner import model_folder as limits
from appliance.ner.manifest import describe, write_components, write_manifest
from appliance.ner.model_folder import ModelFolder

MakeFolder = Callable[..., Path]
MakeGraph = Callable[..., bytes]
Files = Mapping[str, Mapping[str, bytes]]


def config(files: Files, **changes: Any) -> bytes:
    return json.dumps({**json.loads(files["float"]["config.json"]), **changes}).encode()


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        ModelFolder.open(path)
    return caught.value.message


def test_a_described_folder_says_what_its_model_json_says(make_folder: MakeFolder) -> None:
    path = make_folder(line="tiny/1", release="1.2.0", language="en", meters=["Meter"])
    folder = ModelFolder.open(path)
    assert (folder.name, folder.line, folder.release, folder.language) == ("tiny", "tiny/1", "1.2.0", "en")
    assert (folder.window_tokens, folder.overlap_tokens, folder.scheme) == (32, 8, "BIO")
    assert folder.case_classes
    assert not folder.batch_invariant
    assert folder.meters == ("Meter",)
    assert folder.categories == ("Location", "Organization", "Person")
    assert folder.labels[:2] == ("O", "B-Person")


@pytest.mark.parametrize(
    ("says", "made_for"),
    [
        ({}, ()),
        ({"language": "en"}, ("en",)),
        ({"language": "en", "languages": ["en", "de", "zh-Hans"]}, ("en", "de", "zh-Hans")),
        ({"language": "da", "languages": ["en", "de"]}, ("da", "en", "de")),
        ({"language": "multilingual"}, ("multilingual",)),
        ({"language": "multilingual", "languages": ["en", "de"]}, ("en", "de")),
        ({"languages": ["en"]}, ("en",)),
    ],
)
def test_a_folder_says_which_languages_it_was_made_for_and_keeps_saying_it(
    make_folder: MakeFolder, says: dict[str, Any], made_for: tuple[str, ...]
) -> None:
    folder = ModelFolder.open(make_folder(**says))
    assert folder.made_for == made_for
    write_manifest(folder.path, describe(folder))
    assert ModelFolder.open(folder.path).made_for == made_for


@pytest.mark.parametrize(
    ("languages", "reason"),
    [
        ("en", "a list of texts"),
        ([1], "a list of texts"),
        (["English language"], "not a language tag"),
        (["en_US"], "not a language tag"),
        (["multilingual-"], "not a language tag"),
        ([""], "not a language tag"),
        (["en", "EN"], "twice"),
        ([f"aa-{number:03}" for number in range(501)], "more than 500"),
    ],
)
def test_a_list_of_languages_that_is_none_is_refused(
    make_folder: MakeFolder, languages: Any, reason: str
) -> None:
    assert reason in refusal(make_folder(languages=languages))


def test_a_folder_of_optimum_needs_no_model_json(make_folder: MakeFolder) -> None:
    folder = ModelFolder.open(make_folder(manifest=False))
    assert folder.name.startswith("tiny")
    assert (folder.window_tokens, folder.overlap_tokens, folder.scheme) == (64, 16, "BIO")
    assert not folder.case_classes
    assert folder.batch_invariant


def test_dynamic_quantisation_means_one_window_a_call_unless_model_json_knows_better(
    make_folder: MakeFolder,
) -> None:
    assert not ModelFolder.open(make_folder("quantised", manifest=False)).batch_invariant
    assert ModelFolder.open(make_folder("quantised", batch_invariant=True)).batch_invariant


def test_windows_are_capped_and_roberta_counts_from_its_padding(
    make_folder: MakeFolder, tiny_files: Files
) -> None:
    large = config(tiny_files, max_position_embeddings=4096)
    roberta = config(tiny_files, max_position_embeddings=66, model_type="roberta", pad_token_id=1)
    assert ModelFolder.open(make_folder(manifest=False, files={"config.json": large})).window_tokens == 512
    folder = ModelFolder.open(make_folder(manifest=False, files={"config.json": roberta}))
    assert (folder.window_tokens, folder.pad_token) == (64, 1)


def test_read_returns_the_checked_bytes_or_refuses(make_folder: MakeFolder) -> None:
    path = make_folder()
    folder = ModelFolder.open(path)
    assert folder.read("model.onnx") == (path / "model.onnx").read_bytes()
    (path / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json was changed"):
        folder.read("tokenizer.json")
    (path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json"):
        folder.read("config.json")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_missing_an_empty_and_a_changed_file_are_named(make_folder: MakeFolder, name: str) -> None:
    assert f"{name} is missing" in refusal(make_folder(files={name: None}))
    assert f"{name}" in refusal(make_folder(files={name: b""}))
    changed = make_folder()
    (changed / name).write_bytes((changed / name).read_bytes() + b" ")
    assert name in refusal(changed)
    assert "SHA-256" in refusal(changed)


def test_no_folder_is_no_model(tmp_path: Path) -> None:
    assert "not a model folder" in refusal(tmp_path / "absent")


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(make_folder: MakeFolder) -> None:
    path = make_folder(files={"model.onnx": None})
    os.mkfifo(path / "model.onnx")
    assert "not a plain file" in refusal(path)


def test_a_huge_file_is_refused_before_it_is_read(make_folder: MakeFolder) -> None:
    path = make_folder()
    os.truncate(path / "tokenizer.json", limits.MAX_TOKENIZER_BYTES + 1)
    assert "larger than" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format"),
        ({"task": "speech-ctc"}, "not served"),
        ({"task": None}, "task must be"),
        ({"name": ""}, "name must be"),
        ({"listed": {"config.json": "0" * 64}}, "no SHA-256 for model.onnx"),
        ({"listed": ["model.onnx"]}, "files must be"),
        ({"decoding": {"scheme": "FANCY"}}, "scheme must be one of"),
        ({"decoding": {"aggregation": "max"}}, "aggregation must be"),
        ({"inputs": {"token_type_ids": "segments"}}, "token_type_ids must be"),
        ({"limits": {"window_tokens": 100_000}}, "window_tokens must be"),
        ({"limits": {"window_tokens": True}}, "window_tokens must be"),
        ({"limits": {"window_tokens": 32, "overlap_tokens": 17}}, "overlap_tokens must be"),
        ({"batch_invariant": "yes"}, "batch_invariant must be"),
        ({"meters": "one"}, "meters must be"),
    ],
)
def test_a_wrong_field_is_named(make_folder: MakeFolder, changes: dict[str, Any], words: str) -> None:
    message = refusal(make_folder(**changes))
    assert message.startswith("model.json")
    assert words in message


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b'{"a":' + b"[" * 50_000]
)
def test_json_that_readers_could_disagree_on_is_refused(make_folder: MakeFolder, text: bytes) -> None:
    path = make_folder()
    (path / "model.json").write_bytes(text)
    assert "model.json" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id2label": None}, "id2label"),
        ({"id2label": {}}, "id2label"),
        ({"id2label": {"0": "O", "2": "B-P"}}, "each once"),
        ({"id2label": {"0": "O", "1": "O"}}, "twice"),
        ({"id2label": {"0": "O", "1": 7}}, "each once"),
        ({"architectures": ["BertForSequenceClassification"]}, "does not label words"),
        ({"max_position_embeddings": 4}, "window"),
    ],
)
def test_a_config_of_another_kind_is_refused(
    make_folder: MakeFolder, tiny_files: Files, changes: dict[str, Any], words: str
) -> None:
    path = make_folder(manifest=False, files={"config.json": config(tiny_files, **changes)})
    message = refusal(path)
    assert message.startswith("config.json")
    assert words in message


def test_graphs_that_reach_outside_are_refused(make_folder: MakeFolder, make_graph: MakeGraph) -> None:
    import onnx

    model = onnx.load_from_string(make_graph(quantised=False))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    outside = model.SerializeToString()
    foreign = make_graph(quantised=False, domain="ai.onnx.contrib")
    assert "external data" in refusal(make_folder(files={"model.onnx": outside}))
    assert "ai.onnx.contrib" in refusal(make_folder(manifest=False, files={"model.onnx": foreign}))
    assert "not an ONNX model" in refusal(make_folder(files={"model.onnx": b"pickle"}))


def test_a_folder_in_memory_is_checked_like_one_on_disk(make_folder: MakeFolder) -> None:
    model_folder = make_folder()
    on_disk = ModelFolder.open(model_folder)
    files = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    folder = ModelFolder.from_files(files, path=Path("ner.age"), line="ner-en/3", release="1.0.2")
    assert (folder.line, folder.release, folder.labels) == ("ner-en/3", "1.0.2", on_disk.labels)
    assert folder.read("model.onnx") == files["model.onnx"]
    assert folder.released().content is None
    del files["tokenizer.json"]
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing from ner\.age"):
        ModelFolder.from_files(files, path=Path("ner.age"))


def test_components_are_read_where_model_json_names_their_sum(make_folder: MakeFolder) -> None:
    path = make_folder()
    listed = EntityComponents(category="Product", synonyms=("Proseware OS",))
    manifest = write_components(
        path, Components(entities=(listed,), threshold=0.5), describe(ModelFolder.open(path))
    )
    stray = ModelFolder.open(path)
    assert not stray.components  # a file that model.json does not name means nothing
    write_manifest(path, manifest)
    folder = ModelFolder.open(path)
    assert folder.components == Components(entities=(listed,), threshold=0.5)
    assert folder.categories == ("Location", "Organization", "Person", "Product")
    files = {one.name: one.read_bytes() for one in path.iterdir()}
    assert ModelFolder.from_files(files, path=Path("ner.age")).components == folder.components
    assert "components.json" in describe(folder)["files"]
    kept = (path / "components.json").read_text()
    (path / "components.json").write_text(kept.replace("Proseware", "Contoso"))
    assert "components.json is not the file that model.json names" in refusal(path)
    (path / "components.json").write_text(kept.replace('"format": 2', '"format": 9'))
    assert "components.json cannot be used: it is of a format" in refusal(path)
    (path / "components.json").unlink()
    assert "components.json is missing" in refusal(path)


def test_a_folder_that_is_loaded_right_away_is_read_once(make_folder: MakeFolder) -> None:
    path = make_folder()
    folder = ModelFolder.open(path, keep=True)
    assert folder == ModelFolder.open(path)
    checked = (path / limits.MODEL).read_bytes()
    (path / limits.MODEL).write_bytes(b"changed since")
    assert folder.read(limits.MODEL) == checked
    assert folder.released().content is None
    with pytest.raises(ModelError, match=r"is not the file that model\.json names"):
        ModelFolder.open(path, keep=True)
    (path / limits.CONFIG).unlink()
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        ModelFolder.open(path, keep=True)
