"""What a model folder tells beside its answers: size, day, and the score of whoever trained it."""

import json
import os
from pathlib import Path

import pytest

from appliance.models.folder_facts import FolderFacts, folder_facts, read_card
from tests.support.paths import ROOT

BUNDLED = {"ner-en": "F1", "ner-multi": "F1", "speech-en": "WER", "whisper-tiny-en": "WER"}


def test_size_and_day_are_those_of_its_files(tmp_path: Path) -> None:
    for name, size, day in (("model.onnx", 1_000, 200), ("model.json", 24, 100)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (day, day))
    assert folder_facts(tmp_path) == FolderFacts(size=1_024, changed=200)


def test_f1_is_that_of_the_evaluation_beside_it(tmp_path: Path) -> None:
    evaluation = {"micro": {"f1": 0.87654}, "worst": [{"sentence": "of a customer"}]}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    facts = folder_facts(tmp_path)
    assert (facts.measure, facts.percent) == ("F1", 87.7)
    assert "customer" not in repr(facts)


def test_scores_are_read_from_the_cards_that_training_writes(tmp_path: Path) -> None:
    (tmp_path / "MODEL_CARD.md").write_text(
        "| Date | 91.0 | 90.0 | 90.5 | 10 |\n| **all** | 88.0 | 89.0 | 88.5 | 40 |\n"
    )
    assert (folder_facts(tmp_path).measure, folder_facts(tmp_path).percent) == ("F1", 88.5)
    (tmp_path / "MODEL_CARD.md").write_text(
        "| before (base) | 20 | 300 | 9 | 1 | 2 | 4.0 |\n| after | 20 | 300 | 5 | 1 | 2 | 2.7 |\n"
    )
    facts = folder_facts(tmp_path)
    assert (facts.measure, facts.percent, facts.card) == ("WER", 2.7, True)
    assert read_card(tmp_path).startswith("| before")


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_model_tells_a_score_that_stands_in_a_table_of_its_card_too(name: str) -> None:
    folder = ROOT / "appliance" / "bundled" / name
    facts = folder_facts(folder)
    assert facts.measure == BUNDLED[name]
    assert facts.percent
    row, _, _ = facts.scored_on.partition(" held-out")
    (tabled,) = [
        line
        for line in read_card(folder).splitlines()
        if line.startswith(f"| {row}") and "| score |" not in line
    ]
    assert f"{facts.percent:.1f}" in tabled


def test_what_is_not_there_or_damaged_is_left_out(tmp_path: Path) -> None:
    assert folder_facts(None) == folder_facts(tmp_path / "gone") == FolderFacts()
    for text in ("", "[", "[]", '{"micro": null}', '{"micro": {"f1": "x"}}'):
        (tmp_path / "evaluation.json").write_text(text)
        assert folder_facts(tmp_path).percent is None
    assert read_card(tmp_path) == ""
