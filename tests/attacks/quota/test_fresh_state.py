"""The units of a bearer plan are used, and then the same licence is run with a new state directory."""

import shutil
from collections.abc import Callable

from tests.attacks.quota.conftest import told
from tests.support.site import Service, Site


def start_anew(site: Site, *, output: bool = False) -> Service:
    """Start with a new state directory, and with a new output directory if so wanted."""
    for directory in (site.state, site.output) if output else (site.state,):
        shutil.rmtree(directory)
        directory.mkdir(mode=0o700)
    return site.start()


def test_a_new_state_directory_gives_no_unit_anew_and_neither_does_the_log_alone_afterwards(
    limited: Callable[[str], Site],
) -> None:
    site = limited("any")
    running = site.start()
    assert told(running, 4) == {200: 4}
    running.kill()

    (first,) = (site.output / "customner").iterdir()
    running = start_anew(site)
    assert told(running, 2) == {200: 1, 403: 1}
    assert running.stop() == 0

    # The second installation holds the count of the first, signed: that one's log may go.
    shutil.rmtree(first)
    running = start_anew(site)
    assert told(running, 1) == {403: 1}
    running.kill()

    # The limit of it: nothing here remembers what both directories have lost.
    running = start_anew(site, output=True)
    assert told(running, 1) == {200: 1}
