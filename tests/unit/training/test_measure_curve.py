"""The parts of a learning curve lie within each other; too few documents are refused."""

from itertools import pairwise
from pathlib import Path

import pytest

from appliance.datasets.document import Label, LabelledDocument
from appliance.datasets.formats.label_files import read_file
from appliance.datasets.label_errors import DatasetError
from appliance.training.base.open_base import bundled_base
from appliance.training.evaluation.learning_curve import ENOUGH
from appliance.training.measure_curve import SHARES, measure_curve, parts_of
from tests.unit.training.test_train import jsonl


def documents(count: int) -> list[LabelledDocument]:
    return [
        LabelledDocument(name=f"d{number}", text="a b", labels=(Label(0, 1, "AB"[number % 4 == 0]),))
        for number in range(count)
    ]


def test_each_part_lies_within_the_next_and_has_every_category_in_its_share() -> None:
    parts = parts_of(documents(400))
    assert [len(part) for part in parts] == [40, 100, 200, 400]
    for smaller, larger in pairwise(parts):
        assert {one.name for one in smaller} <= {one.name for one in larger}
    for part, share in zip(parts, SHARES, strict=True):
        assert sum(one.labels[0].category == "B" for one in part) == pytest.approx(100 * share, abs=3)


@pytest.mark.slow
def test_a_curve_of_easy_text_says_that_more_does_not_help(tmp_path: Path) -> None:
    told: list[float] = []
    curve = measure_curve(
        bundled_base(),
        read_file(jsonl(tmp_path / "ships.jsonl", 100)),
        ("Seller", "Ship"),
        seed=1,
        told=lambda _, share: told.append(share),
    )
    assert [point.documents for point in curve.points] == [8, 20, 40, 80]
    assert {len(point.counts) for point in curve.points} == {20}
    assert curve.points[-1].f1 > 0.95
    assert curve.advice == ENOUGH
    assert told == sorted(told)


def test_too_few_documents_for_a_curve_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(DatasetError, match="needs at least 20 training documents with labels") as caught:
        measure_curve(bundled_base(), documents(12), ("A", "B"), seed=1, told=lambda *_: None)
    assert "leave --curve out" in caught.value.hint
