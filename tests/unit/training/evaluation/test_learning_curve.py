"""The advice of a learning curve is that of its last step, and no bolder than its documents allow."""

import pytest

from appliance.training.evaluation.learning_curve import ENOUGH, MORE, UNSURE, Point, curve_of
from appliance.training.evaluation.scoring import Counts


def point(share: float, *right: int, of: int = 100) -> Point:
    counts = tuple(Counts(right=one, found=of, labelled=of) for one in right)
    return Point(share=share, documents=round(100 * share), counts=counts)


@pytest.mark.parametrize(
    ("before", "after", "advice"),
    [
        ([60] * 20, [66] * 20, MORE),
        ([80] * 20, [80] * 20, ENOUGH),
        ([80] * 20, [78] * 20, ENOUGH),
        ([60, 90, 40, 70], [80, 70, 60, 60], UNSURE),
    ],
)
def test_the_last_doubling_decides(before: list[int], after: list[int], advice: str) -> None:
    curve = curve_of([point(0.5, *before), point(1.0, *after)])
    assert curve.advice == advice
    assert curve.lines()[-1].startswith(f"{advice}: from 50 to 100 documents F1 went ")


def test_each_point_has_a_line_with_its_documents_and_f1() -> None:
    curve = curve_of([point(0.1, 30), point(0.5, 50), point(1.0, 60)])
    assert curve.lines()[0].startswith(" 10 %      10 documents  F1  30.0")
    assert [one["f1"] for one in curve.as_object()["points"]] == [0.3, 0.5, 0.6]
