"""From a project to a model that the engine serves: the fast route, with the appliance's own packages."""

import importlib.util
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from appliance.datasets.document import Label, Labelled, LabelledDocument
from appliance.datasets.formats.label_files import read_file
from appliance.datasets.split import split
from appliance.errors import MissingExtra
from appliance.ner.model_folder import ModelFolder
from appliance.onnx_tools.bert_graph import build
from appliance.registry.smoke_test import try_folder
from appliance.training.base.open_base import BUNDLED, bundled_base
from appliance.training.best.encoder_weights import read_weights
from appliance.training.best.schedule import Tuning
from appliance.training.best.train_best import EIGHT_BITS, FLOAT32, begin_best, require_torch_for_best
from appliance.training.evaluation.examine import Answers, answers, examine
from appliance.training.evaluation.report import in_sentence, worst
from appliance.training.evaluation.scoring import NOTHING, score
from appliance.training.model_writer import About, write_folder
from appliance.training.train import Options, train
from tests.support.forked_process import run_forked_text

FIRMS = ("Contoso", "Fabrikam", "Northwind", "Litware", "Tailspin", "Adatum", "Wingtip", "Proseware")
SHIPS = ("Aurora", "Borealis", "Calypso", "Dauntless", "Endeavour", "Fortune", "Gannet", "Halcyon")


