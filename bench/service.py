"""The real service with a real licence in a temporary place, for as long as a measurement needs it."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from appliance.config.products import CUSTOM_NER
from license.authority.authority import Authority
from tests.support.site import Service, Site

ANALYZE = "/language/:analyze-text?api-version=2023-04-01"


@contextlib.contextmanager
def licensed_site(directory: Path | None = None) -> Iterator[Site]:
    """Yield a site with a licence for more than any measurement uses.

    Args:
        directory: Where its mounts lie, on the disk that is to be measured; None for the temporary directory.
    """
    with (
        tempfile.TemporaryDirectory(dir=directory) as home,
        Authority.create(Path(home) / "vendor") as vendor,
    ):
        site = Site(Path(home) / "site", vendor)
        site.fixed = ()  # as it is installed, calibrated by itself
        site.forks = False  # a forked one has less to start, and another's memory
        site.issue(meters={CUSTOM_NER.meter: 1_000_000_000})
        try:
            yield site
        finally:
            site.close()


@contextlib.contextmanager
def running_service(*words: str, directory: Path | None = None) -> Iterator[Service]:
    """Yield the service, ready, metering to disk; `words` are further settings."""
    with licensed_site(directory) as site:
        yield site.start(*words)


def address(service: Service) -> tuple[str, int]:
    """Return host and port of a service."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    return host, int(port)
