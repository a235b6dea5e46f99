"""`appliance dataset convert` says what it read and wrote, and loses nothing in silence."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from appliance.datasets.formats.label_files import read_file
from appliance.datasets.formats.registry import WRITABLE
from tests.unit.datasets.formats.samples import FOLDERS, SAMPLES

ROWS = "".join(f"Word{n}\tO\nAnna\tB-PER\nLee\tI-PER\n\n" for n in range(25))


def convert(folder: Path, data: str | bytes, *words: str, name: str = "a.txt") -> Result:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    words = ("dataset", "convert", str(folder / name), "--out", str(folder / "out"), *words)
    return CliRunner().invoke(main, list(words))


def one(text: str, *labels: object, **more: object) -> str:
    return json.dumps({"text": text, "entities": list(labels), **more}) + "\n"


def test_each_file_is_counted_and_the_total_said(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(one("Anna", [0, 4, "PER"]))
    done = convert(tmp_path, ROWS, str(tmp_path / "b.jsonl"))
    assert done.exit_code == 0, done.output
    assert "a.txt (CoNLL): 3 documents, 25 labels read, 25 kept" in done.stderr
    assert "b.jsonl (JSONL): 1 document, 1 label read, 1 kept" in done.stderr
    assert "4 documents, 26 labels read, 26 labels written, 1 category" in done.stdout


@pytest.mark.parametrize("made", WRITABLE)
def test_every_format_is_written_and_told_again(made: str, tmp_path: Path) -> None:
    done = convert(tmp_path, SAMPLES["jsonl"][1], "--to", made)
    assert done.exit_code == 0, done.output
    again = read_file(tmp_path / "out")
    assert [label.category for document in again for label in document.labels] == ["PER", "ORG"]


@pytest.mark.parametrize(
    ("data", "words", "option"),
    [
        (
            one("Anna Lee", [0, 8, "PER"], [5, 8, "NAME"]),
            "the label NAME at character 5 overlaps PER",
            "overlaps",
        ),
        (
            one("Anna Lee", [0, 8, "PER"], relations=[{"type": "kin"}]),
            "the relation 'kin' ties labels",
            "relations",
        ),
    ],
)
def test_what_cannot_be_carried_is_named_unless_it_may_go(
    data: str, words: str, option: str, tmp_path: Path
) -> None:
    done = convert(tmp_path, data, name="a.jsonl")
    assert done.exit_code == 1
    assert "a.jsonl:1" in done.output
    assert words in done.output
    assert f"--drop-{option}" in done.output
    assert not (tmp_path / "out").exists()
    done = convert(tmp_path, data, f"--drop-{option}", name="a.jsonl")
    assert done.exit_code == 0, done.output
    assert f"1 {option} left out" in done.output
    assert "1 label written" in done.output


def test_a_label_with_a_gap_is_named_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Anna and Bob Lee")
    ann = "T1\tPER 0 4;13 16\tAnna Lee\nT2\tPER 9 16\tBob Lee\nR1\tkin Arg1:T1 Arg2:T2\n"
    done = convert(tmp_path, ann, name="a.ann")
    assert "a.ann, line 1: the label PER (T1) has a gap" in done.output
    assert "a.ann, line 3: the relation kin" in done.output
    assert done.exit_code == 1
    done = convert(tmp_path, ann, "--drop-discontinuous", "--drop-relations", name="a.ann")
    assert done.exit_code == 0, done.output
    assert "2 labels read, 1 kept, 1 discontinuous left out, 1 relations left out" in done.output


def test_a_nested_layer_is_named(tmp_path: Path) -> None:
    rows = "1\tRealschule\tB-ORG\tO\n2\tGarmisch\tI-ORG\tB-LOC\n3\tliegt\tO\tO\n\n"
    done = convert(tmp_path, rows)
    assert done.exit_code == 1
    assert "the label LOC at character 11 overlaps ORG" in done.output
    assert "1 overlaps left out" in convert(tmp_path, rows, "--drop-overlaps").output


def test_no_label_is_a_refusal_and_no_next_step(tmp_path: Path) -> None:
    done = convert(tmp_path, one("Anna"))
    assert done.exit_code == 1
    assert "0 labels were read: a.txt was read as JSONL" in done.output
    assert "next:" not in done.output


def test_one_mark_of_a_document_for_a_whole_file_marks_none(tmp_path: Path) -> None:
    done = convert(tmp_path, "-DOCSTART- O\n\n" + ROWS)
    assert "3 documents" in done.output
    assert "one -DOCSTART- stands for the whole file" in done.output


def test_sentences_without_effect_are_refused(tmp_path: Path) -> None:
    done = convert(tmp_path, "-DOCSTART-\tO\n\n" + ROWS + "-DOCSTART-\tO\n\n" + ROWS, "--sentences", "3")
    assert done.exit_code == 1
    assert "--sentences has no effect" in done.output
    assert "9 documents" in convert(tmp_path, ROWS, "--sentences", "3").output


def test_numbers_are_not_taken_for_words(tmp_path: Path) -> None:
    rows = "".join(f"{n}\tAnna\tB-PER\n" for n in range(9))
    done = convert(tmp_path, rows, "--to", "jsonl")
    assert done.exit_code == 0
    assert "Anna Anna" in (tmp_path / "out" / "labels.jsonl").read_text()
    done = convert(tmp_path, "".join(f"{n}\tB-PER\n" for n in range(9)), "--out", str(tmp_path / "p"))
    assert done.exit_code == 1
    assert "holds only numbers" in done.output


def test_offsets_that_contradict_their_text_are_errors_with_both(tmp_path: Path) -> None:
    data = one(
        "Anna met Bob",
        *({"start": s, "end": e, "label": "P", "text": t} for s, e, t in ((0, 4, "Anna"), (9, 12, "Bib"))),
    )
    done = convert(tmp_path, data)
    assert done.exit_code == 1
    assert "'Bib' is said, 'Bob' stands there" in done.output


def test_the_unit_is_asked_for_and_taken(tmp_path: Path) -> None:
    text = "😀😀 Anna met Bob and Cleo and Dan"
    labels = [
        [text.index(name) + 2, text.index(name) + 2 + len(name), "P"]
        for name in ("Anna", "Bob", "Cleo", "Dan")
    ]
    done = convert(tmp_path, one(text, *labels))
    assert done.exit_code == 1
    assert "4 of 4 labels cut words or lie outside the text if offsets count code-points" in done.output
    assert "--offset-unit utf16" in done.output
    done = convert(tmp_path, one(text, *labels), "--offset-unit", "utf16", "--to", "doccano")
    assert done.exit_code == 0, done.output
    (document,) = read_file(tmp_path / "out")
    assert [document.text[slice(*label[:2])] for label in document.labels] == ["Anna", "Bob", "Cleo", "Dan"]


def test_numbers_for_tags_take_their_names_from_an_option(tmp_path: Path) -> None:
    row = json.dumps({"tokens": ["Anna", "sings"], "ner_tags": [1, 0]})
    done = convert(tmp_path, row)
    assert done.exit_code == 1
    assert "--labels O,B-PER" in done.output
    assert convert(tmp_path, row, "--labels", "O,B-PER").exit_code == 0
    (tmp_path / "names.txt").write_text("O\nB-PER\n")
    done = convert(
        tmp_path, row, "--labels", str(tmp_path / "names.txt"), "--to", "jsonl", "--out", str(tmp_path / "o")
    )
    assert done.exit_code == 0, done.output
    done = convert(tmp_path, row, "--labels", "O", "--to", "jsonl", "--out", str(tmp_path / "p"))
    assert done.exit_code != 0


def test_training_and_test_stay_apart_in_what_is_written(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / name).write_text(one(f"Anna in {name}", [0, 4, "PER"]))
    words = ["--train", str(tmp_path / "train"), "--test", str(tmp_path / "test"), "--to", "conll"]
    done = CliRunner().invoke(main, ["dataset", "convert", *words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "test" in (tmp_path / "out" / "test.conll").read_text()
    assert "train" in (tmp_path / "out" / "train.conll").read_text()


def test_answers_that_were_not_accepted_are_counted(tmp_path: Path) -> None:
    rows = [
        {"text": "Anna", "spans": [{"start": 0, "end": 4, "label": "P"}], "answer": said}
        for said in ("accept", "reject")
    ]
    done = convert(tmp_path, "\n".join(map(json.dumps, rows)))
    assert "1 examples with another answer than accept are left out" in done.output


def test_training_reads_the_same_files_and_refuses_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Anna\tO\nsings\tO\n")
    done = CliRunner().invoke(main, ["train", str(tmp_path / "a.conll"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "0 labels were read: a.conll was read as CoNLL" in done.output


def test_a_project_is_checked_in_any_format(tmp_path: Path) -> None:
    for location, data in FOLDERS["azure 2022-05-01"].items():
        (tmp_path / location).parent.mkdir(exist_ok=True)
        (tmp_path / location).write_bytes(data)
    for words in (
        [tmp_path / "p.json"],
        [tmp_path],
        [tmp_path / "p.json", "--documents", tmp_path / "documents"],
    ):
        done = CliRunner().invoke(main, ["dataset", "check", *map(str, words)])
        assert "1 document, 2 labels, 2 categories: no mistake" in done.output, done.output
