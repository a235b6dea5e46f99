"""Labels without names are refused with the option that names them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from appliance.errors import ModelError
from appliance.registry.add import add
from appliance.registry.label_names import check_label_names, read_label_names
from appliance.registry.registry import ModelRegistry

Export = Callable[..., Path]


def with_labels(exported_files: Mapping[str, bytes], *labels: str) -> bytes:
    config = json.loads(exported_files["config.json"])
    return json.dumps({**config, "id2label": dict(enumerate(labels))}).encode()


@pytest.fixture
def count(exported_files: Mapping[str, bytes]) -> int:
    return len(json.loads(exported_files["config.json"])["id2label"])


def test_an_export_without_names_is_refused_and_taken_with_them(
    export: Export, exported_files: Mapping[str, bytes], tmp_path: Path, count: int
) -> None:
    registry = ModelRegistry(tmp_path / "models")
    unnamed = (f"LABEL_{number}" for number in range(count))
    folder = export(config__json=with_labels(exported_files, *unnamed))
    with pytest.raises(ModelError, match=f"LABEL_0 to LABEL_{count - 1}") as caught:
        add(folder, registry, project="p", name="m")
    assert "--labels O,B-Person,I-Person" in caught.value.hint
    names = ("O", *(f"{tag}-Kind{number}" for number in range(count // 2) for tag in "BI"))[:count]
    added = add(folder, registry, project="p", name="m", labels=names)
    assert added.folder.labels == names
    assert added.folder.categories == tuple(f"Kind{number}" for number in range(count // 2))
    with pytest.raises(ModelError, match=f"names {count - 1} labels, and the model has {count}"):
        add(folder, registry, project="p", name="other", labels=names[1:])


def test_names_that_differ_in_case_alone_are_said() -> None:
    with pytest.raises(ModelError, match="'PERSON' and 'Person', which differ in case alone") as caught:
        check_label_names(("O", "B-Person", "I-PERSON"))
    assert "--labels" in caught.value.hint
    check_label_names(("O", "B-Person", "I-Person", "B-Personal"))


@pytest.mark.parametrize(
    "text",
    [
        "O\nB-Person\nI-Person\n",
        "\ufeffO\r\nB-Person\r\n\r\nI-Person",
        '["O", "B-Person", "I-Person"]',
        '{"0": "O", "1": "B-Person", "2": "I-Person"}',
        '{"id2label": {"0": "O", "2": "I-Person", "1": "B-Person"}, "model_type": "bert"}',
    ],
)
def test_names_come_from_a_list_or_a_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text(text)
    assert (
        read_label_names(str(path))
        == read_label_names("O, B-Person,I-Person")
        == ("O", "B-Person", "I-Person")
    )


@pytest.mark.parametrize("given", ["O", "O,,B-Person", "nowhere.txt"])
def test_what_names_no_labels_is_refused(given: str) -> None:
    with pytest.raises(ModelError, match="--labels"):
        read_label_names(given)


@pytest.mark.parametrize("text", ["{}", "[1, 2]", "null", '{"id2label": 5}', "O", "[" * 100_000])
def test_a_file_that_names_nothing_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(ModelError, match="--labels"):
        read_label_names(str(path))
