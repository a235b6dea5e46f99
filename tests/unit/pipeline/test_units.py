import pytest

from appliance.pipeline.units import text_records, whole_seconds


@pytest.mark.parametrize(("elements", "records"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (125_000, 125)])
def test_a_text_record_is_a_thousand_text_elements_or_part_of_it(elements: int, records: int) -> None:
    assert text_records(elements) == records


def test_seconds_are_rounded_up_but_for_what_arithmetic_adds() -> None:
    assert [whole_seconds(value) for value in (0, 1e-9, 0.5, 1.0, 1.0000001, 60.0)] == [0, 0, 1, 1, 1, 60]