def jsonl(path: Path, count: int) -> Path:
    rows = []
    for number in range(count):
        firm, ship = FIRMS[number % 8], SHIPS[(number * 3 + number // 8) % 8]
        text = f"{firm} sold the vessel {ship} in port {number}."
        entities = [
            {"start": text.index(firm), "end": text.index(firm) + len(firm), "label": "Seller"},
            {"start": text.index(ship), "end": text.index(ship) + len(ship), "label": "Ship"},
        ]
        rows.append(json.dumps({"text": text, "entities": entities}))
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained by the commands of the tutorial on 40 lines."""
    home = tmp_path_factory.mktemp("train")
    source = jsonl(home / "ships.jsonl", 40)

    def run(*words: object) -> "subprocess.CompletedProcess[str]":
        return run_forked_text("appliance", [*map(str, words)], environ=os.environ, timeout=100)

    done = run("dataset", "convert", source, "--out", home / "project")
    assert done.returncode == 0, done.stderr
    project, documents = home / "project" / "project.json", home / "project" / "documents"
    words = ("train", project, "--documents", documents, "--base", "en")
    done = run(*words, "--out", home / "model")
    assert done.returncode == 0, done.stderr
    assert "support" in done.stdout
    assert "Ship" in done.stdout
    again = run(*words, "--out", home / "model")
    assert "is not empty" in again.stderr
    named = run(*words, "--out", home / "other", "--release", "Spring 2027")
    assert "'Spring 2027' is no release: use lower-case letters" in named.stderr
    assert not (home / "other").exists()
    return home / "model"


def test_a_trained_folder_is_served_like_any_other_and_each_text_on_its_own(model: Path) -> None:
    folder = ModelFolder.open(model)
    assert folder.categories == ("Seller", "Ship")
    texts = ["Litware sold the vessel Calypso in port 7.", "Nothing here.", "the vessel Gannet " * 40]
    texts.append("Litware sold the vessel ⚓Calypso⚓ in port 7.")
    found = answers(folder, texts).found
    assert [(texts[0][one.start : one.end], one.category) for one in found[0]] == [
        ("Litware", "Seller"),
        ("Calypso", "Ship"),
    ]
    assert [texts[3][one.start : one.end] for one in found[3]] == ["Litware", "Calypso"]
    assert found[2][-1].start > 500  # beyond the first window
    evaluation = json.loads((model / "evaluation.json").read_text())
    assert evaluation["micro"]["f1"] > 0.9
    assert evaluation["categories"].keys() == {"Seller", "Ship"}
    assert (model / "evaluation.json").stat().st_mode & 0o777 == 0o600
    card = (model / "MODEL_CARD.md").read_text()
    assert "| Ship |" in card
    assert "CC BY-SA 4.0" in card
    # Answers do not depend on company.
    assert folder.batch_invariant
    texts = [f"{FIRMS[n % 8]} sold {'the vessel ' * (n % 5)}{SHIPS[n % 7]}" for n in range(60)]
    together = answers(folder, texts)
    for index in (0, 17, 42, 59):
        alone = answers(folder, [texts[index]])
        assert alone.found[0] == together.found[index]
        assert alone.scores[0] == together.scores[index]


def test_padding_disturbs_no_word_of_a_trained_head_though_it_reads_the_next_token(model: Path) -> None:
    assert not try_folder(model).alone


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed: pip install torch"
)
@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_quality_best_learns_and_is_served_as_it_was_trained(tmp_path: Path) -> None:
    documents = read_file(jsonl(tmp_path / "ships.jsonl", 30), dataset="", sentences=10)
    told: list[str] = []
    tuning = Tuning(steps=(60, 60), epochs=(4, 30), least_loss=0.1)
    made = begin_best(
        bundled_base(),
        documents[:24],
        ("Seller", "Ship"),
        told=lambda step, _: told.append(step),
        tuning=tuning,
    )
    about = About(
        name="ships",
        release="1",
        language="en",
        quality="best",
        how=made.how,
        split="",
        documents=(24, 6),
        encoder="",
        seconds=1,
    )
    for weights in map(made.graph, (EIGHT_BITS, FLOAT32)):
        folder = write_folder(
            tmp_path / str(len(weights)), bundled_base().folder, weights, made.labels, about
        )
        scores, _ = examine(folder, documents[24:])
        assert scores.micro.f1 > 0.9
    assert told[-1].startswith("epoch "), told
    assert 4 < len(told) - 1 < 30, "it ends once nothing is left to learn"


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed: pip install torch"
)
@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_the_words_of_many_languages_stay_as_they_are_when_all_else_learns(tmp_path: Path) -> None:
    documents = read_file(jsonl(tmp_path / "ships.jsonl", 12), dataset="", sentences=4)
    base = bundled_base("multi")
    made = begin_best(
        base,
        documents,
        ("Seller", "Ship"),
        told=lambda *_: None,
        tuning=Tuning(steps=(4, 4), epochs=(2, 2), least_loss=0.1),
    )
    before = read_weights(base.folder.read("model.onnx"))
    for precision in (EIGHT_BITS, FLOAT32):
        graph = onnx.load_model_from_string(made.graph(precision))
        tables = [numpy_helper.to_array(one) for one in graph.graph.initializer]
        packed = [table for table in tables if table.dtype == np.uint8 and table.ndim == 3]
        assert [table.shape for table in packed] == [(207_329, 12, 16)]
    after = read_weights(made.graph(EIGHT_BITS))
    words = "encoder.embeddings.word_embeddings.weight"
    assert np.array_equal(before.arrays[words], after.arrays[words])
    changed = "encoder.embeddings.position_embeddings.weight"
    assert not np.array_equal(before.arrays[changed], after.arrays[changed])


def test_without_torch_the_best_route_says_what_to_install() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtra) as caught:
            require_torch_for_best()
        assert "train" in caught.value.hint
        return
    require_torch_for_best()


def test_the_bundled_encoders_weights_are_read_back_as_they_were_written() -> None:
    import onnxruntime as ort

    data = (BUNDLED["en"] / "model.onnx").read_bytes()
    weights = read_weights(data)
    width = weights.arrays["encoder.embeddings.word_embeddings.weight"].shape[1]
    head = {"head.weight": np.zeros((3, width), np.float32), "head.bias": np.zeros(3, np.float32)}
    again = build({**weights.arrays, **head}, weights.shape, "float").SerializeToString()
    feed = {
        "input_ids": np.array([[101, 2054, 2003, 1996, 3462, 102]]),
        "attention_mask": np.ones((1, 6), np.int64),
        "token_type_ids": np.array([[0, 1, 0, 0, 2, 0]]),
    }
    ours, theirs = (
        ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["hidden_6"], feed)[0]
        for model in (again, data)
    )
    cosine = (ours * theirs).sum(-1) / np.linalg.norm(ours, axis=-1) / np.linalg.norm(theirs, axis=-1)
    assert cosine.min() > 0.995


def test_scores_and_confusion_are_counted_by_hand() -> None:
    wanted = [Label(0, 5, "A"), Label(10, 15, "B"), Label(20, 25, "B")]
    found = [Label(0, 5, "A"), Label(10, 15, "A"), Label(30, 35, "B")]
    result = score([(wanted, found)])
    assert (result.micro.right, result.micro.found, result.micro.labelled) == (1, 3, 3)
    assert result.categories["A"].precision == 0.5
    assert result.confusion == {("A", "A"): 1, ("B", "A"): 1, ("B", NOTHING): 1, (NOTHING, "B"): 1}


def test_the_worst_mistakes_are_shown_in_their_sentence() -> None:
    text = "One thing. Then Anna met Bert.\nAnd Cleo left."
    document = LabelledDocument(name="d", text=text, labels=(Label(16, 20, "P"), Label(35, 39, "P")))
    given = Answers(found=((Label(25, 29, "P"),),), scores=((0.9,),), tokens=1, seconds=1.0)
    first, *others = worst([document], given)
    assert (first.kind, first.line, first.sentence) == ("invented", 1, "Then Anna met [Bert].")
    assert {one.kind for one in others} == {"missed"}
    assert in_sentence(text, Label(35, 39, "P")) == "And [Cleo] left."


@pytest.mark.parametrize(
    ("tags", "multilingual", "expected"),
    [
        (("en", "de-CH", "no_tag!", ""), False, ("en", "de-CH")),
        (("en", "de-CH", "no_tag!", ""), True, ("en", "multilingual")),
        (("de",), False, ("en", "de")),
        (("auto", "EN", "En"), False, ("en",)),
        (("de_ch", "de-CH", "zh_hans"), False, ("en", "de-CH", "zh-Hans")),
    ],
    ids=["several", "multilingual", "another", "its own", "as people write them"],
)
def test_a_model_lists_the_languages_that_it_learnt(
    tmp_path: Path, tags: tuple[str, ...], multilingual: bool, expected: tuple[str, ...]
) -> None:
    documents = read_file(jsonl(tmp_path / "ships.jsonl", 8))
    labelled = Labelled(
        name="ships",
        categories=("Seller", "Ship"),
        documents=tuple(
            replace(document, language=tags[number % len(tags)], dataset="Test" if number > 5 else "Train")
            for number, document in enumerate(documents)
        ),
        language="en",
        multilingual=multilingual,
    )
    options = Options(base=bundled_base("multi" if multilingual else "en"))
    out = tmp_path / "model"
    shares: list[float] = []
    found = train(
        labelled, split(labelled.documents), out, options, told=lambda _, share: shares.append(share)
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert found.folder.made_for == expected
    assert ModelFolder.open(out).made_for == expected


def test_a_language_that_is_none_is_told_and_not_written_into_the_model(tmp_path: Path) -> None:
    labelled = Labelled(
        name="ships",
        categories=("Seller", "Ship"),
        documents=tuple(read_file(jsonl(tmp_path / "ships.jsonl", 8))),
        language="the Queen's English",
    )
    parts = split(labelled.documents)
    found = train(labelled, parts, tmp_path / "model", Options(base=bundled_base("en")), told=lambda *_: None)
    assert any("no language tag" in note and "the Queen's English" in note for note in found.notes)
    assert ModelFolder.open(tmp_path / "model").made_for == ()


@pytest.mark.parametrize(
    ("tag", "base", "expected"), [("", "multi", ()), ("", "en", ("en",)), ("de", "multi", ("de",))]
)
def test_label_files_that_name_no_language_make_a_model_that_names_none_but_english_from_english(
    tmp_path: Path, tag: str, base: str, expected: tuple[str, ...]
) -> None:
    documents = tuple(replace(one, language=tag) for one in read_file(jsonl(tmp_path / "ships.jsonl", 8)))
    labelled = Labelled(name="ships", categories=("Seller", "Ship"), documents=documents, language="")
    options = Options(base=bundled_base(base))
    found = train(labelled, split(documents), tmp_path / "model", options, told=lambda *_: None)
    assert ModelFolder.open(tmp_path / "model").made_for == found.folder.made_for == expected
