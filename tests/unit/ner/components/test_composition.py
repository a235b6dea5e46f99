"""Spans that overlap, one with the next, belong together; how they are answered is the entity's choice."""

from typing import Any

import pytest

from appliance.datasets.components.components import EntityComponents
from appliance.ner.components.composition import Found, composed

LEARNT, LISTED, MATCHED = Found(0, 4, "learned", 0.4), Found(3, 8, "list", 1.0), Found(7, 9, "regex", 1.0)


@pytest.mark.parametrize(
    ("found", "how", "expected"),
    [
        ([], {}, []),
        ([MATCHED, LEARNT, LISTED], {}, [(0, 9, 1.0)]),
        ([LEARNT, MATCHED], {}, [(0, 4, 0.4), (7, 9, 1.0)]),
        ([LISTED, LEARNT], {"combine": False}, [(0, 4, 0.4), (3, 8, 1.0)]),
        ([Found(0, 9, "list", 1.0), Found(1, 2, "learned", 0.5), MATCHED], {}, [(0, 9, 1.0)]),
        ([Found(0, 3, "list", 1.0), Found(3, 5, "list", 1.0)], {}, [(0, 3, 1.0), (3, 5, 1.0)]),
        ([LEARNT, MATCHED], {"required": frozenset({"regex"})}, [(7, 9, 1.0)]),
        ([LEARNT, LISTED], {"required": frozenset({"learned", "list", "regex"})}, []),
        ([LEARNT, LISTED], {"required": frozenset({"list"}), "combine": False}, [(0, 4, 0.4), (3, 8, 1.0)]),
    ],
)
def test_what_is_answered(
    found: list[Found], how: dict[str, Any], expected: list[tuple[int, int, float]]
) -> None:
    assert list(composed(found, EntityComponents(category="A", **how))) == expected
