"""Label files as the tools themselves write them are read, and those tools read what is written here.

Each tool is installed once from a lock of its own, into a folder of its own. The large ones, 700 MB together,
are for the night; samples in their formats are read in tests/unit/datasets/formats each time.
"""

import json
import os
import random
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.datasets.document import Label, Labelled, LabelledDocument, categories_of
from appliance.datasets.formats.format import ReadOptions
from appliance.datasets.formats.label_files import Reading, read_file, read_labels
from appliance.datasets.formats.label_writer import files_of, write_files
from appliance.datasets.formats.registry import BY_NAME
from appliance.datasets.formats.tokens.spacy_hashes import number_of, symbols
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from tests.support.paths import ROOT

HERE = ROOT / "tests" / "clients" / "labels"
INSTALL_SECONDS = 400
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(INSTALL_SECONDS + 120)]
TEXTS = [
    LabelledDocument(
        name="1",
        text="👩🏽‍🔬 Anna Lee works at Acme Corp.\r\nאנה lives in 東京, ok.",
        labels=(Label(5, 13, "PER"), Label(23, 32, "ORG"), Label(35, 38, "PER"), Label(48, 50, "LOC")),
    ),
    LabelledDocument(name="2", text="no names here", labels=()),
    LabelledDocument(name="3", text="mark", labels=(Label(0, 4, "PERSON"),)),
]


