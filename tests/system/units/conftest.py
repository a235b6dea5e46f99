"""A vendor and an isolated site, for the tests that start the real service as systemd would."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Authority.create(tmp_path / "vendor") as vendor:
        made = Site(tmp_path / "site", vendor)
        made.issue()
        yield made
        made.close()
