"""What a model folder tells beside its answers: size, day, and the score of whoever trained it."""

import json
import os
from pathlib import Path

from appliance.models.folder_facts import FolderFacts, folder_facts, read_card


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


def test_what_is_not_there_or_damaged_is_left_out(tmp_path: Path) -> None:
    assert folder_facts(None) == folder_facts(tmp_path / "gone") == FolderFacts()
    for text in ("", "[", "[]", '{"micro": null}', '{"micro": {"f1": "x"}}'):
        (tmp_path / "evaluation.json").write_text(text)
        assert folder_facts(tmp_path).percent is None
    assert read_card(tmp_path) == ""