def tool(name: str, script: str, *words: str | Path) -> str:
    """Run a program with a tool in its path; skip where the tool cannot be had."""
    lock = HERE / "tools" / f"{name}.txt"
    folder = Path(sys.prefix) / "label-tools" / name
    mark = folder / ".installed"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command = [*pip, "--require-hashes", "--target", str(folder), "-r", str(lock)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
            pytest.skip(f"{name} cannot be installed here from {lock.name}: {reason[:200]}")
        mark.write_bytes(lock.read_bytes())
    environ = os.environ | {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, str(HERE / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environ, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def written(made: str, folder: Path, documents: list[LabelledDocument] = TEXTS) -> Path:
    """Write documents in a format, and return the file."""
    labelled = Labelled(name="x", categories=categories_of(documents), documents=tuple(documents))
    files = files_of(labelled, BY_NAME[made])
    write_files(files, folder)
    return folder / next(iter(files))


def found(documents: list[LabelledDocument]) -> list[tuple[str, str]]:
    """Category and words of each label."""
    return [
        (one.category, document.text[slice(*one[:2])]) for document in documents for one in document.labels
    ]


@pytest.mark.slow
def test_spacy_counts_its_strings_as_we_do() -> None:
    chosen = random.Random(1)  # noqa: S311
    words = ["".join(chosen.choices(string.printable + "äé東👩", k=size)) for size in range(1, 60)]
    words = [word.replace("\0", "") for word in words] + ["PERSON", "mark", "det", "_"]
    assert json.loads(tool("spacy", "spacy_tool.py", "hashes", *words)) == [number_of(word) for word in words]
    assert json.loads(tool("spacy", "spacy_tool.py", "symbols")) == symbols()


@pytest.mark.slow
def test_what_spacy_writes_is_read(tmp_path: Path) -> None:
    said = json.loads(tool("spacy", "spacy_tool.py", "write", tmp_path))
    for name, count in (
        ("all.spacy", 2),
        ("few.spacy", 1),
        ("doc.json", 1),
        ("tuples.json", 1),
        ("version2.json", 1),
    ):
        documents = read_file(tmp_path / name)
        assert len(documents) == count
        for document in documents:
            assert document.text == said["text"], name
            assert [list(one) for one in document.labels] == said["labels"], name


@pytest.mark.slow
def test_spacy_reads_what_is_written(tmp_path: Path) -> None:
    file = written("spacy", tmp_path / "out")
    said = json.loads(tool("spacy", "spacy_tool.py", "read", file))
    assert [one["text"] for one in said] == [one.text for one in TEXTS]
    assert [one["labels"] for one in said] == [[list(label) for label in one.labels] for one in TEXTS]


@pytest.mark.parametrize("form", ["JSON", "JSON_MIN", "CSV", "TSV", "CONLL2003"])
@pytest.mark.slow
def test_what_label_studio_exports_of_our_tasks_is_read(tmp_path: Path, form: str) -> None:
    tasks = written("label-studio", tmp_path / "out")
    tool("label-studio-sdk", "label_studio_tool.py", tasks, tmp_path, *categories_of(TEXTS))
    (file,) = (one for one in (tmp_path / form).rglob("*") if one.is_file())
    documents = read_file(file)
    if form == "CONLL2003":
        # Its converter splits at spaces and punctuation in its own way, and has one -DOCSTART- for all tasks.
        assert [kind for kind, _ in found(documents)] == ["PER", "ORG", "PER", "LOC", "PERSON"]
        assert found(documents)[0] == ("PER", "Anna Lee")
        return
    assert [one.text for one in documents] == [one.text for one in TEXTS]
    assert [one.labels for one in documents] == [one.labels for one in TEXTS]


@pytest.mark.slow
def test_what_datasets_writes_is_read_with_names_and_refused_without(tmp_path: Path) -> None:
    tool("datasets", "datasets_tool.py", "write", tmp_path)
    wanted = [("PER", "Anna Lee"), ("ORG", "Acme Corp")]
    assert found(read_file(tmp_path / "described" / "train.jsonl")) == wanted
    assert found(read_file(tmp_path / "described")) == wanted
    with pytest.raises(DatasetError, match="tags are numbers") as refused:
        read_file(tmp_path / "bare" / "train.jsonl")
    assert "--labels" in (refused.value.hint or "")
    names = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
    reading = Reading(options=ReadOptions(names=names))
    assert found(read_labels([(tmp_path / "bare" / "train.jsonl", "")], reading)[0]) == wanted


@pytest.mark.slow
def test_datasets_reads_what_is_written(tmp_path: Path) -> None:
    file = written("hugging-face", tmp_path / "out")
    rows = json.loads(tool("datasets", "datasets_tool.py", "read", file))
    assert rows[-1] == [["mark"], ["B-PERSON"]]
    assert [tag for _, tags in rows for tag in tags if tag != "O"] == [
        "B-PER", "I-PER", "B-ORG", "I-ORG", "B-PER", "B-LOC", "B-PERSON",
    ]  # fmt: skip


def test_conllu_reads_what_is_written(tmp_path: Path) -> None:
    file = written("conllu", tmp_path / "out")
    sentences = json.loads(tool("conllu", "conllu_tool.py", file))
    named = [[word, tag] for sentence in sentences for word, tag in sentence if tag != "O"]
    assert named[:2] == [["Anna", "B-PER"], ["Lee", "I-PER"]]
    assert len(sentences) == 4


def test_web_anno_tsv_reads_what_is_written(tmp_path: Path) -> None:
    file = written("webanno", tmp_path / "out")
    said = json.loads(tool("web-anno-tsv", "web_anno_tool.py", "read", file))
    found = [label for _, labels in said for label in labels]
    assert found == [["PER", "Anna Lee"], ["ORG", "Acme Corp"], ["PER", "אנה"], ["LOC", "東京"]]
    assert [text for text, _ in said if text] == TEXTS[0].text.split("\r\n")


def test_what_web_anno_tsv_writes_is_read(tmp_path: Path) -> None:
    tool("web-anno-tsv", "web_anno_tool.py", "write", tmp_path / "a.tsv")
    documents = read_file(tmp_path / "a.tsv")
    assert found(documents) == [("PER", "Anna Lee"), ("ORG", "Acme")]


def test_dkpro_cassis_reads_what_is_written(tmp_path: Path) -> None:
    written("cas-xmi", tmp_path / "out")
    (types,) = (tmp_path / "out").rglob("TypeSystem.xml")
    said = json.loads(tool("dkpro-cassis", "cassis_tool.py", "read", types.with_name("1.xmi"), types))
    assert said == [
        TEXTS[0].text,
        [["PER", "Anna Lee"], ["ORG", "Acme Corp"], ["PER", "אנה"], ["LOC", "東京"]],
    ]


def test_what_dkpro_cassis_writes_is_read_with_its_type_system_beside_it(tmp_path: Path) -> None:
    tool("dkpro-cassis", "cassis_tool.py", "write", tmp_path)
    documents = read_file(tmp_path)
    assert [one.name for one in documents] == [
        f"{tmp_path.name}/{kind}.xmi" for kind in ("NamedEntity", "Role")
    ]
    assert found(documents) == [("PER", "Anna Lee"), ("ORG", '<Acme> & "Co"')] * 2


@pytest.mark.slow
def test_what_doccanos_own_exporter_writes_is_read_in_both_shapes(tmp_path: Path) -> None:
    tool("doccano", "doccano_tool.py", tmp_path)
    for name in ("spans", "relations"):
        reading = Reading(drop=frozenset({"relations"}) if name == "relations" else frozenset())
        documents, _ = read_labels([(tmp_path / f"{name}.jsonl", "")], reading)
        assert [one.text for one in documents] == [one.text for one in TEXTS[:2]]
        assert [one.labels for one in documents] == [one.labels for one in TEXTS[:2]]
    with pytest.raises(LabellingMistakes) as refused:
        read_file(tmp_path / "relations.jsonl")
    assert "the relation 'works for' ties labels" in refused.value.mistakes[0].reason
