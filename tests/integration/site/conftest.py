"""Sites with a real desk and real replicas."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.desk import DeskSite


@pytest.fixture
def new_desk(tmp_path: Path, vendor: Authority) -> Iterator[Callable[..., DeskSite]]:
    made: list[DeskSite] = []

    def make(*, vendor: Authority = vendor, **options: str) -> DeskSite:
        made.append(DeskSite(tmp_path / f"site-{len(made)}", vendor, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
