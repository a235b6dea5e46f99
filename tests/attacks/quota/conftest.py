"""A site under a plan that blocks after five records, and what its callers are told."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from tests.e2e.test_licence_life import ask
from tests.support.site import Service, Site

UNITS = 5


def told(service: Service, times: int) -> Counter[int]:
    with service.client() as client:
        return Counter(ask(client).status_code for _ in range(times))


def remove(directory: Path, *patterns: str) -> None:
    """Throw away files at or below a directory."""
    for pattern in patterns:
        for path in directory.rglob(pattern):
            path.unlink()


@pytest.fixture
def limited(new_site: Callable[..., Site]) -> Callable[[str], Site]:
    """Make a site whose plan blocks; `any` for a bearer licence."""

    def make(binding: str) -> Site:
        site = new_site()
        site.issue(meters={TEXT_RECORDS: UNITS}, overage="block", binding=binding)
        return site

    return make
